using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>A message that a test has sent into a <see cref="SimulatedCluster"/>, and what has become of it so far.</summary>
/// <remarks>Not thread-safe. It changes only while the cluster's time passes. It is sent once, at one node: what fails is repeated by whoever wants it, with its <see cref="Command"/>.</remarks>
public sealed class SimulatedAsk
{
    private readonly SimLife? _at;
    private RoomAnswer? _answer;

    internal SimulatedAsk(SimLife? at, string entity, object message, CommandId? command) => (_at, Entity, Message, Command) = (at, entity, message, command);

    /// <summary>Key of the entity, <c>type/id</c>.</summary>
    public string Entity { get; }

    /// <summary>What was sent.</summary>
    public object Message { get; }

    /// <summary>The id that it was sent under: sent again under the same one it takes effect once; null for a read.</summary>
    public CommandId? Command { get; }

    /// <summary>It was answered, or failed.</summary>
    public bool IsDone => IsAnswered || Failure is not null;

    /// <summary>The entity has answered; a command's effect is on stable storage.</summary>
    public bool IsAnswered => _answer is { End: RoomEnd.Done or RoomEnd.Refused };

    /// <summary>The answer; null while there is none, or where the entity gave none.</summary>
    public object? Reply => IsAnswered ? _answer!.Reply : null;

    /// <summary>Sequence of its event; 0 where it had none, or there is no answer. Of a read the sequence that it saw.</summary>
    public long Seq => IsAnswered ? _answer!.Seq : 0;

    /// <summary>Why there will be no answer, and whether it may have taken effect; null while it is open or when it was answered.</summary>
    public string? Failure => _answer?.End switch
    {
        RoomEnd.Done or RoomEnd.Refused => null,
        RoomEnd.OutOfOrder => "an earlier command of the client is missing; it took no effect",
        RoomEnd.TooOld => "its command id is older than what is remembered, or was overtaken; it takes no effect any more",
        RoomEnd.StoreUnavailable => "the owner cannot write now; it may have taken effect",
        RoomEnd.Unavailable => "the owner, or the way to it, is gone; it may have taken effect",
        _ => _at is null ? "the node that was asked has no life; it took no effect" : _at.IsEnded ? "the node that was asked is gone; it may have taken effect" : null,
    };

    /// <summary>Message, answer or failure.</summary>
    public override string ToString() => $"{Message} to {Entity}: {(IsAnswered ? $"{Reply} at {Seq}" : Failure ?? "open")}";

    internal void Answered(RoomAnswer answer) => _answer ??= answer;
}
