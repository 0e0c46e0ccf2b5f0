using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sql.Operations;

namespace ActorCluster.Cli.Verbs;

/// <summary>Shows the settings that all nodes of a cluster go by, and changes them while no node runs.</summary>
internal sealed class SettingsVerb : Verb
{
    public override string Name => "settings";

    public override string Summary => "Shows the settings that all nodes share; with set, changes them while no node runs.";

    public override IReadOnlyList<string> Operands => ["[set KEY VALUE ...]"];

    public override int OperandsMax => 1 + (2 * SharedSettings.Keys.Count());

    public override IReadOnlyList<VerbOption> Options => [StoreOption.Store, new("json", null, "As one JSON object.")];

    public override async Task<int> RunAsync(VerbArguments arguments, TextWriter output, CancellationToken stopping)
    {
        var words = arguments.Operands;
        if (words.Count > 0 && (words[0] != "set" || words.Count < 3 || words.Count % 2 == 0))
            throw new UsageException("give settings, or settings set KEY VALUE and further keys and values.");
        var address = StoreOption.AddressOf(arguments);
        var (stored, place) = await ReadAsync(address, stopping).ConfigureAwait(false);
        if (words.Count > 0)
        {
            await ChangeAsync(address, stored, words, stopping).ConfigureAwait(false);
            (stored, _) = await ReadAsync(address, stopping).ConfigureAwait(false);
        }
        await output.WriteLineAsync(arguments.Has("json") ? JsonSerializer.Serialize(stored, SettingsVerbJson.Default.StoredSettings) : InWords(place, stored)).ConfigureAwait(false);
        return 0;
    }

    /// <summary>By a reader, which changes nothing: to open a store makes it where there is none, and brings an older one up to date.</summary>
    private static async Task<(StoredSettings Stored, string Place)> ReadAsync(StoreAddress address, CancellationToken stopping)
    {
        var reader = await address.ReadAsync(stopping).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            var version = await reader.NumberAsync("SELECT settings_ver FROM cluster WHERE id=1").ConfigureAwait(false);
            if (version == 0) throw new StoreUnusableException($"{reader.Description} has only a digest of its settings, since an earlier release made it: start one node of this release with the cluster's values, which writes them down.");
            var values = await reader.ListAsync("SELECT key, value FROM setting").ConfigureAwait(false);
            return (new StoredSettings(version, values.ToImmutableSortedDictionary(v => (string)v[0]!, v => (string)v[1]!)), reader.Description);
        }
    }

    private static async Task ChangeAsync(StoreAddress address, StoredSettings stored, IReadOnlyList<string> words, CancellationToken stopping)
    {
        var store = address.Store();
        await using var _ = store.ConfigureAwait(false);
        var opened = await store.OpenAsync(new StoreSeed(""), stopping).ConfigureAwait(false);
        if (!opened.IsOk) throw new StoreUnusableException($"{store.Description} cannot be opened: {opened.Reason}");
        var before = SharedSettings.Apply(new ClusterOptions(), stored.Values, out var unknown);
        if (unknown.Length > 0) throw new UsageException($"the cluster's settings are a later release's: {string.Join(' ', unknown)} Use its actorcluster.");
        var wanted = SharedSettings.Of(before).ToBuilder();
        for (var i = 1; i < words.Count; i += 2)
            wanted[SharedSettings.Keys.FirstOrDefault(k => k.Equals(words[i], StringComparison.OrdinalIgnoreCase)) ?? words[i]] = words[i + 1];
        var after = SharedSettings.Apply(new ClusterOptions(), wanted.ToImmutable(), out var unreadable);
        var members = Ok(await store.ReadClusterAsync().ConfigureAwait(false)).Members;
        // The lease's other times are each node's own; as they ship, they are the least that it needs.
        if (unreadable.Concat(SharedSettings.Faults(after, [.. members.Select(m => m.Name).Distinct()])).Concat(ResolverChoice.Unused(after.Downing)).Concat(FaultsOfRole(after.Downing, members)).ToList() is { Count: > 0 } faults)
            throw new UsageException(string.Join(' ', faults));

        var values = SharedSettings.Of(after);
        if (SharedSettings.Differences(before, after).IsEmpty) throw new UsageException($"that is what the cluster's settings (version {stored.Version}) say already.");
        await new SettingsWrite(store, WatchedFor(before)).RunAsync(new SettingsChange(stored.Version, values, ClusterDigest.Of(after)), stopping).ConfigureAwait(false);
    }

    /// <summary>A node may act for longer than its lease lives where members may go on by each other's word.</summary>
    private static ProtocolTimes WatchedFor(ClusterOptions before) => before.Downing.Failsafe > before.Times.LeaseTtl ? before.Times with { LeaseTtl = before.Downing.Failsafe } : before.Times;

    private static IEnumerable<string> FaultsOfRole(DowningOptions downing, ImmutableArray<MemberRow> members) =>
        downing.Role.Length == 0 || members.IsEmpty || members.Any(m => m.Roles.Contains(downing.Role, StringComparer.Ordinal)) ? []
            : [$"Cluster:Downing:Role is '{downing.Role}', which no node that the store knows has; give one of {string.Join(", ", members.SelectMany(m => m.Roles).Distinct().Order(StringComparer.Ordinal).DefaultIfEmpty("(none has a role)"))}, or nothing."];

    private static T Ok<T>(StoreResult<T> result) => result.IsOk ? result.Value! : throw new StoreUnusableException($"The store cannot be read: {result.Reason}");

    private static string InWords(string place, StoredSettings stored)
    {
        var shipped = SharedSettings.Of(new ClusterOptions());
        return string.Join('\n', stored.Values
            .Select(s => $"{s.Key,-32} {(s.Value.Length > 0 ? s.Value : "-"),-24} {(shipped.GetValueOrDefault(s.Key) == s.Value ? "" : "changed")}".TrimEnd())
            .Prepend(string.Create(CultureInfo.InvariantCulture, $"version {stored.Version}"))
            .Prepend(place));
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(StoredSettings))]
internal sealed partial class SettingsVerbJson : JsonSerializerContext;
