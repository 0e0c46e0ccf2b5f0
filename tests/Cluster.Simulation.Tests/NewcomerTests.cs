using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit.Simulation;
using static ActorCluster.Tests.SimSteps;

namespace ActorCluster.Tests;

/// <summary>What strategies ask of newcomers, with the nodes, the network and the store of the simulator; static-quorum with 2 of 3 at the most.</summary>
public class NewcomerTests
{
    [Theory, MemberData(nameof(Seeds))]
    public void One_voter_more_than_allowed_waits_until_one_is_gone(ulong seed)
    {
        var cluster = Four(seed, new StaticQuorum(2));
        Assert.True(IsUp(cluster, 0) && IsUp(cluster, 1) && IsUp(cluster, 2));
        Assert.Contains("static-quorum allows 3 voters and there are 3", Blocked(cluster, 3), StringComparison.Ordinal);
        cluster.Nodes[1].Kill();
        Within(5, cluster, () => IsUp(cluster, 3));
        Within(30, cluster, cluster.AllServed);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void After_a_total_stop_nobody_serves_before_a_quorum_is_back(ulong seed)
    {
        var cluster = Three(seed, new StaticQuorum(2));
        foreach (var node in cluster.Nodes) node.Kill();
        cluster.Nodes[0].Start();
        Run(cluster, 15);
        Assert.Contains("static-quorum needs 2 voters that reach each other and there are 1", Blocked(cluster, 0), StringComparison.Ordinal);
        cluster.Nodes[1].Start();
        Within(15, cluster, () => cluster.AllServedBy(0, 1));
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Three_islands_serve_nothing_until_two_of_them_are_one(ulong seed)
    {
        var cluster = Islands(seed, new StaticQuorum(2));
        Assert.All(cluster.Nodes, node => Assert.False(IsUp(cluster, node.Index)));
        Assert.True(cluster.Stops[ExitCodes.Evicted] >= 3);
        cluster.Cut([0], [2], cut: false);
        Within(15, cluster, () => cluster.AllServedBy(0, 2));
    }

    [Fact]
    public void Nobody_comes_up_where_nobody_has_the_role_that_votes()
    {
        var cluster = new SimCluster(1, new SimulationOptions { Nodes = 2, SharedHost = false, Clients = 0 }) { Resolver = new KeepMajority { Role = "elector" } };
        foreach (var node in cluster.Nodes) node.Start();
        Run(cluster, 10);
        Assert.All(cluster.Nodes, node => Assert.False(IsUp(cluster, node.Index)));
        Assert.Contains("Cluster:Downing:Role is 'elector' and no member has that role", Blocked(cluster, 1), StringComparison.Ordinal);
    }

    [Fact] // Each rule away, the tests above would see it.
    public void Without_the_rules_the_fourth_comes_up_and_an_island_serves()
    {
        Assert.True(IsUp(Four(1, new WithoutJoinRules()), 3));
        Assert.Contains(Islands(1, new WithoutJoinRules()).Nodes, node => node.Life?.Core.Membership.SelfRow.Status == MemberStatus.Up);
    }

    public static TheoryData<ulong> Seeds() => [1, 2, 3];

    private static SimCluster Four(ulong seed, SplitBrainResolver resolver) => Started(seed, 4, sharedHost: true, resolver);

    private static SimCluster Three(ulong seed, SplitBrainResolver resolver) => Started(seed, 3, sharedHost: false, resolver);

    private static SimCluster Islands(ulong seed, SplitBrainResolver resolver)
    {
        var cluster = Three(seed, resolver);
        cluster.Cut([0], [1, 2], cut: true);
        cluster.Cut([1], [2], cut: true);
        Run(cluster, 30);
        return cluster;
    }

    private static SimCluster Started(ulong seed, int nodes, bool sharedHost, SplitBrainResolver resolver)
    {
        var cluster = new SimCluster(seed, new SimulationOptions { Nodes = nodes, SharedHost = sharedHost, Clients = 2, Failsafe = false }) { Resolver = resolver };
        cluster.StartInOrder();
        return cluster;
    }

    private static bool IsUp(SimCluster cluster, int node) => cluster.Nodes[node].Life?.Core.Membership.SelfRow.Status == MemberStatus.Up;

    private static string Blocked(SimCluster cluster, int node) => string.Join('\n', cluster.Nodes[node].Life!.Core.Membership.JoinBlockedBy);

    private sealed class WithoutJoinRules : SplitBrainResolver
    {
        private readonly StaticQuorum _inner = new(2);

        public override string Name => _inner.Name;

        protected override DowningClass ClassOf(ImmutableArray<Voter> voters) => _inner.Classify(voters);
    }
}
