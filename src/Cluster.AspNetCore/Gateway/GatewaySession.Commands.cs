using ActorCluster.ChatRooms;
using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Presence;
using ActorCluster.Primitives;

namespace ActorCluster.AspNetCore.Gateway;

/// <summary>What a client may ask.</summary>
internal sealed partial class GatewaySession
{
    private readonly Queue<Pending> _pending = new();
    private readonly Dictionary<long, long> _refusedHere = [];
    private readonly Dictionary<string, Stays> _stays = new(StringComparer.Ordinal);
    private int _unanswered;

    private void Execute(ClientFrame.Command command)
    {
        if (Volatile.Read(ref _unanswered) >= GatewayLimits.Unanswered)
        {
            RefuseHere(command, "TooManyUnanswered", $"{GatewayLimits.Unanswered} commands are unanswered; wait for answers first.");
            return;
        }
        switch (command.Name)
        {
            case "create" or "join" or "leave" or "say" or "history" when !GatewayLimits.IsRoomName(command.Room):
                if (command.Room is null) RefuseHere(command, "BadCommand", $"{command.Name} needs a room.");
                else RefuseHere(command, "BadRoomName", $"A room's name has 1 to {GatewayLimits.RoomNameCharacters} characters and no control characters.");
                break;
            case "create" or "join" or "leave" or "say" or "history" when life.Rooms is null:
                RefuseHere(command, "BadCommand", "This server hosts no chat rooms.");
                break;
            case "presence" when life.Presence is null:
                RefuseHere(command, "BadCommand", "This server hosts no presence.");
                break;
            case "create":
                ToRoom(command, new RoomCommand.Create(user), Begin(command.Room!, isLeave: false));
                break;
            case "join":
                ToRoom(command, new RoomCommand.Join(user), Begin(command.Room!, isLeave: false));
                break;
            case "leave":
                ToRoom(command, new RoomCommand.Leave(user), Begin(command.Room!, isLeave: true));
                break;
            case "say" when command.Text is null:
                RefuseHere(command, "BadCommand", "say needs a text; the empty text is legal.");
                break;
            case "say":
                ToRoom(command, new RoomCommand.Say(user, command.Text!));
                break;
            case "history" when command.Limit is < 1 or > GatewayLimits.ListMax:
                RefuseHere(command, "BadCommand", $"history needs a limit of 1 to {GatewayLimits.ListMax}.");
                break;
            case "history" when command.After < 0:
                RefuseHere(command, "BadCommand", "history needs an after of 0 or more.");
                break;
            case "history" when life.Node.Mode is NodeMode.Degraded or NodeMode.Frozen:
                Recall(command, () => AskForHistory(command)); // Its owner may still reach the store.
                break;
            case "history":
                AskForHistory(command);
                break;
            case "presence" when command.Users.Length is < 1 or > GatewayLimits.ListMax:
                RefuseHere(command, "BadCommand", $"presence needs 1 to {GatewayLimits.ListMax} users.");
                break;
            case "presence":
                AskPresence(command);
                break;
            default:
                RefuseHere(command, "BadCommand", "Unknown cmd; there are create, join, leave, say, history and presence.");
                break;
        }
    }

    private void ToRoom(ClientFrame.Command command, RoomCommand what, Stay? stay = null)
    {
        // One that was refused here never reaches the room: whoever follows it follows what it followed.
        var after = command.Prev;
        while (after > 0 && _refusedHere.TryGetValue(after, out var earlier)) after = earlier;
        var pending = Await(command, reply => RoomReplied(command, (RoomReply)reply, stay), stay);
        life.Post(new Envelope(RoomOf(command.Room!), what, pending) { Command = new CommandId(_client, command.Id), After = after });
    }

    private void Ask(ClientFrame.Command command, RoomQuestion question, Action<object> then) =>
        life.Post(new Envelope(RoomOf(command.Room!), question, Await(command, then)));

    private void RoomReplied(ClientFrame.Command command, RoomReply reply, Stay? stay)
    {
        var room = command.Room!;
        var isRefused = reply.Refusal != RoomRefusal.None;
        var frame = isRefused
            ? ServerFrames.Error(command.Id, reply.Refusal.ToString(), Explain(reply.Refusal, room), retry: false)
            : ServerFrames.Ok(command.Id, w =>
            {
                w.WriteNumber("seq", reply.Seq);
                if (stay is { IsLeave: false }) w.WriteNumber("members", reply.Members);
            });
        if (stay is null) Answer(frame);
        else if (isRefused) Settle(room, stay, () => NotDone(room, stay, frame));
        else if (stay.IsLeave) Settle(room, stay, () => Leave(room, reply.Seq, frame));
        else Settle(room, stay, () => Join(room, reply.Seq, frame));
    }

