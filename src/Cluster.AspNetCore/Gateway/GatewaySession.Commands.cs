using ActorCluster.ChatRooms;
using ActorCluster.Entities;
using ActorCluster.Presence;
using ActorCluster.Primitives;
using ActorCluster.Sharding;

namespace ActorCluster.AspNetCore.Gateway;

/// <summary>What a client may ask.</summary>
internal sealed partial class GatewaySession
{
    private readonly Queue<Pending> _pending = new();
    private readonly Dictionary<long, long> _refusedHere = [];
    private readonly Dictionary<string, int> _leaving = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<Action>> _joinsAfterLeave = new(StringComparer.Ordinal);
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
            case "create":
                ToRoom(command, new RoomCommand.Create(user));
                break;
            case "join":
                ToRoom(command, new RoomCommand.Join(user));
                break;
            case "leave":
                lock (_lock) _leaving[command.Room!] = _leaving.GetValueOrDefault(command.Room!) + 1;
                ToRoom(command, new RoomCommand.Leave(user));
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
            case "history":
                Ask(command, new RoomQuestion(user, null), answer => _ = HistoryAsync(command, (RoomAnswer)answer));
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

    private void ToRoom(ClientFrame.Command command, RoomCommand what)
    {
        // One that was refused here never reaches the room: whoever follows it follows what it followed.
        var after = command.Prev;
        while (after > 0 && _refusedHere.TryGetValue(after, out var earlier)) after = earlier;
        var pending = Await(command, reply => RoomReplied(command, (RoomReply)reply));
        life.Post(new Envelope(RoomOf(command.Room!), what, pending) { Command = new CommandId(_client, command.Id), After = after });
    }

    private void Ask(ClientFrame.Command command, RoomQuestion question, Action<object> then) =>
        life.Post(new Envelope(RoomOf(command.Room!), question, Await(command, then)));

    private void RoomReplied(ClientFrame.Command command, RoomReply reply)
    {
        var (id, room) = (command.Id, command.Room!);
        if (reply.Refusal != RoomRefusal.None)
        {
            Forget(command);
            Answer(ServerFrames.Error(id, reply.Refusal.ToString(), Explain(reply.Refusal, room), retry: false));
            return;
        }
        switch (command.Name)
        {
            case "create" or "join" when WaitsForLeave(room, () => RoomReplied(command, reply)):
                break;
            case "create" or "join":
                Answer(ServerFrames.Ok(id, w =>
                {
                    w.WriteNumber("seq", reply.Seq);
                    w.WriteNumber("members", reply.Members);
                }));
                bool full;
                lock (_lock) full = _rooms.Count >= GatewayLimits.RoomsPerSession;
                if (full) Answer(ServerFrames.Left(room, "TooManyRooms", $"One connection follows at most {GatewayLimits.RoomsPerSession} rooms."));
                else Follow(room, reply.Seq);
                break;
            case "leave":
                Leave(room, reply.Seq, ServerFrames.Ok(id, w => w.WriteNumber("seq", reply.Seq)));
                break;
            default:
                Answer(ServerFrames.Ok(id, w => w.WriteNumber("seq", reply.Seq)));
                break;
        }
    }

    private void Leave(string room, long seq, byte[] ok)
    {
        RoomCursor? cursor;
        lock (_lock)
        {
            LeaveAnswered(room);
            if (_rooms.TryGetValue(room, out cursor)) cursor.Leaves.Add((seq, ok, MonotonicClock.Now));
        }
        if (cursor is not null)
        {
            MarkDirty(cursor);
            return;
        }
        Answer(ok);
        JoinAgain(room);
    }

    /// <summary>The client must hear that it left before it hears that it joined again, or it would forget the room that it is in.</summary>
    private bool WaitsForLeave(string room, Action join)
    {
        lock (_lock)
        {
            if (!_leaving.ContainsKey(room) && !(_rooms.TryGetValue(room, out var cursor) && cursor.Leaves.Count > 0)) return false;
            if (!_joinsAfterLeave.TryGetValue(room, out var joins)) joins = _joinsAfterLeave[room] = [];
            joins.Add(join);
            return true;
        }
    }

    private void JoinAgain(string room)
    {
        List<Action>? joins;
        lock (_lock)
        {
            if (_leaving.ContainsKey(room) || !_joinsAfterLeave.Remove(room, out joins)) return;
        }
        foreach (var join in joins) join();
    }

    private void LeaveAnswered(string room)
    {
        var left = _leaving.GetValueOrDefault(room) - 1;
        if (left > 0) _leaving[room] = left;
        else _leaving.Remove(room);
    }

    private void Forget(ClientFrame.Command command)
    {
        if (command.Name != "leave") return;
        lock (_lock) LeaveAnswered(command.Room!);
        JoinAgain(command.Room!);
    }

