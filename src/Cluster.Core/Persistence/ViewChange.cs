using System.Collections.Immutable;
using ActorCluster.Primitives;

namespace ActorCluster.Persistence;

/// <summary>One step of the member list: committed as a whole, based on one view, or not at all (protocol, section 1).</summary>
public sealed record ViewChange
{
    /// <summary>Finds the change again when its reply was lost.</summary>
    public required Guid OpId { get; init; }

    /// <summary>Who commits it.</summary>
    public required Incarnation By { get; init; }

    /// <summary>The view it was decided on; any other view at commit time is a <see cref="StoreVerdict.Conflict"/>.</summary>
    public required long BasedOn { get; init; }

    /// <summary>Member rows written, in this order.</summary>
    public ImmutableArray<MemberChange> Members { get; init; } = [];

    /// <summary>Members that stay, but whose shards are revoked (their lease is stale; protocol 4.3). Each carries the lease that was seen.</summary>
    public ImmutableArray<LeaseSeen> Releases { get; init; } = [];

    /// <summary>New targets of the shards that the change frees. A freed row that is not named gets no target; the sweep gives it one.</summary>
    public ImmutableArray<ShardTarget> Targets { get; init; } = [];

    /// <summary>New shared settings; null leaves them. A <see cref="StoreVerdict.Conflict"/> where a member is live after this change: nobody may go by the old ones then (decision 18).</summary>
    public SettingsChange? Settings { get; init; }

    /// <summary>Who shares the rows of placed types that the change takes from a member: each goes to the one at its number modulo their count, however many there are and whoever has read
    /// them. What a member that goes down owns of types that are not exclusive stays in its name and is inherited (<see cref="IControlStore.AcquireAsync"/>); the other rows are freed and get the heir as their target.
    /// Nobody: all are freed and get no target. A member may stand here more than once.</summary>
    public ImmutableArray<Incarnation> Heirs { get; init; } = [];

    /// <summary>Why, for the log of views.</summary>
    public required string Reason { get; init; }
}

/// <summary>A change of the settings that all nodes go by.</summary>
/// <param name="BasedOn">The version that it was decided on; another one at commit time is a <see cref="StoreVerdict.Conflict"/>.</param>
/// <param name="Values">All values by key, those that stay included.</param>
/// <param name="ConfigDigest">Their digest.</param>
public sealed record SettingsChange(long BasedOn, ImmutableSortedDictionary<string, string> Values, string ConfigDigest);

/// <summary>A lease as its observer last saw it; the commit fails with <see cref="StoreVerdict.Conflict"/> if it has moved.</summary>
public readonly record struct LeaseSeen(Incarnation Inc, long LeaseSeq);

/// <summary>Who should own a shard.</summary>
public readonly record struct ShardTarget(ShardNo Shard, Incarnation Target);

/// <summary>One member row written by a view change.</summary>
public abstract record MemberChange
{
    private MemberChange() { }

    /// <summary>Inserts the row with status joining. A live row of the same name or address is a Conflict, unless the same change downs it first.</summary>
    public sealed record Join(MemberRow Row) : MemberChange;

    /// <summary>joining to up; sets <see cref="MemberRow.UpView"/> to the new view. Not joining any more: Conflict.</summary>
    public sealed record Up(Incarnation Inc) : MemberChange;

    /// <summary>up to leaving. Not up any more: Conflict.</summary>
    public sealed record Leave(Incarnation Inc) : MemberChange;

    /// <summary>Any live status to down, finally, and revokes every shard that it owns or is the free target of, but for what is inherited. Already down: no effect but that of a proof.</summary>
    /// <param name="Inc">Who goes.</param>
    /// <param name="Reason">Why, for people.</param>
    /// <param name="LeaseSeqSeen">Set when the verdict rests on a stale lease: a lease that moved since is a Conflict.</param>
    /// <param name="DeadProof">The caller held its lock file; written also into the row of a member that is down without it.</param>
    public sealed record Down(Incarnation Inc, string Reason, long? LeaseSeqSeen = null, bool DeadProof = false) : MemberChange;
}
