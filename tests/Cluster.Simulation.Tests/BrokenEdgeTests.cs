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
    public void Row_3f_what_the_two_ask_of_each_other_goes_through_the_third(ulong seed)
    {
        var cluster = Started(seed, 3, BrokenEdgeRule.EvictMin, clients: 12);
        cluster.Cut([0], [1], cut: true);
        Run(cluster, 5); // The links end after 2 s, and what was sent in them is sent again.
        var (from, before) = (cluster.World.Now, cluster.Lives.Sum(l => l.TakenThroughOthers));
        Run(cluster, 12);
        var until = cluster.World.Now - TimeSpan.FromSeconds(1);
        Assert.InRange(cluster.Lives.Sum(l => l.TakenThroughOthers) - before, 50, long.MaxValue);
        var asked = cluster.Clients.SelectMany(c => c.History).Where(o => o.At >= from && o.At < until).ToList();
        Assert.All(asked, op => Assert.True(op is { State: SimOpState.Acked or SimOpState.Refused, Attempts: 1 }, $"{op.Id} of {op.At}: {op.State} after {op.Attempts} attempts."));
        Assert.Empty(cluster.Stops);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void The_relay_changes_when_it_goes_and_nothing_is_lost(ulong seed)
    {
        var cluster = Started(seed, 5, BrokenEdgeRule.EvictMin, clients: 12);
        cluster.Cut([3], [4], cut: true);
        Within(5, cluster, () => RelayOf(cluster, 3, 4) >= 0);
        var first = RelayOf(cluster, 3, 4);
        cluster.Nodes[first].Kill();
        Within(6, cluster, () => RelayOf(cluster, 3, 4) is >= 0 and var second && second != first);
        Within(12, cluster, () => cluster.AllServed()); // Exclusive shards wait until the dead owner's lease is stale.
        cluster.HealAll();
        Within(20, cluster, () => cluster.AllUp() && cluster.AllServed() && cluster.Lives.All(l => l.Core.Membership.Relays.IsEmpty));
        foreach (var client in cluster.Clients) client.IsDone = true;
        Run(cluster, 8);
        cluster.Checkers.AtEnd();
        Assert.Empty(cluster.World.Violations);
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

    /// <summary>The place of the node through which one reaches another; -1 while there is none.</summary>
    private static int RelayOf(SimCluster cluster, int from, int to) =>
        cluster.Nodes[to].Life is { } other && cluster.Nodes[from].Life is { } life && life.Core.Membership.Relays.TryGetValue(other.Inc, out var relay) && cluster.LifeOf(relay) is { } through ? through.Node.Index : -1;

    private static SimCluster Started(ulong seed, int nodes, BrokenEdgeRule rule, int clients = 2)
    {
        var cluster = new SimCluster(seed, new SimulationOptions { Nodes = nodes, SharedHost = false, Clients = clients }) { Resolver = new KeepMajority { BrokenEdges = rule } };
        cluster.StartInOrder();
        Assert.True(cluster.AllServed() && cluster.AllUp());
        return cluster;
    }
}
