using System.Collections.Immutable;
using ActorCluster.Primitives;

namespace ActorCluster.Persistence;

/// <summary>The one row that every view change locks.</summary>
/// <param name="Uuid">The cluster's identity, given when its store was created.</param>
/// <param name="StoreGeneration">Raised by an operator's recovery only.</param>
/// <param name="View">Number of the committed member list, 0 before the first join, +1 per change.</param>
/// <param name="HashVersion">Version of <see cref="StableHash"/>.</param>
/// <param name="ConfigDigest">Digest of the shared settings, by which earlier releases tell whether theirs differ.</param>
/// <param name="Forgotten">The highest incarnation whose row was pruned: one that is not above it and has no row is out for good.</param>
/// <param name="SettingsVersion">Version of the shared settings, raised by each change of them; 0 where an earlier release left only the digest.</param>
public sealed record ClusterRow(
    Guid Uuid, long StoreGeneration, long View, int HashVersion, string ConfigDigest, Incarnation Forgotten = default, long SettingsVersion = 0);

/// <summary>Where a member is in its life. Unreachable, frozen and sick are local observations, never table states.</summary>
public enum MemberStatus
{
    /// <summary>Known, but owns nothing, does not vote and cannot evict.</summary>
    Joining,

    /// <summary>A full member.</summary>
    Up,

    /// <summary>Handing its shards off before it stops.</summary>
    Leaving,

    /// <summary>Out, finally, for this incarnation.</summary>
    Down,
}

/// <summary>Which file a node holds locked while it lives, so that a prober on the same host knows the right one.</summary>
/// <param name="Path">Full path on that host.</param>
/// <param name="BootId">The host's boot, so that another host's like-named file proves nothing.</param>
/// <param name="Device">Device number of the file system.</param>
/// <param name="Inode">Inode of the file.</param>
/// <param name="Nonce">Random text inside the file.</param>
public sealed record NodeLockProof(string Path, string BootId, long Device, long Inode, string Nonce);

/// <summary>One incarnation as the cluster knows it.</summary>
public sealed record MemberRow
{
    /// <summary>Unique growing number of this process start.</summary>
    public required Incarnation Inc { get; init; }

    /// <summary>Node name; unique among live members.</summary>
    public required string Name { get; init; }

    /// <summary>Name of the machine, for people.</summary>
    public required string Host { get; init; }

    /// <summary><c>host:port</c> that other nodes dial; unique among live members.</summary>
    public required string LinkAddress { get; init; }

    /// <summary>URL that clients are told, for example <c>http://camserver1:8080</c>.</summary>
    public required string ClientUrl { get; init; }

    /// <summary>Roles, sorted.</summary>
    public ImmutableArray<string> Roles { get; init; } = [];

    /// <summary>Zone, empty when none.</summary>
    public string Zone { get; init; } = "";

    /// <summary>Capacity relative to other members, above 0.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>Oldest link protocol this node speaks.</summary>
    public int ProtoMin { get; init; } = 1;

    /// <summary>Newest link protocol this node speaks.</summary>
    public int ProtoMax { get; init; } = 1;

    /// <summary>Behind the name of an exclusive type among <see cref="Types"/>: evidence of a crash is enough for this member to take over a shard of it (protocol 4.5). No name has a plus.</summary>
    public const string OnCrashEvidence = "+crash";

    /// <summary>Why a member is down of whose crash there was evidence (protocol 2.5). Takeovers rest on it.</summary>
    public const string CrashedReason = "crashed";

    /// <summary>The entity types whose shards it can serve, sorted, each that it takes over on the evidence of a crash once more with <see cref="OnCrashEvidence"/> behind it; null when it did not
    /// say, then it counts as able to serve all.</summary>
    public ImmutableArray<string>? Types { get; init; }

    /// <summary>Where it is in its life.</summary>
    public MemberStatus Status { get; init; } = MemberStatus.Joining;

    /// <summary>The view in which it became up, 0 before; smaller is older.</summary>
    public long UpView { get; init; }

    /// <summary>Raised by each renewal of its lease.</summary>
    public long LeaseSeq { get; init; }

    /// <summary>Its lock file, if its platform has one.</summary>
    public NodeLockProof? LockFile { get; init; }

    /// <summary>Somebody held its lock file after its process had ended.</summary>
    public bool DeadProof { get; init; }

    /// <summary>The view in which it went down, 0 while it lives.</summary>
    public long DownView { get; init; }

    /// <summary>Why it went down, for people; empty while it lives.</summary>
    public string DownReason { get; init; } = "";

    /// <summary>Who committed that.</summary>
    public Incarnation DownBy { get; init; }

    /// <summary>Not down.</summary>
    public bool IsLive => Status != MemberStatus.Down;

    /// <summary>Counts in the split-brain decision: up or leaving.</summary>
    public bool IsVoter => Status is MemberStatus.Up or MemberStatus.Leaving;

    /// <summary>It can serve shards of that entity type.</summary>
    public bool Hosts(string type) => Types is not { } types || types.Contains(type, StringComparer.Ordinal);

    /// <summary>It takes a shard of that exclusive type over on the evidence that its former owner has crashed.</summary>
    public bool TakesOverOnCrashEvidence(string type) => Types is { } types && types.Contains(type + OnCrashEvidence, StringComparer.Ordinal);

    /// <summary>It is down, and there was evidence of its crash when it was evicted.</summary>
    public bool HasCrashed => Status == MemberStatus.Down && DownReason == CrashedReason;

    /// <inheritdoc />
    public override string ToString() => $"{Name}{Inc} {Status}";
}

/// <summary>The cluster row and the members as one read saw them.</summary>
/// <param name="Cluster">The cluster row.</param>
/// <param name="Members">All live members, and those that are down and not pruned yet, by incarnation.</param>
public sealed record ClusterSnapshot(ClusterRow Cluster, ImmutableArray<MemberRow> Members)
{
    /// <summary>Finds a member; null when the snapshot does not know it.</summary>
    public MemberRow? Find(Incarnation inc)
    {
        foreach (var member in Members)
            if (member.Inc == inc) return member;
        return null;
    }
}

/// <summary>Where a shard is in its life.</summary>
public enum ShardState
{
    /// <summary>No owner; its target may acquire it.</summary>
    Free,

    /// <summary>Served by its owner.</summary>
    Owned,

    /// <summary>Served by its owner, which is asked to hand it to the target.</summary>
    Handoff,

    /// <summary>A dynamic shard whose entity has ended; kept so that its epoch cannot restart.</summary>
    Ended,
}

/// <summary>Who owns a shard, and under which epoch.</summary>
/// <param name="No">The row's key.</param>
/// <param name="Type">Entity type.</param>
/// <param name="Key">Number of a hashed shard in decimal, or the id of a dynamic one.</param>
/// <param name="Epoch">Raised at each acquire.</param>
/// <param name="Owner">The owner, null when free.</param>
/// <param name="Target">Who should acquire it next, null when nobody is chosen.</param>
/// <param name="Previous">Owner at a revoke, until it is known to have stopped.</param>
/// <param name="State">Where it is in its life.</param>
/// <param name="NextSeq">Sequence of the next journal row, 1 at first.</param>
public sealed record ShardRow(
    ShardNo No, string Type, string Key, Epoch Epoch, Incarnation? Owner, Incarnation? Target, Incarnation? Previous, ShardState State, long NextSeq);

/// <summary>What an acquire won.</summary>
public sealed record AcquiredShard(ShardNo No, string Type, string Key, Epoch Epoch, long NextSeq);