    /// <summary>Takes the outcome of a create, join or leave. The client is told of them in the order in which it sent them, or it would forget a room that it is in.</summary>
    /// <remarks>They may be known in another: 1. a leave is sent again, and a join behind it. 2. The leave is a repeat, so its answer is read from the journal.
    /// 3. The join is answered meanwhile.</remarks>
    private void Settle(string room, Stay stay, Action outcome)
    {
        Stays? stays;
        lock (_lock)
        {
            stay.Outcome = outcome;
            stays = _stays[room];
            if (stays.IsBeingTold) return;
            stays.IsBeingTold = true;
        }
        while (true)
        {
            Stay? next;
            lock (_lock)
            {
                if (!stays.Waiting.TryPeek(out next)) _stays.Remove(room);
                if (next?.Outcome is null)
                {
                    stays.IsBeingTold = false;
                    return;
                }
            }
            next.Outcome();
            lock (_lock) stays.Waiting.Dequeue(); // Not before: until then a leave that the stream shows is known to be this connection's own.
        }
    }

    private Stay Begin(string room, bool isLeave)
    {
        var stay = new Stay(isLeave);
        lock (_lock)
        {
            if (!_stays.TryGetValue(room, out var stays)) stays = _stays[room] = new Stays();
            stays.Waiting.Enqueue(stay);
        }
        return stay;
    }

    /// <summary>How many leaves of a room this connection waits for. Under the lock.</summary>
    private int LeavesUnderWay(string room) => _stays.TryGetValue(room, out var stays) ? stays.Waiting.Count(s => s.IsLeave) : 0;

    private void Join(string room, long seq, byte[] ok)
    {
        RoomCursor? cursor;
        var after = seq;
        lock (_lock)
        {
            // Behind a leave whose end is still being streamed: answered when that is, and the stream begins again.
            if (_rooms.TryGetValue(room, out cursor) && cursor.Turns.Count > 0) cursor.Turns.Enqueue(new RoomCursor.Turn(true, seq, ok, MonotonicClock.Now));
            else if (cursor is null && _resuming.Remove(room, out var resuming)) after = Math.Max(seq, resuming.After);
            if (cursor is { Turns.Count: 0 }) cursor = null;
        }
        if (cursor is not null)
        {
            MarkDirty(cursor);
            return;
        }
        Answer(ok);
        Follow(room, after);
    }

    private void Leave(string room, long seq, byte[] ok)
    {
        // Sent again after a reconnect: what came before the leave was still the user's to see, and the room of the hello says from where on.
        long? resumedFrom = null;
        lock (_lock)
        {
            if (_resuming.Remove(room, out var resuming) && resuming.After > 0 && resuming.After < seq && !_rooms.ContainsKey(room)) resumedFrom = resuming.After;
        }
        if (resumedFrom is { } after) Follow(room, after);
        RoomCursor? cursor;
        lock (_lock)
        {
            if (_rooms.TryGetValue(room, out cursor)) cursor.Turns.Enqueue(new RoomCursor.Turn(false, seq, ok, MonotonicClock.Now));
        }
        if (cursor is null) Answer(ok);
        else MarkDirty(cursor);
    }

    /// <summary>A create, join or leave took no effect, or an unknown one. If the stream stands at the user's leave already, nothing else will end it.</summary>
    private void NotDone(string room, Stay stay, byte[] error)
    {
        Answer(error);
        if (!stay.IsLeave) return;
        RoomCursor? cursor;
        lock (_lock)
        {
            if (!_rooms.TryGetValue(room, out cursor) || !cursor.HasLeft || cursor.Turns.Count > 0 || LeavesUnderWay(room) > 1) return;
        }
        LeftElsewhere(cursor);
    }

    private void AskPresence(ClientFrame.Command command)
    {
        var buckets = command.Users.Distinct(StringComparer.Ordinal).GroupBy(PresenceEntity.BucketOf).ToList();
        var gathered = new SortedSet<string>(StringComparer.Ordinal);
        var left = buckets.Count;
        var pending = Await(command, _ => Answer(ServerFrames.Ok(command.Id, w =>
        {
            w.WriteStartArray("online");
            foreach (var one in gathered) w.WriteStringValue(one);
            w.WriteEndArray();
        })));
        foreach (var bucket in buckets)
        {
            life.Post(new Envelope(bucket.Key, new PresenceQuestion([.. bucket]), new PartSink(pending, reply =>
            {
                lock (gathered)
                {
                    gathered.UnionWith(((PresenceAnswer)reply).Online);
                    return --left == 0;
                }
            })));
        }
    }

    private Pending Await(ClientFrame.Command command, Action<object> replied, Stay? stay = null)
    {
        Interlocked.Increment(ref _unanswered);
        var pending = new Pending(this, command, replied, stay, MonotonicClock.Now + (command.Name == "history" && HistoryPatience < gateway.AskTimeout ? HistoryPatience : gateway.AskTimeout));
        lock (_pending) _pending.Enqueue(pending);
        return pending;
    }

    private void ExpireCommands(TimeSpan now)
    {
        while (true)
        {
            Pending late;
            lock (_pending)
            {
                if (!_pending.TryPeek(out late!) || (!late.IsAnswered && late.Until > now)) return;
                _pending.Dequeue();
            }
            late.TimeOut();
        }
    }

