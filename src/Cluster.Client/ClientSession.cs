using System.Text.Json;

namespace ActorCluster.Client;

/// <summary>
/// One client's side of the protocol (docs/client-protocol.md): which frames go out, which items are delivered, how commands end.
/// Knows no clock, no socket and no thread.
/// </summary>
/// <remarks>
/// Not thread-safe: one driver owns it. Every input appends to <c>effects</c> what is to be done, in order. A connection's life is
/// <see cref="NextHost"/>, <see cref="Opened"/>, <see cref="Received"/>…, <see cref="Lost"/>; an attempt that fails skips the middle.
/// Commands live in two places: <c>_waiting</c>, without an id, and <c>_unanswered</c>, in the order of their ids.
/// </remarks>
internal sealed class ClientSession(IReadOnlyList<Uri> givenHosts, int unansweredMax = 128, int heldItemsMax = 1024, int connectRoundsMax = 8)
{
    /// <summary>A connection that broke sooner counts as one more failed attempt, so that a node in trouble is not hammered.</summary>
    private static readonly TimeSpan HeldLongEnough = TimeSpan.FromSeconds(1);
    private const int FillLimit = 500;

    private enum Phase { Down, AwaitingWelcome, Up, Closing, Ended }

    private readonly HostList _hosts = new(givenHosts);
    private readonly ServerFrame _frame = new();
    private readonly List<PendingCommand> _unanswered = [];
    private readonly SortedDictionary<string, FollowedRoom> _rooms = new(StringComparer.Ordinal);
    private readonly Dictionary<string, RetryLane> _lanes = new(StringComparer.Ordinal);
    private readonly Queue<PendingCommand> _fills = new();
    private Queue<PendingCommand> _waiting = new();
    private Phase _phase;
    private string? _token;
    private string _fatalCode = "";
    private bool _welcomedNow;
    private TimeSpan _welcomedAt;
    private long _lastId;
    private int _connection;
    private int _windowLimit = int.MaxValue;

    /// <summary>Empty before the first welcome.</summary>
    public string ClientId { get; private set; } = "";

    /// <summary>Empty while there is no connection.</summary>
    public string Node { get; private set; } = "";

    /// <summary>Welcomes after the first.</summary>
    public int FailOvers { get; private set; }

    public int FrameBytesMax { get; private set; } = 1 << 16;

    public int UnansweredCount => _unanswered.Count;

    public (Uri Host, TimeSpan Pause) NextHost() => _hosts.Next();

    /// <summary>The socket is open: says hello.</summary>
    public void Opened(List<ClientEffect> effects)
    {
        _phase = Phase.AwaitingWelcome;
        effects.Add(new ClientEffect.Send(ClientFrames.Hello(_token, _rooms.Values.Where(r => r.Following))));
    }

    /// <summary>The connection, or the attempt to make one, is over.</summary>
    public void Lost(string reason, TimeSpan now, List<ClientEffect> effects)
    {
        if (_phase == Phase.Ended) return;
        _phase = Phase.Down;
        _connection++;
        if (_welcomedNow && now - _welcomedAt >= HeldLongEnough) _hosts.Settled();
        effects.Add(new ClientEffect.Tell(
            _welcomedNow ? new ConnectionChange.Lost(reason) : new ConnectionChange.AttemptFailed(_hosts.Current!, reason)));
        _welcomedNow = false;
        Node = "";
        _lanes.Clear();
        _fills.Clear();
        _unanswered.RemoveAll(c => c.Kind == CommandKind.Fill);
        foreach (var room in _rooms.Values) room.Interrupt();
        if (ClientId.Length == 0) GiveUpIfHopeless(reason, effects);
    }

    /// <summary>Whether one more command may wait: any number while answers come, so many while there is no connection. Those whose callers have stopped waiting make place.</summary>
    public bool HasPlace(int waitingMax)
    {
        if (_phase == Phase.Up) return true;
        if (_waiting.Count >= waitingMax) _waiting = new Queue<PendingCommand>(_waiting.Where(c => !c.Abandoned));
        return _waiting.Count < waitingMax;
    }

    /// <summary>A command of the user: goes out now, or waits for a welcome or for its place among the unanswered.</summary>
    public void Submit(PendingCommand command, List<ClientEffect> effects)
    {
        _waiting.Enqueue(command);
        Advance(effects);
    }

