using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using ActorCluster.Sql.Operations;

namespace ActorCluster.Cli.Verbs;

/// <summary>Shows what a store says of its cluster. Reads only, beside running nodes or without them.</summary>
internal sealed class StatusVerb : Verb
{
    public override string Name => "status";

    public override string Summary => "Shows members, leases and shards as a store has them; reads only.";

    public override IReadOnlyList<VerbOption> Options => [StoreOption.Store, new("json", null, "As one JSON object.")];

    public override async Task<int> RunAsync(VerbArguments arguments, TextWriter output, CancellationToken stopping)
    {
        StoreStatus status;
        var store = await StoreOption.AddressOf(arguments).ReadAsync(stopping).ConfigureAwait(false);
        await using (store.ConfigureAwait(false)) status = await StoreStatus.ReadAsync(store).ConfigureAwait(false);
        await output.WriteLineAsync(arguments.Has("json") ? JsonSerializer.Serialize(status, StatusVerbJson.Default.StoreStatus) : InWords(status)).ConfigureAwait(false);
        return 0;
    }

    private static string InWords(StoreStatus status)
    {
        var lines = new List<string>
        {
            status.Store,
            Invariant($"cluster {status.Cluster.Uuid}, generation {status.Cluster.StoreGeneration}, view {status.Cluster.View}"),
            "",
            Invariant($"{"member",-24} {"status",-8} {"up since",9} {"lease",9}  {"link",-22} clients"),
        };
        foreach (var member in status.Members)
        {
            lines.Add(Invariant($"{$"{member.Name}#{member.Inc}",-24} {member.Status,-8} {(member.UpView > 0 ? Invariant($"view {member.UpView}") : "-"),9} {Age(member.LeaseAgeMs),9}  {member.Link,-22} {member.Clients}"));
            if (member.DownReason.Length > 0) lines.Add(Invariant($"  down in view {member.DownView}: {member.DownReason}"));
        }
        if (status.AllowsFailsafe) lines.Add(Invariant($"members that all miss the store go on by each other's word for up to {status.Failsafe}; which mode a node is in, its own status page says"));
        lines.Add("");
        lines.Add(Invariant($"{"shards of",-24} {"owner",-24} {"state",-8} {"count",7}"));
        foreach (var shards in status.Shards)
            lines.Add(Invariant($"{shards.Type,-24} {(shards.Owner is { } owner ? $"{shards.OwnerName}#{owner}" : "nobody"),-24} {shards.State,-8} {shards.Count,7}"));
        return string.Join('\n', lines);
    }

    private static string Age(long? ms) => ms is { } age ? Invariant($"{age / 1000.0:0.0} s") : "-";

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(StoreStatus))]
internal sealed partial class StatusVerbJson : JsonSerializerContext;
