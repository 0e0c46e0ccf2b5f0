using System.Globalization;
using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Cli.Verbs;

/// <summary>What <c>simulate</c> and <c>replay</c> read alike.</summary>
internal static class SimulationArguments
{
    public static VerbOption Scenario { get; } = new("scenario", "NAME", $"Which faults to draw from: {string.Join(", ", SimulationScenario.All.Keys)}; {SimulationScenario.Mixed} by default.");

    public static SimulationOptions OptionsOf(VerbArguments arguments) =>
        SimulationScenario.All.TryGetValue(arguments.Text("scenario") ?? SimulationScenario.Mixed, out var options) ? options
        : throw new UsageException($"--scenario is '{arguments.Text("scenario")}'; give one of {string.Join(", ", SimulationScenario.All.Keys)}.");

    public static ulong? SeedOf(VerbArguments arguments, string option)
    {
        if (arguments.Text(option) is not { } text) return null;
        if (ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seed)) return seed;
        throw new UsageException($"--{option} is '{text}'; give a whole number from 0 to {ulong.MaxValue}.");
    }
}
