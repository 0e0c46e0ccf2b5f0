using System.Globalization;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>What a run of the nemesis was asked for.</summary>
internal sealed record NemesisOptions
{
    public const string Usage = "usage: ./test.sh --nemesis TIME (90s, 20m, 1h; at most 24h) [--nodes 2..9] [--seed S] [--users 2..64] [--only KIND[,KIND]] [--scenario NAME [--runs R]] [--relay] [--keep] [--json]";

    /// <summary>How long faults are injected, 10 s to 24 h; starting, healing and checking come on top.</summary>
    public TimeSpan Time { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Node processes, 2 to 9.</summary>
    public int Nodes { get; init; } = 3;

    /// <summary>Decides which faults come, in which order and how long they last.</summary>
    public int Seed { get; init; }

    /// <summary>Users who talk meanwhile, 2 to 64.</summary>
    public int Users { get; init; } = 8;

    /// <summary>Kinds of faults to choose from; empty: all that can be injected here.</summary>
    public IReadOnlyList<string> Only { get; init; } = [];

    /// <summary>A named scenario in place of random faults; null: none.</summary>
    public string? Scenario { get; init; }

    /// <summary>Repetitions of a scenario, 1 to 100; 0: as many as it has by default.</summary>
    public int Runs { get; init; }

    /// <summary>Relays on the loopback although namespaces were allowed.</summary>
    public bool Relay { get; init; }

    /// <summary>Keep logs although all was clean.</summary>
    public bool Keep { get; init; }

    /// <summary>The last line on standard output is the result in JSON.</summary>
    public bool Json { get; init; }

    /// <summary>End when standard input does: the parent is gone.</summary>
    public bool Tied { get; init; }

    /// <summary>The run's folder, given to the process inside the namespaces.</summary>
    public string? Inside { get; init; }

    /// <exception cref="FormatException">An argument is unknown or out of range.</exception>
    public static NemesisOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new NemesisOptions { Seed = Random.Shared.Next(1, 1_000_000) };
        for (var i = 0; i < arguments.Count; i++)
        {
            options = arguments[i] switch
            {
                "--json" => options with { Json = true },
                "--keep" => options with { Keep = true },
                "--relay" => options with { Relay = true },
                "--tied" => options with { Tied = true },
                "--nodes" => options with { Nodes = Number(2, 9) },
                "--users" => options with { Users = Number(2, 64) },
                "--seed" => options with { Seed = Number(0, int.MaxValue) },
                "--runs" => options with { Runs = Number(1, 100) },
                "--only" => options with { Only = Next().Split(',', StringSplitOptions.RemoveEmptyEntries) },
                "--scenario" => options with { Scenario = Next() },
                "--inside" => options with { Inside = Next() },
                var time when time.Length > 1 && char.IsAsciiDigit(time[0]) => options with { Time = TimeOf(time) },
                var unknown => throw new FormatException($"'{unknown}' is no argument of the nemesis. {Usage}"),
            };

            string Next() => ++i < arguments.Count ? arguments[i] : throw new FormatException($"{arguments[i - 1]} needs a value. {Usage}");

            int Number(int least, int most) => int.TryParse(Next(), NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
                ? value
                : throw new FormatException($"{arguments[i - 1]} is '{arguments[i]}'; give {least} to {most}.");
        }
        return options;
    }

    private static TimeSpan TimeOf(string text)
    {
        var unit = text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3_600, _ => 0 };
        return int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count) && (long)count * unit is >= 10 and <= 86_400
            ? TimeSpan.FromSeconds((long)count * unit)
            : throw new FormatException($"The time is '{text}'; give 10s to 24h.");
    }
}
