using ActorCluster.Downing;
using ActorCluster.Primitives;
using ActorCluster.TestKit.Simulation;
using static ActorCluster.Tests.SimSteps;

namespace ActorCluster.Tests;

/// <summary>Members that reach each other through others only (protocol 3.5), with the nodes, links and store of the simulator; node 0 is the oldest.</summary>
public class BrokenEdgeTests
{
    [Theory, MemberData(nameof(Seeds))]
    public void Row_3f_two_that_a_third_sees_both_stay_and_the_edge_is_shown(ulong seed)
    {
        var cluster = Started(seed, 3, BrokenEdgeRule.EvictMin);
        cluster.Cut([0], [1], cut: true);
        Run(cluster, 25);
        Assert.Empty(cluster.Stops);
        Assert.True(cluster.AllServed() && cluster.AllUp());
        Assert.All(cluster.Lives, life =>
        {
            var edge = Assert.Single(life.Core.Membership.BrokenEdges);
            Assert.Equal([0, 1], new[] { edge.A, edge.B }.Select(inc => cluster.LifeOf(inc)!.Node.Index).Order());
            Assert.InRange((life.Clock - edge.Since).TotalSeconds, 20, 25);
        });
        cluster.HealAll();
        Within(20, cluster, () => cluster.Lives.All(life => life.Core.Membership.BrokenEdges.IsEmpty));
    }

    [Theory, MemberData(nameof(Seeds))]
    public void One_that_lacks_most_of_the_others_goes_alone_and_comes_back_when_the_network_is_whole(ulong seed)
    {
        var cluster = Lossy(seed, BrokenEdgeRule.EvictMin);
        Assert.Equal(1, cluster.Stops.GetValueOrDefault(ExitCodes.Evicted));
        Assert.True(cluster.AllServedBy(0, 2, 3, 4));
        cluster.HealAll();
        Within(25, cluster, () => cluster.AllUp() && cluster.AllServed());
    }

    [Fact]
    public void It_stays_where_nobody_is_to_go() => Assert.Empty(Lossy(1, BrokenEdgeRule.Relay).Stops);

    [Fact] // The planted fault: a rule that evicts more than it must is seen by what the tests above count.
    public void A_rule_that_evicts_both_ends_takes_those_that_are_well_too() => Assert.Equal(2, Lossy(1, BrokenEdgeRule.EvictAll, 3).Stops.GetValueOrDefault(ExitCodes.Evicted));

    public static TheoryData<ulong> Seeds() => [1, 2, 3];

    /// <summary>Node 1 has lost three of the four others, or those named.</summary>
    private static SimCluster Lossy(ulong seed, BrokenEdgeRule rule, params int[] lost)
    {
        var cluster = Started(seed, 5, rule);
        cluster.Cut([1], lost.Length == 0 ? [0, 2, 3] : lost, cut: true);
        Run(cluster, 20);
        return cluster;
    }

    private static SimCluster Started(ulong seed, int nodes, BrokenEdgeRule rule)
    {
        var cluster = new SimCluster(seed, new SimulationOptions { Nodes = nodes, SharedHost = false, Clients = 2 }) { Resolver = new KeepMajority { BrokenEdges = rule } };
        cluster.StartInOrder();
        Assert.True(cluster.AllServed() && cluster.AllUp());
        return cluster;
    }
}
