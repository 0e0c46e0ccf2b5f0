using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Tests;

public class SimulationShrinkerTests
{
    [Fact]
    public void A_failing_plan_is_made_small_and_breaks_the_same_invariant()
    {
        var bug = PlantedBugs.All.Single(b => b.Options.Mutation == SimMutation.SkipResolve);
        var failing = bug.Find()!;
        var listed = failing.Plan.Listed();
        var small = SimulationShrinker.Shrink(failing, runsMax: 150);
        var again = Simulation.Run(SimulationPlan.Parse(small.ToJson()));
        Assert.Equal(failing.Invariant, again.Invariant);
        Assert.Equal(failing.Invariant, small.Breaks);
        Assert.InRange(small.Operations!.Value.Length, 1, listed.Operations!.Value.Length / 10);
        Assert.InRange(small.Faults.Length, 1, listed.Faults.Length);
        Assert.All(small.Faults, f => Assert.Equal(0, f.AtMs % 100));
    }

    [Fact]
    public void A_run_that_broke_nothing_is_not_shrunk() =>
        Assert.Contains("broke no invariant", Assert.Throws<ArgumentException>(() => SimulationShrinker.Shrink(Simulation.Run(1))).Message, StringComparison.Ordinal);
}
