using ActorCluster.Persistence;
using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Tests;

/// <summary>Individually placed entities under faults: one row each, one owner, none left behind, none after its end (protocol 5.1 and 5.2).</summary>
public class PlacedTests
{
    private static SimulationOptions Calls { get; } = new() { Calls = 12 };

    [Fact]
    public void Nothing_breaks_in_the_first_seeds()
    {
        var failing = Enumerable.Range(1, 40).AsParallel().WithDegreeOfParallelism(2)
            .Select(seed => Simulation.Run(SimulationPlan.Draw((ulong)seed, Calls))).Where(r => r.Invariant is not null).ToList();
        Assert.True(failing.Count == 0, string.Join('\n', failing.Select(f => $"seed {f.Plan.Seed}: {f.Violations[0]}")));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_dead_nodes_entities_are_shared_by_the_others(ulong seed)
    {
        var cluster = new SimCluster(seed, new SimulationOptions { Nodes = 3, Calls = 30, SharedHost = true });
        cluster.StartInOrder();
        cluster.World.RunUntil(cluster.World.Now + TimeSpan.FromSeconds(60)); // All of them are there.
        var before = Owners(cluster);
        Assert.Equal(3, before.Count);
        cluster.Nodes[1].Kill();
        cluster.World.RunUntil(cluster.World.Now + TimeSpan.FromSeconds(5));
        Assert.True(cluster.AllServedBy(0, 2));
        var after = Owners(cluster);
        Assert.Equal(2, after.Count);
        Assert.True(after.Values.Max() - after.Values.Min() <= 6, string.Join(", ", after));
    }

    private static Dictionary<int, int> Owners(SimCluster cluster) => cluster.Store.Database.Shards
        .Where(r => r.Type == SimCluster.CallType && r.State != ShardState.Ended && r.Owner is not null)
        .GroupBy(r => cluster.LifeOf(r.Owner!.Value)!.Node.Index).ToDictionary(g => g.Key, g => g.Count());
}
