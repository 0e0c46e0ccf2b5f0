using ActorCluster.Primitives;

namespace ActorCluster.Persistence;

/// <summary>What a node may do now (protocol 4.4).</summary>
public enum NodeMode
{
    /// <summary>Not a member yet: routes, owns nothing.</summary>
    Joining,

    /// <summary>Lease renewed; all is allowed.</summary>
    Serving,

    /// <summary>The last store call failed, the lease still runs: durable writes wait.</summary>
    Degraded,

    /// <summary>The lease ran out: durable writes are refused; reads are confirmed with the store or refused. Only pages of a room's history come from memory, marked as stale. Where the cluster allows it
    /// (<c>Cluster:Downing:Failsafe</c>) and all members say that none reaches the store, reads go on from memory as if the lease ran.</summary>
    Frozen,

    /// <summary>Known to be down: nothing is served.</summary>
    Fenced,
}

/// <summary>What the entities of this node may know of ownership; Sharding and Membership stand behind it.</summary>
/// <remarks>Thread-safe, cheap: asked at every turn.</remarks>
internal interface IOwnership
{
    /// <summary>This incarnation.</summary>
    Incarnation Self { get; }

    /// <summary>What the node may do at this moment; compares the lease's deadline with the clock at each call.</summary>
    NodeMode Mode { get; }

    /// <summary>That incarnation is a live member, as far as this node knows.</summary>
    bool IsLive(Incarnation inc);

    /// <summary>A read from memory needs no mark and no confirmation: the last full review is fresh, nobody is missing, no newer view was announced.</summary>
    bool MayReadUnmarked { get; }

    /// <summary>Something outside the store may be done that takes up to <paramref name="limit"/>: it ends before anybody may call this node's lease stale (protocol 4.5).</summary>
    bool MayAct(TimeSpan limit);

    /// <summary>As <see cref="MayAct"/>, while this node goes on by the word of all members although nobody reaches the store (decision 25); for types that are registered so.</summary>
    bool MayActByAssent(TimeSpan limit) => false;

    /// <summary>The store refused a write to this shard: somebody else owns it.</summary>
    void Fenced(ShardNo shard, Epoch epoch);

    /// <summary>The entity of an individually placed shard has ended.</summary>
    void EntityEnded(ShardNo shard, Epoch epoch);

    /// <summary>Something that cannot be is so: stop the node (exit 70 or 78).</summary>
    void Broken(int exitCode, string reason);
}
