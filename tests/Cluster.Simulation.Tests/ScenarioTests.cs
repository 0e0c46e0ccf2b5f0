using ActorCluster.Downing;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit.Simulation;
using static ActorCluster.Tests.SimSteps;

namespace ActorCluster.Tests;

/// <summary>The combinations of protocol 4.6 with their bounds; node 0 is the oldest (A), node 1 the next (B).</summary>
public class ScenarioTests
{
    [Theory, MemberData(nameof(Seeds))]
    public void Row_2a_a_killed_node_on_the_same_host_is_replaced_within_2_s(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2, sharedHost: true);
        cluster.Nodes[0].Kill();
        Within(2, cluster, () => cluster.AllServedBy(1));
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_2a_a_killed_node_on_another_host_is_replaced_within_2_s(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2);
        cluster.Nodes[0].Kill();
        Within(2, cluster, () => cluster.AllServedBy(1));
        Recovers(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_2c_links_that_a_firewall_rejects_are_no_crash(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2);
        cluster.Cut([0], [1], cut: true, rejects: true);
        Within(4, cluster, () => cluster.AllServedBy(0));
        Assert.DoesNotContain(cluster.Store.Database.Members, m => m.DownReason == DowningDecision.Crashed);
        Recovers(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Sessions_that_all_members_lost_with_the_store_are_no_crash(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2);
        StoreOut(cluster);
        Run(cluster, 1 + (0.7 * seed));
        StoreBack(cluster);
        cluster.Cut([0], [1], cut: true, rejects: true);
        Within(6, cluster, () => cluster.AllServedBy(0) || cluster.AllServedBy(1));
        Assert.DoesNotContain(cluster.Store.Database.Members, m => m.DownReason == DowningDecision.Crashed);
        Recovers(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_2b_the_oldest_host_silent_is_replaced_within_5_s(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2);
        cluster.Silence(0);
        Within(5, cluster, () => cluster.AllServedBy(1));
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_2b_the_younger_host_silent_is_replaced_within_4_s(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2);
        cluster.Silence(1);
        Within(4, cluster, () => cluster.AllServedBy(0));
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_2c_a_cut_link_leaves_the_side_of_the_oldest(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2);
        cluster.Cut([0], [1], cut: true);
        Within(4, cluster, () => cluster.AllServedBy(0));
        Run(cluster, 10);
        Assert.Equal(1, cluster.Stops[ExitCodes.Evicted]);
        Assert.Equal(MemberStatus.Joining, cluster.Nodes[1].Life!.Core.Membership.SelfRow.Status);
        Recovers(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_2d_a_cut_link_with_the_store_at_the_oldest_freezes_the_other(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2);
        cluster.Cut([0], [1], cut: true);
        cluster.ReachStore(1, false);
        Within(4, cluster, () => cluster.AllServedBy(0));
        Within(6.6 - 2, cluster, () => cluster.Nodes[1].Life!.Mode == NodeMode.Frozen);
        Recovers(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_2e_a_cut_link_with_the_store_at_the_younger_leaves_the_younger(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2);
        cluster.Cut([0], [1], cut: true);
        cluster.ReachStore(0, false);
        Within(5, cluster, () => cluster.AllServedBy(1));
        Within(6.6 - 3, cluster, () => cluster.Nodes[0].Life!.Mode == NodeMode.Frozen);
        Recovers(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_2f_a_cut_link_without_a_store_freezes_both_until_one_claims(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2);
        cluster.Cut([0], [1], cut: true);
        StoreOut(cluster);
        var epochs = cluster.Store.Database.ShardLog.Count;
        Run(cluster, 15);
        Assert.All(cluster.Lives, life => Assert.Equal(NodeMode.Frozen, life.Mode));
        Assert.Equal(epochs, cluster.Store.Database.ShardLog.Count);
        StoreBack(cluster);
        Within(5, cluster, () => cluster.AllServed() && cluster.Store.Database.Shards.Select(r => r.Owner).Distinct().Count() == 1);
        Recovers(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_2g_a_member_without_the_store_has_its_shards_released_within_7_s_and_stays(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2);
        cluster.ReachStore(1, false);
        Run(cluster, 2.5);
        Assert.False(cluster.AllServedBy(0)); // It may still come back.
        Within(7 - 2.5, cluster, () => cluster.AllServedBy(0));
        Run(cluster, 15);
        Assert.True(cluster.AllServedBy(0)); // Nothing is given to it before it reaches the store.
        Assert.Empty(cluster.Stops);
        Recovers(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_2h_linked_nodes_without_a_store_resume_where_they_were(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2);
        var (epochs, views) = (cluster.Store.Database.ShardLog.Count, cluster.Store.Database.ViewLog.Count);
        StoreOut(cluster);
        Run(cluster, 12);
        Assert.All(cluster.Lives, life => Assert.Equal(NodeMode.Frozen, life.Mode));
        StoreBack(cluster);
        Within(3, cluster, cluster.AllServed);
        Run(cluster, 5);
        Assert.Equal((epochs, views), (cluster.Store.Database.ShardLog.Count, cluster.Store.Database.ViewLog.Count));
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_2i_a_pause_of_3_s_costs_one_failover_at_most(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2);
        cluster.Nodes[0].Pause();
        Run(cluster, 3);
        cluster.Nodes[0].Resume();
        Within(3, cluster, cluster.AllServed);
        Recovers(cluster);
        Assert.True(cluster.Stops.GetValueOrDefault(ExitCodes.Evicted) <= 1);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_2j_an_owner_paused_20_s_is_replaced_and_comes_back_as_another(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2);
        var was = cluster.Nodes[0].Life!.Inc;
        cluster.Nodes[0].Pause();
        Within(5, cluster, () => cluster.AllServedBy(1));
        Run(cluster, 15);
        cluster.Nodes[0].Resume();
        Recovers(cluster);
        Assert.True(cluster.Nodes[0].Life!.Inc > was);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_3a_the_pair_serves_within_5_s(ulong seed)
    {
        var cluster = Steady(seed, nodes: 3);
        cluster.Cut([0, 1], [2], cut: true);
        Within(5, cluster, () => cluster.AllServedBy(0, 1));
        Recovers(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_3b_a_minority_that_alone_has_the_store_takes_over_when_the_leases_are_stale(ulong seed)
    {
        var cluster = Steady(seed, nodes: 3);
        cluster.Cut([0, 1], [2], cut: true);
        cluster.ReachStore(0, false);
        cluster.ReachStore(1, false);
        Run(cluster, 6.6);
        Assert.Equal(NodeMode.Frozen, cluster.Nodes[0].Life!.Mode);
        Assert.Equal(NodeMode.Frozen, cluster.Nodes[1].Life!.Mode);
        Within(11 - 6.6, cluster, () => cluster.AllServedBy(2));
        Recovers(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Row_3d_three_islands_come_to_one_within_17_s(ulong seed)
    {
        var cluster = Steady(seed, nodes: 3);
        cluster.Cut([0], [1, 2], cut: true);
        cluster.Cut([1], [2], cut: true);
        Within(19, cluster, () => cluster.AllServed() && cluster.Store.Database.Shards.Select(r => r.Owner).Distinct().Count() == 1);
        Recovers(cluster);
    }

    [Fact]
    public void The_losing_side_s_writes_are_refused_by_the_store()
    {
        long refused = 0;
        for (ulong seed = 1; seed <= 60 && refused == 0; seed++)
        {
            var cluster = Steady(seed, nodes: 2, clients: 10);
            cluster.Cut([0], [1], cut: true);
            cluster.Store.Latency = TimeSpan.FromMilliseconds(80);
            Run(cluster, 6);
            refused += cluster.RefusedAppends;
            Recovers(cluster);
        }
        Assert.True(refused > 0, "No write of an evicted owner reached the store in 60 runs.");
    }

    public static TheoryData<ulong> Seeds() => [1, 2, 3];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Exclusive_shards_wait_for_the_stale_lease_of_a_host_that_went_silent(ulong seed)
    {
        var cluster = Steady(seed, nodes: 3, exclusive: 4);
        cluster.Silence(1);
        Run(cluster, 4);
        Assert.False(cluster.AllServedBy(0, 2)); // The rooms are, the others are not yet.
        Within(6, cluster, () => cluster.AllServedBy(0, 2));
        Recovers(cluster);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Exclusive_shards_wait_for_the_stale_lease_of_a_process_that_died_on_another_machine(ulong seed)
    {
        var cluster = Steady(seed, nodes: 3, exclusive: 4);
        cluster.Nodes[1].Kill();
        Run(cluster, 4);
        Assert.False(cluster.AllServedBy(0, 2)); // A session that is gone is evidence enough to evict, and no proof of death.
        Within(6, cluster, () => cluster.AllServedBy(0, 2));
        Recovers(cluster);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Exclusive_shards_of_a_process_that_died_on_a_shared_machine_wait_for_nothing(ulong seed)
    {
        var cluster = Steady(seed, nodes: 3, sharedHost: true, exclusive: 4);
        cluster.Nodes[1].Kill();
        Within(2, cluster, () => cluster.AllServedBy(0, 2));
        Recovers(cluster);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Exclusive_shards_of_an_evicted_owner_that_lives_are_free_when_it_has_come_back(ulong seed)
    {
        var cluster = Steady(seed, nodes: 3, exclusive: 4);
        cluster.Cut([0], [1, 2], cut: true);
        Within(12, cluster, () => cluster.AllServedBy(1, 2) || cluster.AllServedBy(0));
        Recovers(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void An_evicted_node_that_does_not_reach_the_store_is_told_by_the_first_peer_that_it_dials(ulong seed)
    {
        var cluster = Steady(seed, nodes: 3);
        cluster.ReachStore(1, false);
        cluster.Cut([1], [0, 2], cut: true);
        Run(cluster, 6);
        Assert.Empty(cluster.Stops); // It was evicted and has heard nothing of it.
        cluster.Cut([1], [0, 2], cut: false);
        Within(1, cluster, () => cluster.Stops.GetValueOrDefault(ExitCodes.Evicted) == 1); // Not frozen until the store is back.
        Recovers(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void A_node_evicted_while_it_stood_still_is_told_by_what_waits_on_its_links(ulong seed)
    {
        var cluster = Steady(seed, nodes: 3);
        cluster.ReachStore(1, false);
        cluster.Nodes[1].Pause();
        Run(cluster, 5);
        cluster.Nodes[1].Resume();
        Within(2, cluster, () => cluster.Stops.GetValueOrDefault(ExitCodes.Evicted) == 1); // The store call that it still makes ends first.
        Recovers(cluster);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void A_half_open_link_costs_its_owner_nothing_but_time(ulong seed)
    {
        var cluster = Steady(seed, nodes: 2, clients: 10);
        var lost = cluster.Network.Lost;
        cluster.Network.HalfOpen(closed: 0, open: 1);
        Run(cluster, 5);
        Assert.True(cluster.Network.Lost > lost, "Nothing was sent into the half that is gone.");
        Assert.Empty(cluster.Stops);
        Recovers(cluster);
    }

    private static SimCluster Steady(ulong seed, int nodes, bool sharedHost = false, int clients = 4, int exclusive = 0)
    {
        var cluster = new SimCluster(seed, new SimulationOptions { Nodes = nodes, SharedHost = sharedHost, Clients = clients, ShardsExclusive = exclusive });
        cluster.StartInOrder();
        Assert.True(cluster.AllServed() && cluster.AllUp(), "The cluster did not come up: " + Lines(cluster));
        return cluster;
    }

    private static void Recovers(SimCluster cluster)
    {
        cluster.HealAll();
        Within(15, cluster, () => cluster.AllUp() && cluster.AllServed());
        foreach (var client in cluster.Clients) client.IsDone = true;
        Run(cluster, 8);
        cluster.Checkers.AtEnd();
        Assert.True(cluster.World.Violations.Count == 0, Lines(cluster));
    }

    private static void StoreOut(SimCluster cluster)
    {
        foreach (var node in cluster.Nodes) cluster.ReachStore(node.Index, false);
    }

    private static void StoreBack(SimCluster cluster)
    {
        foreach (var node in cluster.Nodes) cluster.ReachStore(node.Index, true);
    }
}
