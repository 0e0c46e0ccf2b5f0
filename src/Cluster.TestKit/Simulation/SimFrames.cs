using System.Collections.Immutable;
using ActorCluster.ChatRooms;
using ActorCluster.Links;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sharding;

namespace ActorCluster.TestKit.Simulation;

/// <summary>What simulated nodes send each other.</summary>
internal abstract record SimFrame
{
    public sealed record Beat(Heartbeat What, LinkChannel Channel, TimeSpan SentAt) : SimFrame;

    /// <summary>The receiver is down.</summary>
    public sealed record Down : SimFrame;

    /// <summary>The sender has stopped these shards and does not reach the store.</summary>
    public sealed record AskRelease(ImmutableArray<ShardRoute> Shards) : SimFrame;

    /// <summary>The sender has lost the other channel, and perhaps what it sent there.</summary>
    public sealed record SentMayBeLost : SimFrame;

    /// <summary>A frame for a node that its origin has no link to.</summary>
    public sealed record Relayed(Incarnation Origin, Incarnation Destination, SimFrame What) : SimFrame;

    public sealed record Hint : SimFrame;

    public sealed record Announce(ImmutableArray<ShardRoute> Moved) : SimFrame;

    /// <summary>A numbered message to a shard; null for a number whose message was given up.</summary>
    public sealed record Deliver(ShardNo Shard, Epoch Epoch, long Number, RoomRequest? Request) : SimFrame;

    public sealed record Taken(ShardNo Shard, Epoch Epoch, long UpTo) : SimFrame;

    public sealed record Refused(ShardNo Shard, Epoch Epoch, long From, Epoch Known) : SimFrame;

    public sealed record Answer(long Request, RoomAnswer What) : SimFrame;

    public sealed record Subscribe(string Room, ShardNo Shard, Epoch Epoch, long LastSeq) : SimFrame;

    /// <summary>Rows of a room, or just how far it has come where memory does not reach back.</summary>
    public sealed record FanOut(string Room, ShardNo Shard, Epoch Epoch, ImmutableArray<JournalRow> Rows, long Head) : SimFrame;
}

/// <summary>A command, or a read when there is none, on its way to a room.</summary>
/// <param name="Id">Number of this attempt, unique in the run.</param>
/// <param name="Gateway">Who awaits the answer.</param>
/// <param name="Room">The room's store key.</param>
/// <param name="Command">A <see cref="RoomCommand"/>, null for a read; or what a user's entity takes, also for a read.</param>
/// <param name="CommandId">Null for a read.</param>
/// <param name="After">The client's newest unanswered earlier command to this room, 0 when none.</param>
internal sealed record RoomRequest(long Id, Incarnation Gateway, string Room, object? Command, CommandId? CommandId, long After);

/// <summary>How a request ended.</summary>
internal enum RoomEnd
{
    /// <summary>It took effect, or had before.</summary>
    Done,

    /// <summary>The room refused; it took no effect.</summary>
    Refused,

    /// <summary>An earlier command of the client is missing: send that first.</summary>
    OutOfOrder,

    /// <summary>The id is older than the window.</summary>
    TooOld,

    /// <summary>The owner cannot write now; it may have taken effect.</summary>
    StoreUnavailable,

    /// <summary>The owner or the way to it is gone; it may have taken effect.</summary>
    Unavailable,
}

/// <param name="End">How.</param>
/// <param name="Seq">Sequence of the effect, or what a read saw.</param>
/// <param name="Marked">A read that may be stale.</param>
/// <param name="At">Virtual time at which the owner answered.</param>
/// <param name="Confirmed">The store confirmed the owner after the read had arrived.</param>
/// <param name="Reply">What the entity says.</param>
internal sealed record RoomAnswer(RoomEnd End, long Seq, bool Marked, TimeSpan At, bool Confirmed = false, object? Reply = null);
