using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Tests;

public class SimulationTests(ITestOutputHelper output)
{
    private const int Seeds = 2_000;

    [Fact]
    public void No_seed_breaks_an_invariant_and_together_they_meet_what_they_are_meant_to_meet()
    {
        var all = SimulationCampaign.Run(1, Seeds, SimulationScenario.All[SimulationScenario.Mixed]);
        output.WriteLine($"{all.Seeds} runs, {all.Steps:N0} steps, {all.Elapsed.TotalSeconds:F0} s; not met: {string.Join("; ", all.Uncovered)}");
        Assert.Empty(all.Failing.Select(f => f.ToString()));
        Assert.Equal(Enum.GetValues<SimFault>(), all.Faults.Keys);
        Assert.Empty(all.Pairs.Keys.Except(SimCoverage.All));
        Assert.InRange(all.Uncovered.Count, 0, SimCoverage.All.Count / 3);
        Assert.All(["acks", "refusals", "retried", "unmarked reads", "epochs", "evictions", "left", "in doubt", "lost frames", "fenced writes", "effects", "timers fired", "rows truncated"], name => Assert.True(all.Reached[name] > 0, name));
    }

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
    public void A_machine_that_stands_still_with_all_of_its_clocks_does_nothing_for_others_shards_once_it_can_know() =>
        Assert.Empty(FailuresOf(7_000, 40, SimulationScenario.All["stopped-machine"]));

    [Fact]
    public void Timers_fire_once_whatever_becomes_of_their_owners() => Assert.Empty(FailuresOf(6_000, 25, new SimulationOptions { Timers = true }));

    [Fact]
    public void What_is_truncated_is_missed_by_nobody() => Assert.Empty(FailuresOf(7_000, 25, new SimulationOptions { Truncates = true, Clients = 8 }));

    [Fact]
    public void A_store_that_forgets_its_last_commits_is_noticed_by_all_who_remember_more() => Assert.Empty(FailuresOf(8_000, 60, new SimulationOptions { Regresses = true }));

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

    private static string[] FailuresOf(ulong first, int count, SimulationOptions options) =>
        [.. SimulationCampaign.Run(first, count, options).Failing.Select(f => f.ToString())];
}
