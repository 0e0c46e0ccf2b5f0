using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using ActorCluster.Cli.Explain;
using ActorCluster.Downing;
using ActorCluster.Hosting;

namespace ActorCluster.Cli.Verbs;

/// <summary>Walks all cuts of a cluster of equal nodes, n1 the oldest, with the code that decides at run time.</summary>
internal sealed class ExplainVerb : Verb
{
    /// <summary>Which witness it is makes no difference to the cuts; only who sees it does.</summary>
    private static readonly SortedDictionary<string, string> StandIns = new(StringComparer.Ordinal) { ["url"] = "http://witness/", ["tcp"] = "tcp://witness:1", ["file"] = "file:///witness" };

    public override string Name => "explain";

    public override string Summary => "Shows who lives after each cut of the network, and how soon.";

    public override IReadOnlyList<VerbOption> Options =>
    [
        new("nodes", "N", "How many, 2 to 6; 3 by default."),
        new("resolver", "NAME", "Strategy, as in Cluster:Downing:Strategy; keep-majority by default."),
        new("minority", "late|stop", "As in Cluster:Downing:Minority."),
        new("quorum", "N", "As in Cluster:Downing:QuorumSize; more than half by default."),
        new("referee", "NODE", "As in Cluster:Downing:Referee; n1 by default."),
        new("witness", "none|url|tcp|file|store|URL,...", "As in Cluster:Downing:Witnesses, or the kind alone, for keep-referee: also varies which groups see it; none by default."),
        new("strict", null, "As in Cluster:Downing:Strict."),
        new("stores", null, "Also vary which groups reach the store; else all do."),
        new("json", null, "For programs."),
        new("html", "FILE", "Writes one page for people instead."),
    ];

    public override async Task<int> RunAsync(VerbArguments arguments, TextWriter output, CancellationToken stopping)
    {
        var nodes = arguments.Number("nodes", 3, 2, 6);
        var options = new DowningOptions
        {
            Strategy = arguments.Text("resolver") ?? "keep-majority",
            Minority = arguments.Text("minority") ?? "late",
            QuorumSize = arguments.Number("quorum", (nodes / 2) + 1, 1, 1000),
            Witnesses = arguments.Text("witness") is { } given && given != "none" ? string.Join(',', given.Split(',', StringSplitOptions.TrimEntries).Select(w => StandIns.GetValueOrDefault(w, w))) : "",
            Strict = arguments.Has("strict"),
        };
        var hasWitness = options.Witnesses.Length > 0;
        var asksWitness = hasWitness && options.Strategy == "keep-referee";
        options.Referee = arguments.Text("referee") ?? (asksWitness ? "" : "n1");
        if (ResolverChoice.IsOwn(options.Strategy) || !ResolverChoice.Knows(options.Strategy))
            throw new UsageException($"--resolver is '{options.Strategy}', which is none of keep-majority, static-quorum, keep-oldest, keep-referee, lease-majority and down-all. A policy that a program brings itself is in that program, not in this one: walk its cuts from a test, CutWalk.All(policy, nodes: {nodes}), see docs/testing.md.");
        if (ResolverChoice.Faults(options, CutWalk.Names(nodes)).FirstOrDefault() is { } fault) throw new UsageException(fault);
        if (arguments.Has("json") && arguments.Has("html")) throw new UsageException("--json and --html are given; give one of them.");
        var cuts = CutWalk.All(ResolverChoice.Make(options), nodes, arguments.Has("stores"), asksWitness);
        var scores = CutTable.Compare(nodes, hasWitness);
        var unasked = hasWitness && !asksWitness ? $"{options.Strategy} asks no witness: it decides alike, whoever sees one. --resolver keep-referee asks." : "";
        if (arguments.Text("html") is { } file) await Write(file, CutPage.Of(Described(options) + (unasked.Length > 0 ? ", which asks no witness" : ""), nodes, cuts, scores), stopping).ConfigureAwait(false);
        else await output.WriteLineAsync(arguments.Has("json") ? Json(cuts, scores) : unasked + (unasked.Length > 0 ? "\n\n" : "") + Text(cuts, scores, asksWitness)).ConfigureAwait(false);
        return 0;
    }

    private static async Task Write(string file, string page, CancellationToken stopping)
    {
        try
        {
            await File.WriteAllTextAsync(file, page, stopping).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UsageException($"--html is '{file}' and cannot be written: {e.Message}");
        }
    }

    private static string Described(DowningOptions options) => options.Strategy switch
    {
        "keep-majority" when options.Minority == "stop" => "keep-majority, minority=stop",
        "static-quorum" => string.Create(CultureInfo.InvariantCulture, $"static-quorum {options.QuorumSize}"),
        "keep-referee" => (options.Witnesses.Length > 0 ? "keep-referee by witness" : $"keep-referee {options.Referee}") + (options.Strict ? ", strict" : ""),
        "keep-oldest" when options.Strict => "keep-oldest, strict",
        var name => name,
    };

    private static string Text(ImmutableArray<Cut> cuts, ImmutableArray<Score> scores, bool asksWitness)
    {
        var text = new StringBuilder();
        foreach (var cut in cuts)
        {
            text.Append(CultureInfo.InvariantCulture, $"{string.Join(" | ", cut.Groups)}   store: {Some(cut, cut.Store)}{(asksWitness ? $"   witness: {Some(cut, cut.Witness)}" : "")}");
            text.Append(CultureInfo.InvariantCulture, $"   lives: {Or(cut.Lives)}   stops: {Or(cut.Stops)}   {cut.Seconds:F1} s{(cut.Flag.Length > 0 ? $"   ! {cut.Flag}" : "")}\n");
        }
        text.Append(CultureInfo.InvariantCulture, $"\nOver all cuts and all groups that may reach the store:\n{"",-33}{"nobody or two serve",20}{"minority serves",17}{"ordinary cut",14}{"mean",8}\n");
        foreach (var score in scores)
            text.Append(CultureInfo.InvariantCulture, $"{score.Strategy,-33}{$"{score.Bad} of {score.Cuts}",20}{score.Minority,17}{score.OrdinarySeconds,12:F1} s{score.Seconds,6:F1} s\n");
        return text.Append(CultureInfo.InvariantCulture, $"\nrecommended: {CutTable.Recommend(scores)}").ToString();
    }

    private static string Json(ImmutableArray<Cut> cuts, ImmutableArray<Score> scores)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartArray("cuts");
            foreach (var cut in cuts)
            {
                json.WriteStartObject();
                foreach (var (name, values) in new[] { ("groups", cut.Groups), ("store", cut.Store), ("witness", cut.Witness), ("lives", cut.Lives), ("stops", cut.Stops) })
                {
                    json.WriteStartArray(name);
                    foreach (var value in values) json.WriteStringValue(value);
                    json.WriteEndArray();
                }
                json.WriteNumber("seconds", Math.Round(cut.Seconds, 1));
                json.WriteString("flag", cut.Flag);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteString("recommendation", CutTable.Recommend(scores));
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static string Some(Cut cut, ImmutableArray<string> groups) => groups.IsEmpty ? "nobody" : groups.Length == cut.Groups.Length ? "all" : string.Join(", ", groups);

    private static string Or(ImmutableArray<string> names) => names.IsEmpty ? "nobody" : string.Join(' ', names);
}
