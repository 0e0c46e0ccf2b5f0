using ActorCluster.Placement;
using ActorCluster.TestKit.Simulation;
using static ActorCluster.Tests.SimSteps;

namespace ActorCluster.Tests;

/// <summary>Nodes whose thread pool hangs (protocol 2.4); node 0 is the oldest.</summary>
public class SickTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_sick_node_hands_its_shards_off_stays_a_member_and_has_its_share_again_30_s_after_its_pool_is_well(ulong seed)
    {
        var cluster = Steady(seed, nodes: 3, new() { SharedHost = false, Calls = 10, Singleton = SingletonMode.Sticky });
        var (inc, views) = (cluster.Nodes[2].Life!.Inc, cluster.Store.Database.ViewLog.Count);
        cluster.Nodes[2].Hang(TimeSpan.FromSeconds(2));
        Run(cluster, 10);
        Assert.False(cluster.Nodes[2].Life!.Core.Membership.Pool.IsSick);
        Within(60, cluster, () => cluster.AllServedBy(0, 1));
        cluster.Nodes[2].Hang(TimeSpan.Zero);
        Run(cluster, 28);
        Assert.True(cluster.AllServedBy(0, 1));
        Within(60, cluster, () => Owned(cluster, 2) >= 2);
        Assert.Equal(inc, cluster.Nodes[2].Life!.Inc);
        Assert.DoesNotContain(cluster.Store.Database.Members, m => !m.IsLive);
        Assert.Equal(views, cluster.Store.Database.ViewLog.Count); // All of it was handed off, nothing revoked.
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_node_whose_pool_runs_nothing_loses_its_shards_within_a_quarter_of_a_minute_and_stays_a_member(ulong seed)
    {
        var cluster = Steady(seed, nodes: 3, new() { SharedHost = false });
        cluster.Nodes[0].Hang(TimeSpan.FromHours(1)); // The coordinator, and it cannot even read.
        Within(25, cluster, () => cluster.AllServedBy(1, 2));
        Run(cluster, 30);
        Assert.DoesNotContain(cluster.Store.Database.Members, m => !m.IsLive);
        cluster.Nodes[0].Hang(TimeSpan.Zero);
        Run(cluster, 28);
        Assert.True(cluster.AllServedBy(1, 2)); // Well enough to renew its lease, and not for long enough to be given anything.
        Within(60, cluster, () => Owned(cluster, 0) >= 2);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Where_half_of_the_nodes_are_sick_nothing_is_moved(ulong seed)
    {
        var cluster = Steady(seed, nodes: 4, new() { SharedHost = false, ShardsExclusive = 0 });
        var epochs = cluster.Store.Database.ShardLog.Count;
        cluster.Nodes[1].Hang(TimeSpan.FromSeconds(2));
        cluster.Nodes[2].Hang(TimeSpan.FromSeconds(2));
        Run(cluster, 60);
        Assert.True(cluster.Nodes[1].Life!.Core.Membership.Pool.IsSick && cluster.Nodes[2].Life!.Core.Membership.Pool.IsSick);
        Assert.Equal(epochs, cluster.Store.Database.ShardLog.Count);
    }

    private static int Owned(SimCluster cluster, int node) => cluster.Store.Database.Shards.Count(r => r.Owner == cluster.Nodes[node].Life!.Inc);

    private static SimCluster Steady(ulong seed, int nodes, SimulationOptions options)
    {
        var cluster = new SimCluster(seed, options with { Nodes = nodes, Sickens = false });
        cluster.StartInOrder();
        Assert.True(cluster.AllServed(), Lines(cluster));
        return cluster;
    }
}
