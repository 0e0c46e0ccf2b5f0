using ActorCluster.Hosting;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Tests;

/// <summary>An operator shortens the lease of a cluster that has stopped, or seems to have (decision 18).</summary>
public class SettingsChangeTests
{
    /// <summary>As short as the rules of a start allow.</summary>
    private static readonly ClusterOptions Shorter = new() { Times = new ProtocolTimes { LeaseTtl = TimeSpan.FromSeconds(3.5), Renew = TimeSpan.FromSeconds(0.2), ServeLimit = TimeSpan.FromSeconds(2) } };

    public static TheoryData<ulong> Seeds => [.. Enumerable.Range(1, 5).Select(s => (ulong)s)];

    [Theory, MemberData(nameof(Seeds))]
    public void Whoever_waits_until_no_lease_lives_changes_it_safely(ulong seed)
    {
        var cluster = CutOff(seed);
        var stopped = new StoppedCluster(new ProtocolTimes());
        var began = cluster.World.Now;
        Activity activity;
        while ((activity = Look(cluster, stopped)) is not Activity.None)
        {
            Assert.IsType<Activity.Unknown>(activity);
            Run(cluster, 0.25);
        }
        Assert.InRange(cluster.World.Now - began, TimeSpan.FromSeconds(8), TimeSpan.FromSeconds(8.6));
        Change(cluster, ((Activity.None)activity).Down);
        cluster.Nodes[2].Start();
        Run(cluster, 20);
        Assert.Empty(cluster.World.Violations);
        Assert.True(cluster.AllServedBy(2), "The node of the new settings serves all.");

        cluster.HealAll();
        Run(cluster, 25);
        Assert.Empty(cluster.World.Violations);
        Assert.True(cluster.AllUp() && cluster.AllServed(), "Those that were cut off join anew, under the new settings.");
    }

    [Theory, MemberData(nameof(Seeds))]
    public void The_checkers_see_an_operator_who_does_not_wait(ulong seed)
    {
        var cluster = CutOff(seed);
        Change(cluster, [.. cluster.Store.Database.Members.Where(m => m.IsLive).Select(m => new MemberChange.Down(m.Inc, "not heard", m.LeaseSeq))]);
        cluster.Nodes[2].Start();
        Run(cluster, 20);
        Assert.Contains(cluster.World.Violations, v => v.StartsWith("I12", StringComparison.Ordinal));
        Assert.Contains(cluster.World.Violations, v => v.StartsWith("I8", StringComparison.Ordinal)); // And it is no matter of form.
    }

    [Theory, MemberData(nameof(Seeds))]
    public void A_cluster_that_runs_is_seen_to_run_and_takes_no_other_settings(ulong seed)
    {
        var cluster = Steady(seed);
        var stopped = new StoppedCluster(new ProtocolTimes());
        for (var i = 0; i < 16 && Look(cluster, stopped) is Activity.Unknown; i++) Run(cluster, 0.25);
        Assert.IsType<Activity.Runs>(Look(cluster, stopped));
        Assert.Equal(StoreVerdict.Conflict, cluster.Store.Database.ChangeView(ChangeOf(cluster, []), 0).Verdict);
    }

    /// <summary>Two nodes act on outside the store, which they do not reach; the third has died.</summary>
    private static SimCluster CutOff(ulong seed)
    {
        var cluster = Steady(seed);
        cluster.Nodes[2].Kill();
        cluster.ReachStore(0, false);
        cluster.ReachStore(1, false);
        cluster.Cut([0, 1], [2], cut: true);
        Run(cluster, 0.2); // What was under way has landed.
        return cluster;
    }

    private static SimCluster Steady(ulong seed)
    {
        var cluster = new SimCluster(seed, new SimulationOptions { Nodes = 3, SharedHost = false, ShardsExclusive = 6 });
        cluster.StartInOrder();
        Assert.True(cluster.AllServed() && cluster.AllUp(), "The cluster came up.");
        return cluster;
    }

    private static Activity Look(SimCluster cluster, StoppedCluster stopped) =>
        stopped.Judge(cluster.Store.Database.ReadCluster().Value!, cluster.Store.Database.ReadShards().Value, cluster.World.Now, cluster.World.Now, _ => null);

    private static void Change(SimCluster cluster, IEnumerable<MemberChange> down)
    {
        var change = ChangeOf(cluster, down);
        cluster.Checkers.ViewChanging(change);
        Assert.Equal(StoreVerdict.Ok, cluster.Store.Database.ChangeView(change, 0).Verdict);
        cluster.Checkers.Written("ChangeView");
    }

    private static ViewChange ChangeOf(SimCluster cluster, IEnumerable<MemberChange> down) => new()
    {
        OpId = Guid.NewGuid(),
        By = default,
        BasedOn = cluster.Store.Database.ReadCluster().Value!.Cluster.View,
        Members = [.. down],
        Settings = new SettingsChange(1, SharedSettings.Of(Shorter), ClusterDigest.Of(Shorter)),
        Reason = "the operator changed the settings",
    };

    private static void Run(SimCluster cluster, double seconds) => cluster.World.RunUntil(cluster.World.Now + TimeSpan.FromSeconds(seconds));
}
