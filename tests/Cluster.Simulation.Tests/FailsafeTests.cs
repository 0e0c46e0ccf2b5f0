using ActorCluster.Persistence;
using ActorCluster.TestKit.Simulation;
using static ActorCluster.Tests.SimSteps;

namespace ActorCluster.Tests;

/// <summary>Members that all miss the store and go on by each other's word (protocol 4.4, decision 25).</summary>
public class FailsafeTests
{
    public static TheoryData<ulong> Seeds() => [1, 2, 3];

    [Fact]
    public void Nothing_breaks_in_the_first_seeds() =>
        Assert.Empty(SimulationCampaign.Run(9_000, 100, SimulationScenario.All["failsafe"]).Failing.Select(f => f.ToString()));

    [Fact]
    public void Its_runs_meet_what_they_are_meant_to_meet()
    {
        var all = SimulationCampaign.Run(1, 100, SimulationScenario.All["failsafe"]);
        Assert.Empty(all.Failing.Select(f => f.ToString()));
        Assert.DoesNotContain(all.Uncovered, p => p.StartsWith("4.4 by assent", StringComparison.Ordinal));
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Linked_members_without_a_store_go_on_until_thirty_seconds_after_their_last_renewal(ulong seed)
    {
        var cluster = Steady(seed);
        foreach (var node in cluster.Nodes) cluster.ReachStore(node.Index, false);
        Within(4, cluster, () => All(cluster, 0, 1, 2));
        Run(cluster, 10);
        Assert.All(cluster.Lives, life => Assert.Equal(NodeMode.Frozen, life.Mode));
        Assert.True(All(cluster, 0, 1, 2));
        Within(17, cluster, () => cluster.Lives.All(l => l.AssentedUntil is null));
        Heals(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void One_link_that_goes_ends_it_for_both_ends_within_two_seconds_and_a_beat(ulong seed)
    {
        var cluster = Steady(seed);
        foreach (var node in cluster.Nodes) cluster.ReachStore(node.Index, false);
        Run(cluster, 9);
        Assert.True(All(cluster, 0, 1, 2));
        cluster.Cut([0], [2], cut: true);
        Within(2.2, cluster, () => cluster.Nodes[0].Life!.AssentedUntil is null && cluster.Nodes[2].Life!.AssentedUntil is null);
        cluster.Cut([0], [2], cut: false);
        Within(3, cluster, () => All(cluster, 0, 1, 2));
        Heals(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void One_member_that_reaches_the_store_is_enough_for_the_others_to_stop(ulong seed)
    {
        var cluster = Steady(seed);
        cluster.ReachStore(0, false);
        cluster.ReachStore(2, false);
        for (var i = 0; i < 40; i++)
        {
            Run(cluster, 0.3);
            Assert.DoesNotContain(cluster.Lives, l => l.AssentedUntil is not null);
        }
        Heals(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void A_newcomer_that_reaches_nobody_waits_until_those_who_go_on_have_stopped(ulong seed)
    {
        var cluster = Steady(seed);
        cluster.Nodes[2].Kill();
        Within(6, cluster, () => cluster.AllServedBy(0, 1));
        Run(cluster, 2);
        cluster.ReachStore(0, false);
        cluster.ReachStore(1, false);
        cluster.Cut([2], [0, 1], cut: true);
        cluster.Nodes[2].Start();
        Run(cluster, 15);
        Assert.True(All(cluster, 0, 1));
        Assert.Equal(MemberStatus.Joining, cluster.Nodes[2].Life!.Core.Membership.SelfRow.Status);
        Within(20, cluster, () => cluster.AllServedBy(2));
        Heals(cluster);
    }

    private static SimCluster Steady(ulong seed)
    {
        var cluster = new SimCluster(seed, new SimulationOptions { Nodes = 3, SharedHost = false, Clients = 3, Failsafe = true });
        cluster.StartInOrder();
        Within(10, cluster, cluster.AllServed);
        return cluster;
    }

    private static bool All(SimCluster cluster, params int[] nodes) => nodes.All(i => cluster.Nodes[i].Life?.AssentedUntil is not null);

    private static void Heals(SimCluster cluster)
    {
        cluster.HealAll();
        Within(25, cluster, () => cluster.AllUp() && cluster.AllServed());
    }
}