    /// <summary>Nothing is sent or answered any more; returns the commands that will never be answered.</summary>
    public IReadOnlyList<PendingCommand> End()
    {
        _phase = Phase.Ended;
        _connection++;
        Node = "";
        PendingCommand[] left = [.. _unanswered, .. _waiting];
        _unanswered.Clear();
        _waiting.Clear();
        _fills.Clear();
        return left;
    }

    public void Due(RetryTimer timer, List<ClientEffect> effects)
    {
        if (timer.Connection != _connection || _phase != Phase.Up) return; // The next welcome has sent, or will send, everything again.
        switch (timer.Target)
        {
            case RetryLane lane:
                lane.Waiting = false;
                foreach (var command in _unanswered)
                    if (!command.IsRead && command.Id >= lane.ResendFrom && command.Room == lane.Room) SendNow(command, effects);
                break;
            case PendingCommand read when _unanswered.Contains(read):
                SendNow(read, effects);
                break;
            case FollowedRoom room when _rooms.TryGetValue(room.Name, out var known) && known == room:
                room.FillWaiting = false;
                FillGap(room);
                Advance(effects);
                break;
        }
    }

    public void Received(ReadOnlySpan<byte> frame, TimeSpan now, List<ClientEffect> effects)
    {
        if (_phase is not (Phase.AwaitingWelcome or Phase.Up)) return;
        try
        {
            _frame.Read(frame);
        }
        catch (JsonException e)
        {
            Disconnect($"The server sent a frame that is not understood: {e.Message}", effects);
            return;
        }
        switch (_frame.Op)
        {
            case "welcome": Welcome(now, effects); break;
            case "bye": Bye(effects); break;
            case "goaway": GoAway(effects); break;
            case "token": _token = _frame.Token ?? _token; break;
            case "items" when _phase == Phase.Up: Items(effects); break;
            case "ok" when _phase == Phase.Up: Accepted(effects); break;
            case "err" when _phase == Phase.Up: Refused(effects); break;
            case "left" when _phase == Phase.Up: EndRoom(_frame.Room, _frame.Code, _frame.Message, effects); break;
        }
    }

    private void Welcome(TimeSpan now, List<ClientEffect> effects)
    {
        if (_phase == Phase.Up) return;
        var reset = ClientId.Length > 0 && (!_frame.Resumed || _frame.Client != ClientId);
        if (ClientId.Length > 0) FailOvers++;
        (_phase, _welcomedNow, _welcomedAt) = (Phase.Up, true, now);
        (ClientId, Node, _token) = (_frame.Client, _frame.Node, _frame.Token ?? _token);
        _windowLimit = _frame.UnansweredLimit > 0 ? _frame.UnansweredLimit : int.MaxValue;
        if (_frame.FrameBytesLimit > 0) FrameBytesMax = _frame.FrameBytesLimit;
        _hosts.Replace(_frame.Hosts);
        effects.Add(new ClientEffect.Tell(new ConnectionChange.Connected(Node, _frame.Resumed)));
        if (reset) StartAnew(effects);
        foreach (var command in _unanswered) SendNow(command, effects);
        Advance(effects);
    }

    /// <summary>A new client id: what may have reached a server ends; reads and what never went out take new ids.</summary>
    private void StartAnew(List<ClientEffect> effects)
    {
        var kept = new Queue<PendingCommand>();
        foreach (var command in _unanswered)
        {
            if (command.Sent && !command.IsRead)
            {
                effects.Add(new ClientEffect.Reset(command));
                continue;
            }
            command.Id = 0;
            kept.Enqueue(command);
        }
        foreach (var command in _waiting) kept.Enqueue(command);
        _waiting = kept;
        _unanswered.Clear();
        _lastId = 0;
        // A join whose fate is unknown follows nothing; a leave's room is followed until the server says otherwise.
        foreach (var name in _rooms.Where(r => !r.Value.Following).Select(r => r.Key).ToList()) _rooms.Remove(name);
    }

    private void Bye(List<ClientEffect> effects)
    {
        if (_frame.Code == ErrorCodes.BadToken && _token is not null)
        {
            _token = null; // The next hello, to the same host, asks for a new client id.
            _hosts.Stay();
        }
        else if (_frame.Code is ErrorCodes.NoUser or ErrorCodes.BadVersion or ErrorCodes.BadFrame or ErrorCodes.FrameTooLong)
        {
            _fatalCode = _frame.Code;
        }
        Disconnect($"{_frame.Code}: {_frame.Message}", effects);
    }

