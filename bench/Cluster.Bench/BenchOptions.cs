using System.Globalization;

namespace ActorCluster.Bench;

/// <summary>What the command line asks for.</summary>
/// <param name="Name">Row to measure, or <c>all</c>.</param>
/// <param name="Callers">Concurrent callers; 0: the row's own numbers.</param>
/// <param name="Seconds">Length of one window.</param>
/// <param name="GivenRuns">Windows of ours and of the yardstick, taken in turns, of which the medians are reported; 0: the row's own number.</param>
/// <param name="Entities">How many the dead node of <c>rehome</c> has.</param>
/// <param name="Shards">How many shards they are in.</param>
/// <param name="Json">One line of JSON a figure, and nothing else, on standard output.</param>
internal sealed record BenchOptions(string Name, int Callers, double Seconds, int GivenRuns, int Entities, int Shards, bool Json)
{
    public const string Usage = "dotnet run -c Release --project bench/Cluster.Bench -- NAME [--callers N] [--seconds S=3] [--runs R=5] [--entities E=100000] [--shards N=256] [--json]";

    /// <summary>As given, else 5.</summary>
    public int Runs => RunsOr(5);

    /// <summary>Reads the command line.</summary>
    /// <exception cref="ArgumentException">One line that says what is wrong.</exception>
    public static BenchOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new BenchOptions("", 0, 3, 0, 100_000, 256, false);
        for (var i = 0; i < arguments.Count; i++)
        {
            var argument = arguments[i];
            string Value() => ++i < arguments.Count ? arguments[i] : throw new ArgumentException($"{argument} needs a value.");
            options = argument switch
            {
                "--json" => options with { Json = true },
                "--callers" => options with { Callers = Number(argument, Value(), 1, 10_000) },
                "--runs" => options with { GivenRuns = Number(argument, Value(), 1, 1_000) },
                "--entities" => options with { Entities = Number(argument, Value(), 1, 1_000_000) },
                "--shards" => options with { Shards = Number(argument, Value(), 1, 65_536) },
                "--seconds" => options with { Seconds = double.TryParse(Value(), CultureInfo.InvariantCulture, out var s) && s is >= 0.1 and <= 600 ? s : throw new ArgumentException("--seconds takes 0.1 to 600.") },
                _ when argument.StartsWith("--", StringComparison.Ordinal) || options.Name.Length > 0 => throw new ArgumentException($"'{argument}' is not known."),
                _ => options with { Name = argument },
            };
        }
        return options.Name.Length > 0 ? options : throw new ArgumentException("Name a bench.");
    }

    /// <summary>As given, else the row's own number.</summary>
    public int RunsOr(int usual) => GivenRuns > 0 ? GivenRuns : usual;

    private static int Number(string name, string text, int least, int most) =>
        int.TryParse(text, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number : throw new ArgumentException($"{name} takes {least} to {most}, not '{text}'.");
}
