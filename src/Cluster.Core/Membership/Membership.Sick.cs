using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>Members whose thread pool hangs (protocol 2.4): they keep their place, and their shards are for others.</summary>
internal sealed partial class Membership
{
    /// <summary>This node's own pool.</summary>
    public PoolWatch Pool { get; } = new(times);

    /// <summary>Members that are up and say that they are sick, as far as this node hears them.</summary>
    public ImmutableSortedSet<Incarnation> Sick =>
        Snapshot is not { } snapshot ? [] : [.. snapshot.Members.Where(m => m.Status == MemberStatus.Up && SaysSick(m.Inc)).Select(m => m.Inc)];

    /// <summary>Members that are up and might be sick for all that this node hears of them: those that say so, and those that it does not reach.</summary>
    public ImmutableSortedSet<Incarnation> PerhapsSick =>
        Snapshot is not { } snapshot ? [] : Sick.Union(snapshot.Members.Where(m => m.Status == MemberStatus.Up && m.Inc != Self && !_detector.IsReached(m.Inc)).Select(m => m.Inc));

    private bool SaysSick(Incarnation inc) => inc == Self ? Pool.IsSick : _detector.LastBeat(inc) is { IsSick: true };
}
