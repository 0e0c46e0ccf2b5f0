using System.Collections.Concurrent;
using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Tests;

/// <summary>A checker that never fails proves nothing: each planted bug is found, within the stated number of seeds, by the checker that is there for it.</summary>
public class MutationTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_planted_bug_is_found()
    {
        var wrong = new ConcurrentBag<string>();
        Parallel.ForEach(PlantedBugs.All.OrderByDescending(b => b.Seeds), new ParallelOptions { MaxDegreeOfParallelism = 2 }, bug =>
        {
            var found = bug.Find();
            output.WriteLine($"{bug.Name}: {(found is null ? "survived" : $"seed {found.Plan.Seed}, {found.Violations[0]}")}");
            if (found is null) wrong.Add($"{bug.Name}: {bug.Seeds} seeds passed.");
            else if (!bug.Breaks.Contains(found.Invariant!)) wrong.Add($"{bug.Name}: seed {found.Plan.Seed} broke {found.Violations[0]}, not {string.Join(" or ", bug.Breaks)}.");
        });
        Assert.Empty(wrong);
    }

    [Fact]
    public void A_draw_that_the_seed_does_not_decide_is_found() =>
        Assert.Equal("Trace", Assert.Single(SimulationCampaign.Run(1, 1, new SimulationOptions { Mutation = SimMutation.DrawsOutsideTheSeed }).Failing).Invariant);

    [Fact]
    public void Every_invariant_has_a_bug_that_breaks_it() =>
        Assert.Empty(SimInvariants.All.Keys.Except(PlantedBugs.All.SelectMany(b => b.Breaks)).Except(["Trace"]));

    [Fact]
    public void Every_planted_bug_is_in_the_list() =>
        Assert.Empty(Enum.GetValues<SimMutation>().Except(PlantedBugs.All.Select(b => b.Options.Mutation)).Except([SimMutation.None, SimMutation.DrawsOutsideTheSeed]));
}
