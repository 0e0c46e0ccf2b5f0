using System.Text.Json;
using ActorCluster.Cli;
using ActorCluster.Cli.Verbs;
using ActorCluster.Primitives;
using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Tests.Cli;

public sealed class SimulateVerbTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("simulate").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Clean_seeds_end_with_0_and_one_object()
    {
        var (code, output, _) = await Run("simulate --seeds 2 --from 40 --json");
        using var json = JsonDocument.Parse(output.TrimEnd().Split('\n')[^1]);
        Assert.Equal(0, code);
        Assert.Equal(2, json.RootElement.GetProperty("seeds").GetInt32());
        Assert.Equal(0, json.RootElement.GetProperty("violations").GetInt32());
        Assert.Equal(0, json.RootElement.GetProperty("failingSeeds").GetArrayLength());
        Assert.True(json.RootElement.GetProperty("seconds").GetDouble() >= 0);
    }

    [Fact]
    public async Task A_plan_that_breaks_an_invariant_ends_with_1_and_says_which()
    {
        var plan = SimulationPlan.Draw(1, new SimulationOptions { Mutation = SimMutation.AckBeforeCommit, Faults = [SimFault.SlowStore] });
        var file = Path.Combine(_folder, "plan.json");
        await File.WriteAllTextAsync(file, plan.Listed().ToJson());
        var (code, output, _) = await Run($"replay --seed 1 --plan {file}");
        Assert.Equal(1, code);
        Assert.StartsWith("Seed 1:\nI", output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Equal((1, output), await Run($"replay --plan {file}") is var (again, same, _) ? (again, same) : default);
    }

    [Fact]
    public async Task A_seed_replays_without_a_plan()
    {
        var (code, output, _) = await Run("replay --seed 41");
        Assert.Equal(0, code);
        Assert.Contains("no violation", output, StringComparison.Ordinal);
        Assert.Contains($"trace {Simulation.Run(41, SimulationScenario.All[SimulationScenario.Mixed]).TraceHash:x16}", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("simulate --seeds 0", "--seeds is '0'")]
    [InlineData("simulate --scenario weather", "--scenario is 'weather'; give one of")]
    [InlineData("simulate --from -1", "--from is '-1'")]
    [InlineData("replay", "replay needs --seed SEED or --plan FILE.")]
    [InlineData("replay --plan nowhere.json", "--plan is 'nowhere.json', which is no plan that can be read")]
    public async Task What_cannot_be_run_is_refused(string line, string fault)
    {
        var (code, _, error) = await Run(line);
        Assert.Equal(ExitCodes.Refused, code);
        Assert.Contains(fault, error, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Error)> Run(string line)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await new CommandLine([new SimulateVerb(), new ReplayVerb()]).RunAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries), output, error, CancellationToken.None);
        return (code, output.ToString(), error.ToString());
    }
}
