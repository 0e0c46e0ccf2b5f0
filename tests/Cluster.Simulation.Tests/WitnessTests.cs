using ActorCluster.Downing;
using ActorCluster.Primitives;
using ActorCluster.TestKit.Simulation;
using static ActorCluster.Tests.SimSteps;

namespace ActorCluster.Tests;

/// <summary>keep-referee by witness with the nodes, links, heartbeats and store of the simulator; node 0 is the oldest.</summary>
public class WitnessTests
{
    [Theory, MemberData(nameof(Seeds))]
    public void The_side_that_alone_sees_the_witness_takes_over_from_the_oldest(ulong seed)
    {
        var cluster = CutInTwo(seed, new KeepWitnessed(), 0);
        Within(6, cluster, () => cluster.AllServedBy(1));
    }

    [Theory, MemberData(nameof(Seeds))]
    public void A_strict_side_without_the_witness_stops(ulong seed)
    {
        var cluster = CutInTwo(seed, new KeepWitnessed(strict: true), 1);
        Within(6, cluster, () => cluster.AllServedBy(0) && cluster.Stops.GetValueOrDefault(ExitCodes.Evicted) == 1);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void What_one_of_a_side_sees_the_others_know_from_its_heartbeats(ulong seed)
    {
        var cluster = Started(seed, 4, new KeepWitnessed());
        foreach (var blind in new[] { 0, 1, 3 }) cluster.WithoutWitness.Add(blind);
        Run(cluster, 8);
        cluster.Cut([0, 1], [2, 3], cut: true);
        Within(6, cluster, () => cluster.AllServedBy(2, 3));
    }

    [Fact] // Whoever sees nothing and says that it does not is believed: without the witness in the beats the last test would wait for ten seconds and leave the oldest.
    public void Where_nobody_sees_it_the_rule_for_undecided_divisions_keeps_the_oldest()
    {
        var cluster = CutInTwo(1, new KeepWitnessed(), 0, 1);
        Run(cluster, 9);
        Assert.Equal(2, cluster.Store.Database.Shards.Select(s => s.Owner).Distinct().Count());
        Within(12, cluster, () => cluster.AllServedBy(0));
    }

    public static TheoryData<ulong> Seeds() => [1, 2, 3];

    private static SimCluster CutInTwo(ulong seed, SplitBrainResolver resolver, params int[] blind)
    {
        var cluster = Started(seed, 2, resolver);
        foreach (var node in blind) cluster.WithoutWitness.Add(node);
        Run(cluster, 8); // What was seen before has aged.
        cluster.Cut([0], [1], cut: true);
        return cluster;
    }

    private static SimCluster Started(ulong seed, int nodes, SplitBrainResolver resolver)
    {
        var cluster = new SimCluster(seed, new SimulationOptions { Nodes = nodes, SharedHost = false, Clients = 2, ShardsExclusive = 0 }) { Resolver = resolver, Witnesses = [Witness.Parse("http://router/")!] };
        cluster.StartInOrder();
        return cluster;
    }
}
