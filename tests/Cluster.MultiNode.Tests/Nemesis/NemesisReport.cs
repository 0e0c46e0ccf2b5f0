using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>A fault that was done. Times in milliseconds from the beginning of the first.</summary>
internal sealed record DoneFault(string Kind, string What, long AtMs, long HealedAtMs)
{
    /// <summary>From the healing until every user was answered again and every older command too.</summary>
    public long RecoveryMs { get; set; }
}

/// <summary>The plan as it was carried out, for the file.</summary>
internal sealed record DonePlan(int Seed, int Nodes, int Users, string Network, IReadOnlyList<DoneFault> Faults);

/// <summary>The last line.</summary>
internal sealed record NemesisReport
{
    public double Seconds { get; init; }
    public int Faults { get; init; }
    public required SortedDictionary<string, int> ByKind { get; init; }
    public required IReadOnlyList<string> NotInjected { get; init; }
    public long Sent { get; init; }
    public long Acknowledged { get; init; }
    public long Lost { get; init; }
    public long Duplicates { get; init; }
    public long OutOfOrder { get; init; }

    /// <summary>What the singleton did outside the store.</summary>
    public long SingletonEffects { get; init; }

    /// <summary>How many hosts it did that on, one after the other.</summary>
    public long SingletonTerms { get; init; }

    /// <summary>Effects of a term after one of a later term.</summary>
    public long OverlappingEffects { get; init; }

    public long MaxRecoveryMs { get; init; }

    /// <summary>Everything that must not be and is none of the three above.</summary>
    public int Violations { get; init; }

    /// <summary>What was found, in words.</summary>
    public required IReadOnlyList<string> Findings { get; init; }
    public int Seed { get; init; }
    public int Nodes { get; init; }
    public required string Network { get; init; }
    public long Delivered { get; init; }
    public long LongestWaitMs { get; init; }

    /// <summary>Commands that ended with an error: unknown, neither lost nor acknowledged.</summary>
    public int ClientErrors { get; init; }

    /// <summary>Null where faults were random.</summary>
    public ScenarioResult? Scenario { get; init; }

    [JsonIgnore]
    public bool IsClean => Lost == 0 && Duplicates == 0 && OutOfOrder == 0 && OverlappingEffects == 0 && Violations == 0 && Acknowledged > 0 && SingletonEffects > 0;
}

internal static class NemesisJson
{
    private static readonly NemesisContext Line = new(new JsonSerializerOptions(NemesisContext.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    private static readonly NemesisContext Lines = new(new JsonSerializerOptions(Line.Options) { WriteIndented = true });

    public static string OneLine(NemesisReport report) => JsonSerializer.Serialize(report, Line.NemesisReport);

    public static Task SaveAsync(string folder, NemesisReport report) => File.WriteAllTextAsync(Path.Combine(folder, "report.json"), JsonSerializer.Serialize(report, Lines.NemesisReport) + "\n");

    public static Task SaveAsync(string folder, DonePlan plan) => File.WriteAllTextAsync(Path.Combine(folder, "plan.json"), JsonSerializer.Serialize(plan, Lines.DonePlan) + "\n");
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(NemesisReport))]
[JsonSerializable(typeof(DonePlan))]
internal sealed partial class NemesisContext : JsonSerializerContext;
