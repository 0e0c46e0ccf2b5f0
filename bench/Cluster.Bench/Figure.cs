using System.Text.Json.Nodes;

namespace ActorCluster.Bench;

/// <summary>One figure as it is printed; the names are those that others read.</summary>
internal sealed record Figure(string Bench, double Value, string Unit)
{
    public double? P50Us { get; init; }

    public double? P99Us { get; init; }

    public double? Yardstick { get; init; }

    public double? Ratio { get; init; }

    public double? CpuUsPerOp { get; init; }

    /// <summary>Share of all cores that the hypervisor took away during the windows, 0 to 1.</summary>
    public double? Steal { get; init; }

    /// <summary>Figures that only this row has.</summary>
    public IReadOnlyDictionary<string, double> More { get; init; } = new Dictionary<string, double>();

    public IReadOnlyDictionary<string, JsonNode?> Config { get; init; } = new Dictionary<string, JsonNode?>();

    public string ToJson()
    {
        var line = new JsonObject { ["bench"] = Bench, ["value"] = Round(Value), ["unit"] = Unit };
        Add("p50_us", P50Us);
        Add("p99_us", P99Us);
        line["yardstick"] = Yardstick is { } yardstick ? Round(yardstick) : null;
        line["ratio"] = Ratio is { } ratio ? Round(ratio) : null;
        Add("cpu_us_per_op", CpuUsPerOp);
        Add("steal", Steal);
        foreach (var (name, value) in More) line[name] = Round(value);
        var config = new JsonObject();
        foreach (var (name, value) in Config) config[name] = value?.DeepClone();
        line["config"] = config;
        return line.ToJsonString();

        void Add(string name, double? value)
        {
            if (value is { } given) line[name] = Round(given);
        }
    }

    /// <summary>Four significant digits: more would be noise.</summary>
    private static double Round(double value) =>
        value == 0 || !double.IsFinite(value) ? 0 : Math.Abs(value) >= 1000 ? Math.Round(value) : Math.Round(value, Math.Clamp(3 - (int)Math.Floor(Math.Log10(Math.Abs(value))), 0, 8));
}
