using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Tests;

/// <summary>What runs once found in the product: their smallest plans, in the folder Plans, play again. Each names the invariant that it broke.</summary>
public class RegressionTests
{
    public static TheoryData<string> Plans => [.. Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Plans"), "*.json").Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Plans))]
    public void What_was_found_is_mended(string name)
    {
        var plan = SimulationPlan.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Plans", name)));
        Assert.NotNull(plan.Breaks);
        Assert.Contains(plan.Breaks, SimInvariants.All.Keys);
        var result = Simulation.Run(plan);
        Assert.True(result.Violations.IsEmpty, string.Join(" | ", result.Violations));
    }
}