    private void GoAway(List<ClientEffect> effects)
    {
        _hosts.Replace(_frame.Hosts);
        effects.Add(new ClientEffect.Tell(new ConnectionChange.GoAway(_frame.Reason)));
        Disconnect($"The node asked its clients to go: {_frame.Reason}", effects);
    }

    private void Disconnect(string reason, List<ClientEffect> effects)
    {
        _phase = Phase.Closing;
        effects.Add(new ClientEffect.Disconnect(reason));
    }

    private void GiveUpIfHopeless(string reason, List<ClientEffect> effects)
    {
        if (_fatalCode.Length > 0)
            effects.Add(new ClientEffect.GiveUp(_fatalCode, $"{_hosts.Current} refused this client: {reason}"));
        else if (_hosts.Rounds >= connectRoundsMax)
            effects.Add(new ClientEffect.GiveUp(ErrorCodes.Unreachable,
                $"No host welcomed this client in {connectRoundsMax} rounds; the last one, {_hosts.Current}, failed with: {reason} " +
                $"Check the addresses in Hosts, or raise ConnectRoundsMax."));
    }

    private void Accepted(List<ClientEffect> effects)
    {
        if (Find(_frame.Id) is not { } command) return; // A repeat's answer: the first one counted.
        _unanswered.Remove(command);
        Succeeded(command);
        switch (command.Kind)
        {
            case CommandKind.Create or CommandKind.Join:
                var joined = RoomOf(command.Room);
                joined.Follow(_frame.Seq);
                FillGap(joined);
                break;
            case CommandKind.Leave:
                ForgetUnlessJoining(command.Room);
                break;
            case CommandKind.Fill:
                Filled(command, effects);
                break;
        }
        if (command.Kind != CommandKind.Fill)
            effects.Add(new ClientEffect.Complete(command, new Answer(null, null, _frame.Seq, _frame.Head, _frame.Members,
                command.Kind == CommandKind.History ? _frame.TakeItems() : null, _frame.Online, _frame.Stale)));
        Advance(effects);
    }

    private void Refused(List<ClientEffect> effects)
    {
        if (_frame.Id == 0) effects.Add(new ClientEffect.Tell(new ConnectionChange.FrameRefused(_frame.Code, _frame.Message)));
        if (Find(_frame.Id) is not { } command) return;
        if (_frame.Retry)
        {
            RetryLater(command, effects);
            return;
        }
        _unanswered.Remove(command);
        Succeeded(command); // A final refusal ends the wait of those behind it as well.
        if (command.OpensRoom && _rooms.TryGetValue(command.Room, out var room) && !room.Following && !IsOpening(command.Room))
            _rooms.Remove(command.Room);
        if (command.Kind == CommandKind.Fill) NotFilled(command, effects);
        else effects.Add(new ClientEffect.Complete(command, new Answer(_frame.Code, _frame.Message)));
        Advance(effects);
    }

    private void RetryLater(PendingCommand command, List<ClientEffect> effects)
    {
        if (command.IsRead)
        {
            SetTimer(RetryPause.After(++command.Refusals, _frame.AfterMs), command, effects);
            return;
        }
        if (!_lanes.TryGetValue(command.Room, out var lane)) _lanes.Add(command.Room, lane = new RetryLane(command.Room));
        if (lane.Waiting)
        {
            lane.ResendFrom = Math.Min(lane.ResendFrom, command.Id);
            return;
        }
        (lane.Waiting, lane.ResendFrom) = (true, command.Id);
        SetTimer(RetryPause.After(++lane.Refusals, _frame.AfterMs), lane, effects);
    }

    private void SetTimer(TimeSpan after, object target, List<ClientEffect> effects) =>
        effects.Add(new ClientEffect.SetTimer(after, new RetryTimer(target, _connection)));

    private void Succeeded(PendingCommand command)
    {
        if (command.IsRead || !_lanes.TryGetValue(command.Room, out var lane)) return;
        lane.Refusals = 0;
        if (!lane.Waiting) _lanes.Remove(command.Room);
    }

