using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>A node of a <see cref="SimulatedCluster"/> as it is and what it believes, through kills and restarts.</summary>
/// <remarks>Not thread-safe. What it tells is of the moment: it changes only while the cluster's time passes, or by a fault.</remarks>
public sealed class SimulatedNode
{
    internal SimulatedNode(SimNode node) => Node = node;

    /// <summary>Its name: <c>n0</c>, <c>n1</c> and so on.</summary>
    public string Name => Node.Name;

    /// <summary>Its place, from 0.</summary>
    public int Index => Node.Index;

    /// <summary>Its process runs, or stands still; a node that was evicted runs, and joins anew by itself.</summary>
    public bool IsRunning => Node.IsAlive;

    /// <summary>It is paused.</summary>
    public bool IsPaused => Node.IsPaused;

    /// <summary>What it may do, by its own knowledge; <see cref="NodeMode.Fenced"/> while it has no life. A paused node says what it will find when it goes on.</summary>
    public NodeMode Mode => Node.Life?.Mode ?? NodeMode.Fenced;

    /// <summary>Its incarnation; null while it has no life.</summary>
    public Incarnation? Incarnation => Node.Life?.Inc;

    /// <summary>Number of the newest membership view that it has; 0 before the first.</summary>
    public long View => Node.Life?.Core.Membership.View ?? 0;

    /// <summary>Names of the members of that view that are not down, joining ones too, by name.</summary>
    public ImmutableArray<string> Members => Snapshot is { } seen ? [.. seen.Members.Where(m => m.IsLive).Select(m => m.Name).Order(StringComparer.Ordinal)] : [];

    /// <summary>It is an up member by its own view.</summary>
    public bool IsUp => Node.Life?.Core.Membership.SelfRow.Status == MemberStatus.Up;

    /// <summary>Names of the members that it cannot reach by its own judgement, by name.</summary>
    public ImmutableArray<string> Unreachable => Node.Life is { } life ? [.. life.Core.Membership.Missing.Select(inc => Snapshot?.Find(inc)?.Name ?? inc.ToString()).Order(StringComparer.Ordinal)] : [];

    /// <summary>The shards that it serves, by its own knowledge, with the epoch of each; ordered by number.</summary>
    public ImmutableArray<(ShardNo Shard, Epoch Epoch)> Shards => Node.Life is { } life ? [.. life.Rooms.Held.Where(h => life.Rooms.Open.Contains(h.Shard))] : [];

    /// <summary>Its name.</summary>
    public override string ToString() => Name;

    internal SimNode Node { get; }

    private Persistence.ClusterSnapshot? Snapshot => Node.Life?.Core.Membership.Snapshot;

    internal string Describe()
    {
        if (Node.Life is null) return $"{Name}: {(IsRunning ? "has no life, asks for one" : "not running")}";
        var text = string.Create(CultureInfo.InvariantCulture, $"{Name}{Incarnation}: {Mode}{(IsPaused ? ", paused" : "")}{(IsUp ? "" : ", not up")}, view {View}; sees {string.Join(", ", Members)}");
        if (!Unreachable.IsEmpty) text += $"; misses {string.Join(", ", Unreachable)}";
        if (Node.Life.Core.Membership.JoinBlockedBy is { Length: > 0 } waits && !IsUp) text += $"; joining waits: {string.Join(", ", waits)}";
        return text + (Shards.IsEmpty ? "; serves nothing" : $"; serves {string.Join(", ", Shards.Select(s => $"{s.Shard} at epoch {s.Epoch}"))}");
    }
}
