namespace ActorCluster.Demo.Histories;

/// <summary>Whether a command changed the room, as its sender knows.</summary>
internal enum CommandEnd : byte
{
    /// <summary>No answer, or an error: it may have taken effect or not.</summary>
    Unknown,
    Acknowledged,
}

/// <summary>A message that a client sent.</summary>
/// <param name="Room">Where.</param>
/// <param name="Hash"><see cref="RowHash"/> of the row that it must become.</param>
/// <param name="Seq">Its sequence in the room, 0 while or if unknown.</param>
internal readonly record struct SentMessage(string Room, ulong Hash, long Seq)
{
    public CommandEnd End => Seq > 0 ? CommandEnd.Acknowledged : CommandEnd.Unknown;
}

/// <summary>How a stay ended, as its client knows.</summary>
internal enum StayEnd : byte
{
    /// <summary>It has not.</summary>
    Open,

    /// <summary>By an acknowledged leave.</summary>
    Left,

    /// <summary>The leave was never answered, or with an error: the client may be a member still.</summary>
    Unknown,

    /// <summary>The leave was answered as that of a stranger, which takes no effect: the room had lost the membership.</summary>
    Disowned,
}

/// <summary>A stay in a room, by acknowledged sequences.</summary>
/// <param name="Room">Where.</param>
/// <param name="JoinSeq">Sequence of the acknowledged join.</param>
/// <param name="LeaveSeq">Sequence of the acknowledged leave; 0 if there is none.</param>
/// <param name="End">How it ended.</param>
/// <param name="TailKnown">False if nobody can say up to where the client was a listener: its connection broke while its leave was
/// under way (the stream may then have ended with the old connection), or the leave did not end the stay.</param>
/// <param name="BrokeAtMs">When that connection broke, in Unix milliseconds; 0 if the tail is known or no time is.</param>
internal readonly record struct Stay(string Room, long JoinSeq, long LeaveSeq, StayEnd End, bool TailKnown, long BrokeAtMs)
{
    /// <summary>The last row that the client may be delivered of this stay.</summary>
    public long LastSeq => End == StayEnd.Left ? LeaveSeq : long.MaxValue;
}

/// <summary>What one client did and saw, written down by the client's side alone: the checker's first witness.</summary>
/// <remarks>One client is one life of a user's connection, from connect to quit. Safe for the threads of its sends and of its deliveries.</remarks>
internal sealed class ClientHistory(string user, ObservedRows observed)
{
    private readonly Lock _lock = new();
    private readonly List<SentMessage> _sent = [];
    private readonly List<Stay> _stays = [];
    private readonly List<string> _joinsUnanswered = [];
    private readonly Dictionary<string, RoomDeliveries> _deliveries = new(StringComparer.Ordinal);

    public string User => user;

    /// <summary>Messages in the order in which they were sent. Read it when the client is closed.</summary>
    public IReadOnlyList<SentMessage> Sent => _sent;

    /// <summary>Stays in the order in which they began; a room's stays do not overlap.</summary>
    public IReadOnlyList<Stay> Stays => _stays;

    /// <summary>Rooms of joins that were not acknowledged: each may have taken effect or not.</summary>
    public IReadOnlyList<string> JoinsUnanswered => _joinsUnanswered;

    public IReadOnlyDictionary<string, RoomDeliveries> Deliveries => _deliveries;

    /// <summary>Joins that were acknowledged while the client was in the room, with another sequence than the first.</summary>
    public int OddRejoins { get; private set; }

    /// <summary>The longest that one of its streams was behind what somebody knew of the room. Read it when the client is closed.</summary>
    public long LongestBehindMs => _deliveries.Count == 0 ? 0 : _deliveries.Values.Max(seen => seen.LongestBehindMs);

    /// <summary>Notes a message before it goes out.</summary>
    /// <returns>Its place, for <see cref="Acknowledge"/>.</returns>
    public int Send(string room, string text)
    {
        var hash = RowHash.Of(RowKind.Message, user, text);
        lock (_lock)
        {
            _sent.Add(new(room, hash, 0));
            return _sent.Count - 1;
        }
    }

