using System.Collections.Immutable;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sharding;

/// <summary>Where a shard is served, as far as somebody knows; the default owner says that its entity has ended.</summary>
internal readonly record struct ShardRoute(ShardNo Shard, Epoch Epoch, Incarnation Owner);

/// <summary>What ownership wants done on this node.</summary>
internal static class ShardEffect
{
    /// <summary>Open these shards: their entities may be activated.</summary>
    public sealed record Start(ImmutableArray<AcquiredShard> Shards) : NodeEffect;

    /// <summary>Close intake, let running turns end, flush the journal, then report the shard as drained (H1 to H3).</summary>
    public sealed record Drain(ImmutableArray<(ShardNo Shard, Epoch Epoch)> Shards) : NodeEffect;

    /// <summary>Open intake again: the hand-off was reverted.</summary>
    public sealed record Reopen(ImmutableArray<(ShardNo Shard, Epoch Epoch)> Shards) : NodeEffect;

    /// <summary>The shard is not ours any more: drop its entities, what was not committed is unknown.</summary>
    public sealed record Stop(ImmutableArray<(ShardNo Shard, Epoch Epoch)> Shards) : NodeEffect;

    /// <summary>Routes that this node learned; the higher epoch wins.</summary>
    public sealed record Routes(ImmutableArray<ShardRoute> Known) : NodeEffect;

    /// <summary>Rows of individually placed entities that were looked up, or made: their numbers, and where they are served. One that has ended is refused from now on.</summary>
    public sealed record Found(ImmutableArray<ShardRow> Rows) : NodeEffect;

    /// <summary>Ask a member that reaches the store to release these shards: nothing of them runs here, and nothing will.</summary>
    public sealed record AskRelease(Incarnation To, ImmutableArray<ShardRoute> Shards) : NodeEffect;

    /// <summary>Tell every peer where these shards are served now (H7).</summary>
    public sealed record Announce(ImmutableArray<ShardRoute> Moved) : NodeEffect;
}
