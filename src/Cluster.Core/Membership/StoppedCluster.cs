using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>Whether anybody of a cluster may still act, inside the store or outside it.</summary>
internal abstract record Activity
{
    private Activity() { }

    /// <summary>Somebody does.</summary>
    public sealed record Runs(MemberRow Who, string Why) : Activity;

    /// <summary>Nobody shows it, but these may: their leases were not watched for long enough.</summary>
    public sealed record Unknown(ImmutableArray<MemberRow> Who) : Activity;

    /// <summary>Nobody: these view changes away, each held to the lease that was seen.</summary>
    public sealed record None(ImmutableArray<MemberChange> Down) : Activity;
}

/// <summary>Watches a cluster from outside until it is certain that none of its nodes may act any more under the lease times that they go by (decision 18).</summary>
/// <remarks>Not thread-safe. <c>times</c> are those of the store, which all of its nodes go by. A former owner that is down may still act outside the store until its lease
/// is stale, so those that shards name are watched as the live ones are.</remarks>
internal sealed class StoppedCluster(ProtocolTimes times)
{
    private readonly LeaseWatch _leases = new(times);

    /// <summary>A read failed: what was seen before says nothing of what happened meanwhile.</summary>
    public void StoreLost() => _leases.StoreLost();

    /// <param name="snapshot">Members as just read.</param>
    /// <param name="shards">Shard rows as just read.</param>
    /// <param name="asked">When the members were asked for, monotonic.</param>
    /// <param name="answered">When they came.</param>
    /// <param name="isDead">Whether a lock file proves a member's process dead: true or false, null where it proves nothing here.</param>
    public Activity Judge(ClusterSnapshot snapshot, IReadOnlyCollection<ShardRow> shards, TimeSpan asked, TimeSpan answered, Func<MemberRow, bool?> isDead)
    {
        _leases.Read(snapshot.Members, asked, answered);
        var named = shards.SelectMany(r => new[] { r.Owner, r.Previous }).OfType<Incarnation>().ToHashSet();
        var unknown = ImmutableArray.CreateBuilder<MemberRow>();
        foreach (var member in snapshot.Members.Where(m => m.IsLive || (named.Contains(m.Inc) && !m.DeadProof)))
        {
            var dead = isDead(member);
            if (dead == false) return new Activity.Runs(member, $"its process holds {member.LockFile?.Path}, or that file is not there any more");
            if (_leases.HasMoved(member.Inc)) return new Activity.Runs(member, "it has renewed its lease");
            if (dead is null && !_leases.IsStale(member.Inc)) unknown.Add(member);
        }
        return unknown.Count > 0 ? new Activity.Unknown(unknown.ToImmutable())
            : new Activity.None([.. snapshot.Members.Where(m => m.IsLive).Select(m => new MemberChange.Down(m.Inc, "stopped: the settings change", m.LeaseSeq, isDead(m) == true))]);
    }
}