    private async Task HistoryAsync(ClientFrame.Command command, RoomAnswer room)
    {
        if (room.JoinedSeq == 0)
        {
            Answer(ServerFrames.Error(command.Id, "NotInRoom", Explain(RoomRefusal.NotInRoom, command.Room!), retry: false));
            return;
        }
        if (await life.Rooms!.ReadAsync(command.Room!, command.After, (int)command.Limit).ConfigureAwait(false) is not { } items)
        {
            Answer(ServerFrames.Error(command.Id, "StoreUnavailable", "The store is out of reach; ask again.", retry: true));
            return;
        }
        Answer(ServerFrames.Ok(command.Id, w =>
        {
            w.WriteStartArray("items");
            var bytes = 0;
            foreach (var item in items)
            {
                var json = ServerFrames.Item(item);
                if (bytes > 0 && bytes + json.Length > FrameBytesSoft) break;
                bytes += json.Length;
                w.WriteRawValue(json, skipInputValidation: true);
            }
            w.WriteEndArray();
            w.WriteNumber("head", Math.Max(room.Head, items.Count > 0 ? items[^1].Seq : 0));
        }));
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

    /// <summary>A room of the hello: streamed from the cursor if the user is still a member, else the client is told.</summary>
    private void Resume(string room, long after)
    {
        life.Post(new Envelope(RoomOf(room), new RoomQuestion(user, null), new PartSink(
            new RetrySink(() => _ = ResumeLaterAsync(room, after)),
            reply =>
            {
                var answer = (RoomAnswer)reply;
                if (answer.JoinedSeq == 0) Answer(ServerFrames.Left(room, "NotInRoom", Explain(RoomRefusal.NotInRoom, room)));
                else Follow(room, after == 0 ? answer.JoinedSeq : after);
                return false;
            })));
    }

    private async Task ResumeLaterAsync(string room, long after)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(200)).ConfigureAwait(false);
        if (!_closing) Resume(room, after);
    }

    private Pending Await(ClientFrame.Command command, Action<object> replied)
    {
        Interlocked.Increment(ref _unanswered);
        var pending = new Pending(this, command, replied, MonotonicClock.Now + gateway.AskTimeout);
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

    private void Failed(ClientFrame.Command command, EntityFailure failure)
    {
        Forget(command);
        var code = failure.Kind switch
        {
            FailureKind.MailboxFull or FailureKind.Busy => "Busy",
            FailureKind.EntityUnavailable => "Unavailable",
            FailureKind.StoreUnavailable => "StoreUnavailable",
            FailureKind.AskTimeout => "Timeout",
            FailureKind.OutOfOrder => "OutOfOrder",
            FailureKind.TooOld => "TooOld",
            _ => "BadCommand",
        };
        Answer(ServerFrames.Error(command.Id, code, failure.Message, failure.IsRetryable));
    }

    private static EntityId RoomOf(string room) => new(RoomEntity.TypeName, room);

    private static string Explain(RoomRefusal refusal, string room) => refusal switch
    {
        RoomRefusal.NotInRoom => $"You are not in room {room}; join it first.",
        RoomRefusal.NoSuchRoom => $"There is no room {room}; create or join it first.",
        RoomRefusal.RoomExists => $"Room {room} exists; join it.",
        RoomRefusal.TextTooLong => $"A message has at most {ChatRoom.TextCharactersMax} characters; split it.",
        RoomRefusal.RoomFull => $"Room {room} has {ChatRoom.MembersMax} members, the most a room may have.",
        _ => refusal.ToString(),
    };

    /// <summary>One command under way: answered once, by the room, by a failure or by the clock.</summary>
    private sealed class Pending(GatewaySession session, ClientFrame.Command command, Action<object> replied, TimeSpan until) : IReplySink, IAbandonable
    {
        private int _answered;

        public TimeSpan Until => until;

        public bool IsAnswered => Volatile.Read(ref _answered) != 0;

        public bool IsAbandoned => IsAnswered;

        public void Reply(object reply)
        {
            if (End()) replied(reply);
        }

        public void Fail(EntityFailure failure)
        {
            if (End()) session.Failed(command, failure);
        }

        public void TimeOut() => Fail(EntityFailure.TimedOut(command.Room ?? "presence", session.AskTimeout));

        public void Abandon() => End();

        private bool End()
        {
            if (Interlocked.Exchange(ref _answered, 1) != 0) return false;
            Interlocked.Decrement(ref session._unanswered);
            return true;
        }
    }

    /// <summary>One of several answers that make one; the whole fails with its first failure.</summary>
    private sealed class PartSink(IReplySink whole, Func<object, bool> isLast) : IReplySink
    {
        public void Reply(object reply)
        {
            if (isLast(reply)) whole.Reply(reply);
        }

        public void Fail(EntityFailure failure) => whole.Fail(failure);
    }

    private sealed class RetrySink(Action again) : IReplySink
    {
        public void Reply(object reply) { }

        public void Fail(EntityFailure failure) => again();
    }

    private TimeSpan AskTimeout => gateway.AskTimeout;
}
