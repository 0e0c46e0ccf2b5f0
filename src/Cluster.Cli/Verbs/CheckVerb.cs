using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using ActorCluster.Sql.Operations;

namespace ActorCluster.Cli.Verbs;

/// <summary>Holds a store to the protocol's invariants. Reads only, beside running nodes or without them.</summary>
internal sealed class CheckVerb : Verb
{
    public override string Name => "check";

    public override string Summary => "Checks a store against the protocol's invariants; exit 1 and a line for each that is broken.";

    public override IReadOnlyList<VerbOption> Options => [StoreOption.Store, new("json", null, "As one JSON object.")];

    public override async Task<int> RunAsync(VerbArguments arguments, TextWriter output, CancellationToken stopping)
    {
        CheckReport report;
        var store = await StoreOption.AddressOf(arguments).ReadAsync(stopping).ConfigureAwait(false);
        await using (store.ConfigureAwait(false))
        {
            var violations = await StoreChecks.RunAsync(store).ConfigureAwait(false);
            report = new CheckReport(
                store.Description, StoreChecks.Names.Count(), await store.NumberAsync("SELECT count(*) FROM shard").ConfigureAwait(false),
                await store.NumberAsync("SELECT count(*) FROM journal").ConfigureAwait(false), violations);
        }
        if (arguments.Has("json"))
            await output.WriteLineAsync(JsonSerializer.Serialize(report, CheckVerbJson.Default.CheckReport)).ConfigureAwait(false);
        else if (report.Violations.Count == 0)
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{report.Store}: clean by {report.Checks} checks of {report.Shards} shards and {report.JournalRows} journal rows.")).ConfigureAwait(false);
        else
            foreach (var violation in report.Violations) await output.WriteLineAsync(violation.ToString()).ConfigureAwait(false);
        return report.Violations.Count == 0 ? 0 : 1;
    }

    internal sealed record CheckReport(string Store, int Checks, long Shards, long JournalRows, List<StoreViolation> Violations);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(CheckVerb.CheckReport))]
internal sealed partial class CheckVerbJson : JsonSerializerContext;
