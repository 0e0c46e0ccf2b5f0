using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using ActorCluster.Persistence;
using ActorCluster.Sql.Operations;

namespace ActorCluster.Cli.Verbs;

/// <summary>Gives a recovered store back what its nodes had acknowledged last and it has lost, from the files that they wrote.</summary>
internal sealed class ReappendVerb : Verb
{
    private const string WithoutUnusable = "without-unusable";
    private const int FilesMax = 1_000;
    private const int ShownMax = 50;

    public override string Name => "reappend";

    public override string Summary => "Gives a recovered store back what nodes had acknowledged and it has lost, from their acked-*.jsonl; all nodes must be stopped.";

    public override IReadOnlyList<string> Operands => ["FILE|FOLDER ..."];

    public override int OperandsMax => FilesMax;

    public override IReadOnlyList<VerbOption> Options =>
    [
        StoreOption.Store,
        new("dry-run", null, "Tells what would be done and changes nothing."),
        new(WithoutUnusable, null, "Goes on without files of which nothing can be used; else one such file, which may be the newest, ends it before anything is written."),
        new("json", null, "As one JSON object."),
    ];

    public override async Task<int> RunAsync(VerbArguments arguments, TextWriter output, CancellationToken stopping)
    {
        if (arguments.Operands.Count == 0 || arguments.Operands.Any(string.IsNullOrWhiteSpace)) throw new UsageException("name the files, or the folders that they lie in: actorcluster reappend FILE|FOLDER ...");
        var address = StoreOption.AddressOf(arguments);
        StoreStatus status;
        var reader = await address.ReadAsync(stopping).ConfigureAwait(false); // Refuses what is no store: opening one would make it.
        await using (reader.ConfigureAwait(false)) status = await StoreStatus.ReadAsync(reader).ConfigureAwait(false);
        var store = address.Store();
        await using var _ = store.ConfigureAwait(false);
        var opened = await store.OpenAsync(new StoreSeed(""), stopping).ConfigureAwait(false);
        if (!opened.IsOk) throw new StoreUnusableException($"{store.Description} cannot be written: {opened.Reason} Nothing was changed.");

        var files = Read(arguments.Operands, opened.Value!);
        if (!arguments.Has(WithoutUnusable)) RefuseUnusable(files.Files);
        var apply = !arguments.Has("dry-run");
        var entities = await new StoreReappend(store, files).RunAsync(apply, stopping).ConfigureAwait(false);
        var report = new ReappendReport(
            status.Store, opened.Value!.StoreGeneration, files.Generation, !apply,
            [.. files.Files.Select(f => new ReappendFile(f.Path, f.Header?.Node, f.Header?.Generation, f.Header?.Rows, f.Read, f.IsPassedOver, f.Faults))],
            entities.Sum(e => e.Appended), entities.Sum(e => e.Present), entities.Sum(e => e.Conflicting), entities.Sum(e => e.Missing), entities.Sum(e => e.Homeless), entities);
        await output.WriteLineAsync(arguments.Has("json") ? JsonSerializer.Serialize(report, ReappendVerbJson.Default.ReappendReport) : InWords(report)).ConfigureAwait(false);
        return report.IsWhole ? 0 : 1;
    }

    private static AckedFiles Read(IReadOnlyList<string> places, ClusterRow cluster)
    {
        try
        {
            var paths = AckedFiles.Find(places);
            if (paths.Length is 0 or > FilesMax) throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{paths.Length} files acked-*.jsonl are there; give 1 to {FilesMax}."));
            return AckedFiles.Read(paths, cluster);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"{e.Message} Nothing was changed.");
        }
    }

    /// <summary>Of which generation such a file is nobody knows: if it is the newest, older ones, which were decided with an earlier recovery, would be given back in its place.</summary>
    private static void RefuseUnusable(ImmutableArray<AckedFile> files)
    {
        var unusable = files.Where(f => f.Header is null).ToList();
        if (unusable.Count == 0) return;
        var named = string.Join("\n", unusable.Take(ShownMax).Select(f => $"  {f.Path}: {string.Join("; ", f.Faults)}"));
        throw new UsageException(string.Create(
            CultureInfo.InvariantCulture, $"{unusable.Count} of {files.Length} files cannot be used:\n{named}\nNothing was changed. Give whole copies of them, or --{WithoutUnusable} to go on without them: their rows stay out then."));
    }

    private static string InWords(ReappendReport report)
    {
        var lines = new List<string> { report.Store };
        foreach (var file in report.Files)
        {
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"{file.Path}: {(file.Node is null ? "not used" : $"{file.Read} rows of {file.Node}, generation {file.Generation}{(file.IsPassedOver ? "; passed over, since others are of a later one" : "")}")}"));
            lines.AddRange(file.Faults.Select(f => $"  {f}"));
        }
        var broken = report.Entities.Where(e => !e.IsWhole).ToList();
        foreach (var e in broken.Take(ShownMax))
        {
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"{e.Entity}: {e.Appended} appended, {e.Present} present, left out {e.Conflicting + e.Missing + e.Homeless}:{(e.Conflicting > 0 ? $" {e.Conflicting} conflicting" : "")}{(e.Missing > 0 ? $" {e.Missing} behind missing rows {e.MissingFrom} to {e.MissingTo}" : "")}{(e.Homeless > 0 ? $" {e.Homeless} without a shard" : "")}"));
        }
        if (broken.Count > ShownMax) lines.Add(string.Create(CultureInfo.InvariantCulture, $"and {broken.Count - ShownMax} more entities; --json has all."));
        lines.Add(string.Create(CultureInfo.InvariantCulture, $"{report.Entities.Length} entities: {report.Appended} rows {(report.DryRun ? "would be appended" : "appended")}, {report.Present} present, {report.Conflicting} conflicting, {report.Missing} behind missing ones, {report.Homeless} without a shard"));
        if (report.DryRun) lines.Add("Nothing was changed.");
        return string.Join('\n', lines);
    }
}

internal sealed record ReappendFile(string Path, string? Node, long? Generation, long? Rows, int Read, bool IsPassedOver, ImmutableArray<string> Faults);

internal sealed record ReappendReport(
    string Store, long Generation, long LostIn, bool DryRun, ImmutableArray<ReappendFile> Files,
    long Appended, long Present, long Conflicting, long Missing, long Homeless, ImmutableArray<EntityReappended> Entities)
{
    /// <summary>Nothing was left out.</summary>
    [JsonIgnore]
    public bool IsWhole => Conflicting + Missing + Homeless == 0 && Files.All(f => f.Faults.IsEmpty);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = false)]
[JsonSerializable(typeof(ReappendReport))]
internal sealed partial class ReappendVerbJson : JsonSerializerContext;
