using ActorCluster.ChatRooms;
using ActorCluster.Entities;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>How an operation stands with its client.</summary>
internal enum SimOpState
{
    Open,
    Acked,
    Refused,
    Unknown,
}

/// <summary>One command of a client, over all its attempts.</summary>
internal sealed class SimOp
{
    public required CommandId Id { get; init; }

    public required string Room { get; init; }

    /// <summary>A <see cref="RoomCommand"/>, or a message to a user's entity.</summary>
    public required object Command { get; init; }

    public required TimeSpan At { get; init; }

    public SimOpState State { get; set; }

    public int Attempts { get; set; }

    public long Seq { get; set; }

    public object? Reply { get; set; }

    /// <summary>It answers for a row of its own, not for one that another command made.</summary>
    public bool HasOwnRow => Command is RoomCommand.Say || (Command is not RoomCommand && Seq > 0);

    public TimeSpan AnsweredAt { get; set; }

    /// <summary>An earlier attempt may have taken effect.</summary>
    public bool WasUncertain { get; set; }
}

/// <summary>A client model: joins, says and leaves in a few rooms, repeats with the same id until it is answered, moves on to the next gateway.</summary>
internal sealed class SimClient(SimCluster cluster, int index, IEnumerable<PlannedOperation> operations)
{
    private const int OpenPerRoomMax = 3;
    public static readonly TimeSpan UsualPatience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan GiveUpAfter = TimeSpan.FromSeconds(90);

    private readonly ClientId _id = new((UInt128)(ulong)index + 1);
    private readonly List<SimOp> _open = [];
    private readonly IEnumerator<PlannedOperation> _operations = operations.GetEnumerator();
    private int _gateway = index;
    private TimeSpan _began;
    private long _next;
    private long _nextRequest;

    public List<SimOp> History { get; } = [];

    public bool IsDone { get; set; }

    public bool AllAnswered(TimeSpan invokedBefore) => _open.All(o => o.At > invokedBefore);

    public string User => $"u{_id.Value - 1}";

    public void Begin()
    {
        _began = cluster.World.Now;
        Next();
    }

    private void Next()
    {
        if (!_operations.MoveNext()) return;
        var operation = _operations.Current;
        cluster.World.After(_began + operation.At - cluster.World.Now, () =>
        {
            if (IsDone) return;
            Do(cluster.Rooms[cluster.HotRoom ?? operation.Room], operation);
            Next();
        });
    }

    private void Do(string room, PlannedOperation operation)
    {
        var sent = operation.Act == SimAct.Send ? cluster.Plan.Entity!.DrawMessage(new SeededRandom(operation.Draws, "message")) : null;
        if (operation.Act == SimAct.Read || sent is IReadRequest)
        {
            Read(room, sent);
            return;
        }
        if (_open.Count(o => o.Room == room) >= OpenPerRoomMax) return;
        var command = sent ?? operation.Act switch
        {
            SimAct.Leave => (object)new RoomCommand.Leave(User),
            SimAct.Say when History.Exists(o => o.Room == room) => new RoomCommand.Say(User, $"{User}.{_next + 1}"),
            _ => new RoomCommand.Join(User), // Whoever is not in the room joins first.
        };
        var op = new SimOp { Id = new CommandId(_id, ++_next), Room = room, Command = command, At = cluster.World.Now };
        _open.Add(op);
        History.Add(op);
        cluster.Checkers.Sending(op);
        Send(op);
    }

    private void Send(SimOp op)
    {
        if (op.State != SimOpState.Open) return;
        if (cluster.World.Now - op.At > GiveUpAfter)
        {
            End(op, SimOpState.Unknown);
            return;
        }
        var attempt = ++op.Attempts;
        var gateway = _gateway;
        var after = _open.Where(o => o.Room == op.Room && o.Id.Sequence < op.Id.Sequence).Select(o => o.Id.Sequence).DefaultIfEmpty(0).Max();
        if (Gateway(gateway) is not { } life)
        {
            Retry(op, attempt, gateway, TimeSpan.FromMilliseconds(50), uncertain: false);
            return;
        }
        var request = new RoomRequest(((long)_id.Value << 32) | ++_nextRequest, life.Inc, op.Room, cluster.Sent(op.Command), op.Id, after);
        life.After(TimeSpan.FromMilliseconds(1), () => life.Gateway.Accept(request, answer => cluster.World.After(TimeSpan.FromMilliseconds(1), () => Answered(op, attempt, gateway, answer))));
        cluster.World.After(cluster.Patience, () =>
        {
            if (op.State == SimOpState.Open && op.Attempts == attempt) Retry(op, attempt, gateway, TimeSpan.Zero, uncertain: true);
        });
    }

    private void Answered(SimOp op, int attempt, int gateway, RoomAnswer answer)
    {
        if (op.State != SimOpState.Open) return;
        switch (answer.End)
        {
            case RoomEnd.Done:
                (op.Seq, op.AnsweredAt, op.Reply) = (answer.Seq, cluster.World.Now, answer.Reply);
                End(op, SimOpState.Acked);
                cluster.Checkers.Acked(op);
                break;
            case RoomEnd.Refused:
                End(op, SimOpState.Refused);
                break;
            case RoomEnd.TooOld:
                End(op, SimOpState.Unknown);
                break;
            case RoomEnd.OutOfOrder:
                if (op.Attempts == attempt) Retry(op, attempt, null, TimeSpan.FromMilliseconds(100), uncertain: false);
                break;
            default:
                op.WasUncertain = true;
                if (op.Attempts == attempt) Retry(op, attempt, gateway, TimeSpan.FromMilliseconds(150), uncertain: true);
                break;
        }
    }

    private void Retry(SimOp op, int attempt, int? failed, TimeSpan delay, bool uncertain)
    {
        op.WasUncertain |= uncertain;
        if (failed == _gateway) _gateway = (_gateway + 1) % cluster.Nodes.Length;
        cluster.World.After(delay, () =>
        {
            if (op.Attempts == attempt) Send(op);
        });
    }

    private void End(SimOp op, SimOpState state)
    {
        op.State = state;
        _open.Remove(op);
    }

    /// <summary>Asks how far a room has come, once.</summary>
    private void Read(string room, object? message)
    {
        if (Gateway(_gateway) is not { } life) return;
        var request = new RoomRequest(((long)_id.Value << 32) | ++_nextRequest, life.Inc, room, message is null ? null : cluster.Sent(message), null, 0);
        var asked = cluster.World.Now;
        life.After(TimeSpan.FromMilliseconds(1), () => life.Gateway.Accept(request, answer => cluster.Checkers.WasRead(room, answer, asked)));
    }

    private SimLife? Gateway(int node) => cluster.Nodes[node % cluster.Nodes.Length] is { IsAlive: true, Life: { IsEnded: false } life } ? life : null;
}
