using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Membership;

/// <summary>When an operator may take it that nobody acts any more under a lease of 8 s.</summary>
public class StoppedClusterTests
{
    private static readonly Incarnation A = new(1);
    private static readonly Incarnation B = new(2);

    private readonly StoppedCluster _stopped = new(new ProtocolTimes());
    private Dictionary<Incarnation, bool> _locks = [];

    [Fact]
    public void Nobody_is_live_and_nobody_is_named() => Assert.Empty(Assert.IsType<Activity.None>(Look(0, [Down(A)])).Down);

    [Fact]
    public void A_live_member_is_watched_for_as_long_as_its_lease_lives()
    {
        Assert.Equal([A], Assert.IsType<Activity.Unknown>(Look(0, [Up(A, 5)])).Who.Select(m => m.Inc));
        Assert.IsType<Activity.Unknown>(Look(8, [Up(A, 5)])); // Seen at 0.1 s first, and this was asked for at 8 s.
        Assert.Equal(new MemberChange.Down(A, "stopped: the settings change", 5), Assert.Single(Assert.IsType<Activity.None>(Look(8.1, [Up(A, 5)])).Down));
    }

    [Fact]
    public void One_that_renews_runs()
    {
        Look(0, [Up(A, 5)]);
        Assert.Equal((A, "it has renewed its lease"), Look(1, [Up(A, 6)]) is Activity.Runs runs ? (runs.Who.Inc, runs.Why) : default);
    }

    [Fact]
    public void A_former_owner_that_is_down_is_watched_too_since_it_may_still_act_outside_the_store()
    {
        Assert.Equal([B], Assert.IsType<Activity.Unknown>(Look(0, [Down(A), Down(B)], Row(previous: B))).Who.Select(m => m.Inc));
        Assert.Equal([B], Assert.IsType<Activity.Unknown>(Look(1, [Down(A), Down(B)], Row(owner: B))).Who.Select(m => m.Inc)); // The sweep has not been there yet.
        Assert.Empty(Assert.IsType<Activity.None>(Look(9, [Down(A), Down(B)], Row(previous: B))).Down);
        Assert.IsType<Activity.None>(Look(10, [Down(B) with { DeadProof = true }], Row(previous: B)));
    }

    [Fact]
    public void A_lock_file_proves_at_once_that_a_process_is_dead_or_that_it_is_not()
    {
        _locks = new() { [A] = true };
        Assert.Equal(new MemberChange.Down(A, "stopped: the settings change", 5, DeadProof: true), Assert.Single(Assert.IsType<Activity.None>(Look(0, [Up(A, 5)])).Down));
        _locks = new() { [A] = false };
        Assert.IsType<Activity.Runs>(Look(20, [Up(A, 5)]));
        Assert.IsType<Activity.Runs>(Look(40, [Down(A)], Row(previous: A))); // It may act still, or be about to join anew.
    }

    [Fact]
    public void What_was_watched_before_the_store_was_lost_does_not_count()
    {
        Look(0, [Up(A, 5)]);
        _stopped.StoreLost();
        Assert.IsType<Activity.Unknown>(Look(20, [Up(A, 5)]));
        Assert.IsType<Activity.None>(Look(29, [Up(A, 5)]));
    }

    private Activity Look(double at, MemberRow[] members, params ShardRow[] shards) => _stopped.Judge(
        new ClusterSnapshot(new ClusterRow(Guid.Empty, 1, 1, 1, ""), [.. members]), shards, TimeSpan.FromSeconds(at), TimeSpan.FromSeconds(at + 0.1),
        m => _locks.TryGetValue(m.Inc, out var dead) ? dead : null);

    private static MemberRow Up(Incarnation inc, long lease) =>
        new() { Inc = inc, Name = $"n{inc.Value}", Host = "h", LinkAddress = $"h:{inc.Value}", ClientUrl = "", Status = MemberStatus.Up, LeaseSeq = lease };

    private static MemberRow Down(Incarnation inc) => Up(inc, 3) with { Status = MemberStatus.Down };

    private static ShardRow Row(Incarnation? owner = null, Incarnation? previous = null) =>
        new(new ShardNo(1), "mixer", "0", new Epoch(4), owner, null, previous, owner is null ? ShardState.Free : ShardState.Owned, 1);
}