    private void Items(List<ClientEffect> effects)
    {
        if (!_rooms.TryGetValue(_frame.Room, out var room))
        {
            if (!IsOpening(_frame.Room)) return; // The tail of a stream that was left.
            room = RoomOf(_frame.Room); // Remembers the head: what came before the join's answer is asked for after it.
        }
        Deliver(room, room.Take(_frame.TakeItems()), effects);
        FillGap(room);
        Advance(effects);
    }

    private static void Deliver(FollowedRoom room, IReadOnlyList<RoomItem> items, List<ClientEffect> effects)
    {
        if (items.Count > 0) effects.Add(new ClientEffect.Deliver(new RoomItems(room.Name, items)));
    }

    private void FillGap(FollowedRoom room)
    {
        if (!room.HasGap || room.Fill is not null || room.FillWaiting) return;
        room.Fill = new PendingCommand(CommandKind.Fill, room.Name, ClientFrames.HistoryBody(room.Name, room.Cursor, FillLimit));
        _fills.Enqueue(room.Fill);
    }

    private void Filled(PendingCommand fill, List<ClientEffect> effects)
    {
        if (!_rooms.TryGetValue(fill.Room, out var room) || room.Fill != fill) return;
        room.Fill = null;
        var ready = room.TakeHistory(_frame.TakeItems(), _frame.Head);
        if (ready is null)
        {
            room.FillWaiting = true; // The answer is older than what the stream showed.
            SetTimer(RetryPause.After(++room.FillRefusals, -1), room, effects);
            return;
        }
        room.FillRefusals = 0;
        Deliver(room, ready, effects);
        FillGap(room);
    }

    /// <summary>The server will not say what is missing: as a rule because the user is no member any more.</summary>
    private void NotFilled(PendingCommand fill, List<ClientEffect> effects)
    {
        if (_rooms.TryGetValue(fill.Room, out var room) && room.Fill == fill) EndRoom(fill.Room, _frame.Code, _frame.Message, effects);
    }

    private void EndRoom(string name, string code, string message, List<ClientEffect> effects)
    {
        if (!_rooms.Remove(name, out var room) || !room.Following) return;
        if (!_unanswered.Exists(c => c.Kind == CommandKind.Leave && c.Room == name)) // Else it is the answer's business.
            effects.Add(new ClientEffect.EndRoom(new RoomEnded(name, code, message)));
    }

    private void ForgetUnlessJoining(string name)
    {
        if (!_rooms.TryGetValue(name, out var room)) return;
        // A join sent after the leave may have run already, before a fail-over: its stream was delivered, the cursor must stay.
        if (IsOpening(name)) room.Suspend();
        else _rooms.Remove(name);
    }

    private bool IsOpening(string room) => _unanswered.Exists(c => c.OpensRoom && c.Room == room);

    private FollowedRoom RoomOf(string name)
    {
        if (!_rooms.TryGetValue(name, out var room)) _rooms.Add(name, room = new FollowedRoom(name, heldItemsMax));
        return room;
    }

    /// <summary>Moves commands into the window of unanswered ones while there is a place, and sends them.</summary>
    private void Advance(List<ClientEffect> effects)
    {
        while (_phase == Phase.Up && _unanswered.Count < Math.Min(unansweredMax, _windowLimit) && (_fills.TryDequeue(out var command) || _waiting.TryDequeue(out command)))
        {
            if (command.Abandoned) continue;
            command.Id = ++_lastId;
            _unanswered.Add(command);
            if (command.IsRead || !_lanes.TryGetValue(command.Room, out var lane) || !lane.Waiting) SendNow(command, effects);
        }
    }

    private void SendNow(PendingCommand command, List<ClientEffect> effects)
    {
        command.Sent = true;
        effects.Add(new ClientEffect.Send(ClientFrames.Command(command.Body, command.Id, command.IsRead ? 0 : PrevOf(command))));
    }

    /// <summary>The newest id before this one that is unanswered and acts on the same room; 0 if there is none.</summary>
    private long PrevOf(PendingCommand command)
    {
        for (var i = _unanswered.Count - 1; i >= 0; i--)
            if (_unanswered[i] is { IsRead: false } other && other.Id < command.Id && other.Room == command.Room) return other.Id;
        return 0;
    }

    private PendingCommand? Find(long id)
    {
        var (low, high) = (0, _unanswered.Count - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (_unanswered[middle].Id == id) return _unanswered[middle];
            if (_unanswered[middle].Id < id) low = middle + 1;
            else high = middle - 1;
        }
        return null;
    }
}