    private void AbandonCommands()
    {
        lock (_pending)
        {
            foreach (var pending in _pending) pending.Abandon();
            _pending.Clear();
        }
    }

    private void RefuseHere(ClientFrame.Command command, string code, string message)
    {
        if (_refusedHere.Count >= 2 * GatewayLimits.Unanswered) _refusedHere.Clear(); // The room then says OutOfOrder once, and the client names another prev.
        _refusedHere[command.Id] = command.Prev;
        Answer(ServerFrames.Error(command.Id, code, message, retry: false));
    }

    private void Failed(ClientFrame.Command command, Stay? stay, EntityFailure failure)
    {
        var code = failure.Kind switch
        {
            FailureKind.MailboxFull or FailureKind.Busy => "Busy",
            FailureKind.EntityUnavailable => "Unavailable",
            FailureKind.StoreUnavailable => "StoreUnavailable",
            FailureKind.AskTimeout => "Timeout",
            FailureKind.OutOfOrder => "OutOfOrder",
            FailureKind.TooOld => "TooOld",
            FailureKind.EntityFaulted => "Faulted",
            _ => "BadCommand",
        };
        // While the store is away clients come back within a second of its return, not all at the same moment.
        int? after = failure.IsRetryable && life.Node.Mode is NodeMode.Frozen ? Random.Shared.Next(500, 1_000) : null;
        var error = ServerFrames.Error(command.Id, code, failure.Message, failure.IsRetryable, after);
        if (stay is not null) Settle(command.Room!, stay, () => NotDone(command.Room!, stay, error));
        else if (command.Name == "history" && failure.Kind is FailureKind.StoreUnavailable or FailureKind.AskTimeout) Recall(command, () => Answer(error));
        else Answer(error);
    }

    private static EntityId RoomOf(string room) => new(RoomEntity.TypeName, room);

    private static string Explain(RoomRefusal refusal, string room) => refusal switch
    {
        RoomRefusal.NotInRoom => $"You are not in room {room}; join it first.",
        RoomRefusal.RoomExists => $"Room {room} exists; join it.",
        RoomRefusal.TextTooLong => $"A message has at most {ChatRoom.TextCharactersMax} characters; split it.",
        RoomRefusal.RoomFull => $"Room {room} has {ChatRoom.MembersMax} members, the most a room may have.",
        _ => refusal.ToString(),
    };

    /// <summary>One command under way: answered once, by the room, by a failure or by the clock.</summary>
    private sealed class Pending(GatewaySession session, ClientFrame.Command command, Action<object> replied, Stay? stay, TimeSpan until) : IReplySink, IAbandonable
    {
        private Waiter? _waiter = new(command, replied, stay);

        public TimeSpan Until { get; } = until;

        public bool IsAnswered => Volatile.Read(ref _waiter) is null;

        public bool IsAbandoned => IsAnswered;

        public void Reply(object reply)
        {
            if (Interlocked.Exchange(ref _waiter, null) is not { } waiter) return;
            if (waiter.Command.Name != "history") Interlocked.Decrement(ref session._unanswered); // Its page is still to be read, and it counts until then.
            waiter.Replied(reply);
        }

        public void Fail(EntityFailure failure)
        {
            if (End() is { } waiter) session.Failed(waiter.Command, waiter.Stay, failure);
        }

        public void TimeOut()
        {
            if (Volatile.Read(ref _waiter) is { } waiter) Fail(EntityFailure.TimedOut(waiter.Command.Room ?? "presence", session.AskTimeout));
        }

        public void Abandon() => End();

        /// <summary>Lets go of the command, which may wait in the queue behind one that is not answered yet.</summary>
        private Waiter? End()
        {
            var waiter = Interlocked.Exchange(ref _waiter, null);
            if (waiter is not null) Interlocked.Decrement(ref session._unanswered);
            return waiter;
        }

        private sealed record Waiter(ClientFrame.Command Command, Action<object> Replied, Stay? Stay);
    }

    /// <summary>One of several answers that make one; the whole fails with its first failure.</summary>
    private sealed class PartSink(Pending whole, Func<object, bool> isLast) : IReplySink, IAbandonable
    {
        public bool IsAbandoned => whole.IsAbandoned;

        public void Reply(object reply)
        {
            if (isLast(reply)) whole.Reply(reply);
        }

        public void Fail(EntityFailure failure) => whole.Fail(failure);
    }

    /// <summary>The creates, joins and leaves of one room that the client has not been told of yet, in the order in which they came. Under the session's lock.</summary>
    private sealed class Stays
    {
        public Queue<Stay> Waiting { get; } = [];

        /// <summary>A thread is telling outcomes; it goes on to those that come meanwhile.</summary>
        public bool IsBeingTold { get; set; }
    }

    private sealed class Stay(bool isLeave)
    {
        public bool IsLeave => isLeave;

        /// <summary>What is to be done when its turn comes; null while that is not known.</summary>
        public Action? Outcome { get; set; }
    }

    private TimeSpan AskTimeout => gateway.AskTimeout;
}
