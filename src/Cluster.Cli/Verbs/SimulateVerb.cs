using System.Globalization;
using System.Text;
using System.Text.Json;
using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Cli.Verbs;

/// <summary>Runs many seeds of the deterministic simulator; exit 0 when every invariant held, else 1 and a plan file for each failing seed.</summary>
internal sealed class SimulateVerb : Verb
{
    public override string Name => "simulate";

    public override string Summary => "Runs whole clusters in virtual time, with faults, and checks every invariant.";

    public override IReadOnlyList<VerbOption> Options =>
    [
        new("seeds", "N", "How many runs, 1 to 10,000,000; 2,000 by default."),
        new("from", "SEED", "The first seed; 1 by default."),
        SimulationArguments.Scenario,
        new("shrink", "RUNS", "Runs to spend on making the plan of each of the first three failing seeds small; 400 by default, 0 for none."),
        new("plans", "FOLDER", "Where the plans of failing seeds go; here by default."),
        new("json", null, "One JSON object as the last line, for programs."),
    ];

    public override async Task<int> RunAsync(VerbArguments arguments, TextWriter output, CancellationToken stopping)
    {
        var seeds = arguments.Number("seeds", 2_000, 1, 10_000_000);
        var from = SimulationArguments.SeedOf(arguments, "from") ?? 1;
        var shrink = arguments.Number("shrink", 400, 0, 100_000);
        var options = SimulationArguments.OptionsOf(arguments);
        var result = SimulationCampaign.Run(from, seeds, options);
        foreach (var (failing, i) in result.Failing.Select((f, i) => (f, i)))
        {
            var plan = Save(failing, shrink > 0 && i < 3 && failing.Invariant != "Trace" ? SimulationShrinker.Shrink(failing, shrink) : failing.Plan.Listed() with { Breaks = failing.Invariant }, arguments.Text("plans") ?? ".");
            await output.WriteLineAsync($"seed {failing.Plan.Seed}: {failing.Violations[0]}\nreplay --seed {failing.Plan.Seed} --plan {plan}").ConfigureAwait(false);
        }
        await output.WriteLineAsync(arguments.Has("json") ? Json(result) : Text(result)).ConfigureAwait(false);
        return result.Failing.IsEmpty ? 0 : 1;
    }

    private static string Save(SimulationResult failing, SimulationPlan plan, string folder)
    {
        var file = Path.Combine(folder, $"plan-{failing.Plan.Seed}.json");
        try
        {
            Directory.CreateDirectory(folder);
            File.WriteAllText(file, plan.ToJson());
            return file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"--plans is '{folder}' and the plan of seed {failing.Plan.Seed} cannot be written there: {e.Message}");
        }
    }

    private static string Text(SimulationCampaignResult result)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{result.Seeds} runs, {result.Steps:N0} steps, {result.Violations} violations in {result.Failing.Length} seeds, {result.Elapsed.TotalSeconds:F1} s\n");
        text.Append(CultureInfo.InvariantCulture, $"reached: {string.Join(", ", result.Reached.Select(r => string.Create(CultureInfo.InvariantCulture, $"{r.Value:N0} {r.Key}")))}\n");
        text.Append(CultureInfo.InvariantCulture, $"covered: {CoveredPairs(result)} of {SimulationCampaignResult.AllPairs} (state, event) pairs\n");
        foreach (var pair in result.Uncovered) text.Append(CultureInfo.InvariantCulture, $"  not met: {pair}\n");
        return text.Append(CultureInfo.InvariantCulture, $"faults: {string.Join(", ", result.Faults.Select(f => string.Create(CultureInfo.InvariantCulture, $"{f.Value:N0} {f.Key}")))}").ToString();
    }

    private static int CoveredPairs(SimulationCampaignResult result) => SimulationCampaignResult.AllPairs - result.Uncovered.Count;

    private static string Json(SimulationCampaignResult result)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("seeds", result.Seeds);
            json.WriteNumber("violations", result.Violations);
            json.WriteStartArray("failingSeeds");
            foreach (var failing in result.Failing) json.WriteNumberValue(failing.Plan.Seed);
            json.WriteEndArray();
            json.WriteNumber("coveredPairs", CoveredPairs(result));
            json.WriteNumber("allPairs", SimulationCampaignResult.AllPairs);
            json.WriteNumber("steps", result.Steps);
            json.WriteNumber("seconds", Math.Round(result.Elapsed.TotalSeconds, 1));
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }
}