    public void Acknowledge(int place, long seq)
    {
        lock (_lock)
        {
            _sent[place] = _sent[place] with { Seq = seq };
            if (seq is > 0 and < ObservedRows.SeqMax) observed.Of(_sent[place].Room).Known(seq, observed.NowMs);
        }
    }

    /// <summary>A join was acknowledged.</summary>
    public void Join(string room, long seq)
    {
        lock (_lock)
        {
            var at = OpenStay(room);
            if (at < 0) _stays.Add(new(room, seq, 0, StayEnd.Open, TailKnown: true, 0));
            else if (_stays[at].JoinSeq != seq) OddRejoins++;
        }
    }

    /// <summary>A join ended without an acknowledgement.</summary>
    public void JoinUnanswered(string room)
    {
        lock (_lock) _joinsUnanswered.Add(room);
    }

    /// <summary>A leave was acknowledged.</summary>
    /// <param name="room">The room.</param>
    /// <param name="seq">Its sequence; 0 says that the user was no member.</param>
    /// <param name="tailKnown">Whether one connection carried the leave and its answer.</param>
    /// <param name="brokeAtMs">If not: when the connection broke that the leave was first sent on, in Unix milliseconds.</param>
    public void Leave(string room, long seq, bool tailKnown, long brokeAtMs = 0) =>
        EndStay(room, seq > 0 ? StayEnd.Left : StayEnd.Disowned, seq, tailKnown && seq > 0, brokeAtMs);

    /// <summary>A leave ended without an acknowledgement.</summary>
    public void LeaveUnanswered(string room) => EndStay(room, StayEnd.Unknown, 0, tailKnown: false, 0);

    public void DeliverItem(string room, RowKind kind, long seq, string rowUser, string text)
    {
        var hash = RowHash.Of(kind, rowUser, text);
        var now = observed.NowMs;
        lock (_lock) In(room).AddItem(seq, hash, now);
    }

    public void DeliverDigest(string room, long from, Digest digest)
    {
        lock (_lock) In(room).AddDigest(from, digest);
    }

    /// <summary>Whether rows before a leave are still to be delivered.</summary>
    /// <param name="room">The room that was left.</param>
    /// <param name="leaveSeq">Sequence of the leave; the leave itself need not be told.</param>
    public bool Lacks(string room, long leaveSeq)
    {
        lock (_lock)
        {
            var cursor = _deliveries.TryGetValue(room, out var seen) ? seen.Cursor : 0;
            foreach (var stay in _stays)
                if (stay.Room == room && stay.LeaveSeq == leaveSeq) return Math.Max(cursor, stay.JoinSeq) < leaveSeq - 1;
            return false;
        }
    }

    /// <summary>Whether all rooms that the client is in were delivered up to their heads.</summary>
    public bool ReachedHeads(IReadOnlyDictionary<string, long> heads)
    {
        lock (_lock)
        {
            foreach (var stay in _stays)
            {
                if (stay.End != StayEnd.Open || !heads.TryGetValue(stay.Room, out var head)) continue;
                var cursor = _deliveries.TryGetValue(stay.Room, out var seen) ? seen.Cursor : 0;
                if (Math.Max(cursor, stay.JoinSeq) < head) return false;
            }
            return true;
        }
    }

    private void EndStay(string room, StayEnd end, long seq, bool tailKnown, long brokeAtMs)
    {
        lock (_lock)
        {
            var at = OpenStay(room);
            if (at >= 0) _stays[at] = _stays[at] with { LeaveSeq = seq, End = end, TailKnown = tailKnown, BrokeAtMs = brokeAtMs };
        }
    }

    private int OpenStay(string room)
    {
        for (var i = _stays.Count - 1; i >= 0; i--)
            if (_stays[i].End == StayEnd.Open && _stays[i].Room == room) return i;
        return -1;
    }

    private RoomDeliveries In(string room)
    {
        if (_deliveries.TryGetValue(room, out var seen)) return seen;
        return _deliveries[room] = new(observed.Of(room));
    }
}
