using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Tests;

public class SimulationTests
{
    [Theory]
    [InlineData(1, 60)]
    [InlineData(1_000, 60)]
    [InlineData(2_000, 60)]
    public void No_seed_breaks_an_invariant(ulong first, int count) => Assert.Empty(FailuresOf(first, count, new SimulationOptions()));

    [Fact]
    public void Five_nodes_under_partitions_and_store_outages_keep_every_invariant() => Assert.Empty(FailuresOf(3_000, 20, new SimulationOptions
    {
        Nodes = 5,
        Faults = [SimFault.Cut, SimFault.CutOneWay, SimFault.StoreCutOff, SimFault.Pause],
    }));

    [Fact]
    public void Nodes_that_host_different_types_keep_every_invariant() => Assert.Empty(FailuresOf(4_000, 20, new SimulationOptions { ShardsElsewhere = 4 }));

    [Fact]
    public void Moving_shards_over_full_and_broken_links_keeps_every_invariant() => Assert.Empty(FailuresOf(5_000, 30, new SimulationOptions
    {
        Faults = [SimFault.FullLinks, SimFault.Reset, SimFault.CutChannel, SimFault.Leave],
    }));

    [Fact]
    public void The_same_seed_gives_the_same_trace()
    {
        for (ulong seed = 500; seed < 505; seed++)
        {
            var (once, again) = (Simulation.Run(seed), Simulation.Run(seed));
            Assert.Equal(once.TraceHash, again.TraceHash);
            Assert.Equal(once.Steps, again.Steps);
        }
    }

    [Fact]
    public void Different_seeds_give_different_traces() => Assert.NotEqual(Simulation.Run(1).TraceHash, Simulation.Run(2).TraceHash);

    [Fact]
    public void The_runs_reach_what_they_are_meant_to_reach()
    {
        var reached = new SortedDictionary<string, long>(StringComparer.Ordinal);
        var faults = new SortedSet<SimFault>();
        for (ulong seed = 600; seed < 640; seed++)
        {
            var result = Simulation.Run(seed);
            faults.UnionWith(result.Plan.Faults.Select(f => f.Kind));
            foreach (var (name, count) in result.Reached) reached[name] = reached.GetValueOrDefault(name) + count;
        }
        Assert.Equal(Enum.GetValues<SimFault>().Order(), faults);
        Assert.All(["acks", "refusals", "retried", "unmarked reads", "epochs", "evictions", "left", "in doubt", "lost frames"], name => Assert.True(reached[name] > 0, name));
    }

    private static string[] FailuresOf(ulong first, int count, SimulationOptions options) =>
        [.. SimulationCampaign.Run(first, count, options).Failing.Select(f => f.ToString())];
}
