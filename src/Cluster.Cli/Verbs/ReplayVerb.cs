using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Cli.Verbs;

/// <summary>Makes one run again, of a seed or of a plan file; exit 0 when every invariant held, else 1.</summary>
internal sealed class ReplayVerb : Verb
{
    public override string Name => "replay";

    public override string Summary => "Makes one simulated run again, of a seed or of a plan file.";

    public override IReadOnlyList<VerbOption> Options =>
    [
        new("seed", "SEED", "The seed; that of the plan by default."),
        new("plan", "FILE", "The plan that simulate wrote; without it the seed decides everything."),
        SimulationArguments.Scenario,
        new("trace", null, "Prints every step, not only the last ones."),
    ];

    public override async Task<int> RunAsync(VerbArguments arguments, TextWriter output, CancellationToken stopping)
    {
        var seed = SimulationArguments.SeedOf(arguments, "seed");
        if (seed is null && !arguments.Has("plan")) throw new UsageException("replay needs --seed SEED or --plan FILE.");
        if (arguments.Has("plan") && arguments.Has("scenario")) throw new UsageException("--plan and --scenario are given; a plan lists its faults itself.");
        var plan = arguments.Text("plan") is { } file ? Read(file) : SimulationPlan.Draw(seed!.Value, SimulationArguments.OptionsOf(arguments));
        if (seed is { } given && given != plan.Seed) throw new UsageException($"--seed is {given}, but the plan is of seed {plan.Seed}; leave --seed out.");
        var result = Simulation.Run(plan, arguments.Has("trace") ? output.WriteLine : null);
        await output.WriteLineAsync(result.ToString()).ConfigureAwait(false);
        await output.WriteLineAsync($"trace {result.TraceHash:x16}").ConfigureAwait(false);
        return result.Violations.IsEmpty ? 0 : 1;
    }

    private static SimulationPlan Read(string file)
    {
        try
        {
            return SimulationPlan.Parse(File.ReadAllText(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            throw new UsageException($"--plan is '{file}', which is no plan that can be read: {e.Message}");
        }
    }
}
