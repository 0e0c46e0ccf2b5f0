using System.Globalization;

namespace ActorCluster.Demo;

/// <summary>What the command line asks for; every default stands here.</summary>
internal sealed record DemoOptions
{
    public const string Usage =
        """
        ./demo.sh [--input F] [--skip M] [--events N] [--speed X] [--nodes 3] [--kill K] [--windows W] [--rolling] [--seed S] [--keep] [--json]

          --input F     chat lines to replay, JSON a line, plain or gzip; without it traffic of the same shape is generated
          --skip M      leave out M lines; they only decide who is in which room at the start (0)
          --events N    lines to replay, 0 or 'all' for all that are left (30000)
          --speed X     X times as fast as it happened; 0: as fast as the cluster answers (0)
          --nodes n     node processes, 1 to 9 (3)
          --kill K      SIGKILL the K-th node in start order, 1 the oldest, at 40 % of the lines, start it again at 70 %; 0: none (2)
          --windows W   W windows of N lines spread evenly over the input, each on fresh nodes; the killed node rotates (1)
          --rolling     instead of a kill, restart all nodes one after another in an orderly way under traffic
          --seed S      seed of generated traffic (1)
          --keep        keep the data folder and the nodes' logs, and say where
          --json        end with one line of JSON on standard output

        Exit code 0: clean. 1: lost, duplicated or reordered messages, any command that waited above 5 s for its answer, or another
        fault that is named.
        2: could not run.
        """;

    public string? Input { get; init; }
    public int Skip { get; init; }

    /// <summary>Lines to replay; 0 means to the end.</summary>
    public int Events { get; init; } = 30_000;

    /// <summary>Times real time; 0 means no pacing.</summary>
    public double Speed { get; init; }
    public int Nodes { get; init; } = 3;

    /// <summary>Node to kill, counted from 1 in start order; 0 for none.</summary>
    public int Kill { get; init; } = 2;
    public int Windows { get; init; } = 1;
    public bool Rolling { get; init; }
    public int Seed { get; init; } = 1;
    public bool Keep { get; init; }
    public bool Json { get; init; }
    public bool Help { get; init; }

    /// <summary>The sample server to start; demo.sh passes where it built it.</summary>
    public string Sample { get; init; } = Path.Combine(AppContext.BaseDirectory, "Cluster.Sample.dll");

    /// <summary>Reads the command line.</summary>
    /// <exception cref="CouldNotRunException">An option is unknown or its value out of range; the message says the range.</exception>
    public static DemoOptions Parse(IReadOnlyList<string> args)
    {
        var options = new DemoOptions();
        var killGiven = false;
        for (var i = 0; i < args.Count; i++)
        {
            var name = args[i];
            // Asked for by the options that take a value only.
            string Value() => ++i < args.Count ? args[i] : throw new CouldNotRunException($"{name} needs a value; see --help.");
            options = name switch
            {
                "--input" => options with { Input = Value() },
                "--skip" => options with { Skip = Whole(name, Value(), 0, int.MaxValue) },
                "--events" => options with { Events = Value() is var v && v == "all" ? 0 : Whole(name, v, 0, int.MaxValue) },
                "--speed" => options with { Speed = Factor(name, Value()) },
                "--nodes" => options with { Nodes = Whole(name, Value(), 1, 9) },
                "--kill" => options with { Kill = Whole(name, Value(), 0, 9) },
                "--windows" => options with { Windows = Whole(name, Value(), 1, 1_000) },
                "--rolling" => options with { Rolling = true },
                "--seed" => options with { Seed = Whole(name, Value(), 0, int.MaxValue) },
                "--keep" => options with { Keep = true },
                "--json" => options with { Json = true },
                "--sample" => options with { Sample = Value() },
                "--help" or "-h" => options with { Help = true },
                _ => throw new CouldNotRunException($"{name} is not an option; see --help."),
            };
            killGiven |= name == "--kill";
        }
        if (!killGiven && (options.Rolling || options.Nodes < 2)) options = options with { Kill = 0 };
        return options.Checked();
    }

    private DemoOptions Checked()
    {
        if (Kill > Nodes) throw new CouldNotRunException($"--kill is {Kill}, but there are {Nodes} nodes; give 0 to {Nodes}.");
        if (Kill > 0 && Nodes < 2) throw new CouldNotRunException("--kill needs a second node that takes over; give --nodes 2 or more, or --kill 0.");
        if (Rolling && Kill > 0) throw new CouldNotRunException($"--rolling and --kill {Kill} exclude each other; give one of them.");
        if (Rolling && Nodes < 2) throw new CouldNotRunException("--rolling needs a node that stays up; give --nodes 2 or more.");
        if (Input is null && Events == 0) throw new CouldNotRunException("--events all needs an --input; generated traffic has no end.");
        return this;
    }

    private static int Whole(string name, string value, int min, int max) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max
            ? number
            : throw new CouldNotRunException($"{name} is '{value}'; it must be a whole number from {min} to {max}.");

    private static double Factor(string name, string value) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) && number >= 0
            ? number
            : throw new CouldNotRunException($"{name} is '{value}'; it must be a number of at least 0.");
}
