using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>Whom an observer can reach in both directions.</summary>
/// <param name="Peer">The subject.</param>
/// <param name="Up">Heard, and heard by it.</param>
internal readonly record struct ReachEntry(Incarnation Peer, bool Up);

/// <summary>One beat from one node to one peer (protocol 2.1), with the clock that the sender measures time by; zero: not told. The row is sent whole: with at most 25 members, or those that are watched of more, it is smaller than a delta's bookkeeping.</summary>
internal sealed record Heartbeat(
    Incarnation From, long Seq, long View, NodeMode Mode, bool StoreOk, int Health, bool HearsYou, ImmutableArray<ReachEntry> Row, bool WitnessOk = false, long Placed = 0,
    TimeSpan Clock = default, bool TakesNothing = false, bool IsSick = false)
{
    /// <summary>The newest view that the sender has read or heard of.</summary>
    public long Announced { get; init; }

    /// <summary>The sender misses the store and asks for the word of all (decision 25); <see cref="Clock"/> is when.</summary>
    public bool Asks { get; init; }

    /// <summary>The receiver's clock in its newest question that the sender gives its word to, for the view that the sender has read; zero: it gives none.</summary>
    public TimeSpan Assents { get; init; }
}
