using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using ActorCluster.Downing;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Cli.Verbs;

/// <summary>Walks all cuts of a cluster of equal nodes, n1 the oldest, with the code that decides at run time.</summary>
internal sealed class ExplainVerb : Verb
{
    private static readonly ProtocolTimes Times = new();

    public override string Name => "explain";

    public override string Summary => "Shows who lives after each cut of the network, and how soon.";

    public override IReadOnlyList<VerbOption> Options =>
    [
        new("nodes", "N", "How many, 2 to 6; 3 by default."),
        new("resolver", "NAME", "Strategy, as in Cluster:Downing:Strategy; keep-majority by default."),
        new("minority", "late|stop", "As in Cluster:Downing:Minority."),
        new("quorum", "N", "As in Cluster:Downing:QuorumSize; more than half by default."),
        new("referee", "NODE", "As in Cluster:Downing:Referee; n1 by default."),
        new("stores", null, "Also vary which groups reach the store; else all do."),
        new("json", null, "For programs."),
    ];

    public override async Task<int> RunAsync(VerbArguments arguments, TextWriter output, CancellationToken stopping)
    {
        var nodes = arguments.Number("nodes", 3, 2, 6);
        var options = new DowningOptions
        {
            Strategy = arguments.Text("resolver") ?? "keep-majority",
            Minority = arguments.Text("minority") ?? "late",
            QuorumSize = arguments.Number("quorum", (nodes / 2) + 1, 1, 1000),
            Referee = arguments.Text("referee") ?? "n1",
        };
        if (ResolverChoice.Faults(options, [.. Members(nodes).Select(m => m.Name)]).FirstOrDefault() is { } fault) throw new UsageException(fault);
        var cuts = Walk(ResolverChoice.Make(options), nodes, arguments.Has("stores"));
        var recommendation = Recommend(nodes);
        await output.WriteLineAsync(arguments.Has("json") ? Json(cuts, recommendation) : Text(cuts, recommendation)).ConfigureAwait(false);
        return 0;
    }

    private static List<Cut> Walk(SplitBrainResolver resolver, int nodes, bool allStores)
    {
        var members = Members(nodes);
        var cuts = new List<Cut>();
        foreach (var groups in PartitionTrial.PartitionsOf(nodes).Where(g => g.Max() > 0))
        {
            var sides = groups.Max() + 1;
            for (var reach = (1 << sides) - 1; reach >= (allStores ? 0 : (1 << sides) - 1); reach--)
            {
                var outcome = PartitionTrial.Run(resolver, Times, members, groups, [.. groups.Select(g => (reach & (1 << g)) != 0)]);
                var lives = outcome.Lives.Select(inc => groups[inc.Value - 1]).Distinct().Count();
                var flag = reach == 0 ? (lives == 0 ? "all stop" : "no store: all freeze")
                    : lives == 0 ? "all stop"
                    : lives > 1 ? "undecided"
                    : outcome.Seconds >= Times.Unresolved.TotalSeconds ? "all wait" : "";
                var named = Enumerable.Range(0, sides).Select(s => string.Join(' ', members.Where((_, i) => groups[i] == s).Select(m => m.Name))).ToImmutableArray();
                cuts.Add(new Cut(
                    named, [.. named.Where((_, s) => (reach & (1 << s)) != 0)], Names(outcome.Lives), Names(members.Select(m => m.Inc).Except(outcome.Lives)), outcome.Seconds, flag));
            }
        }
        return cuts;
    }

    /// <summary>The strategy with the fewest flagged cuts over all sets of groups that reach the store, then the soonest.</summary>
    private static string Recommend(int nodes) =>
        new SplitBrainResolver[] { new KeepMajority(), new LeaseMajority(), new KeepOldest(), new StaticQuorum((nodes / 2) + 1) }
            .Select(r => (r.Name, Cuts: Walk(r, nodes, allStores: true)))
            .Select(r => (r.Name, Flagged: r.Cuts.Count(c => c.Flag.Length > 0), r.Cuts.Count, Mean: r.Cuts.Average(c => c.Seconds)))
            .OrderBy(r => (r.Flagged, r.Mean))
            .Select(r => string.Create(CultureInfo.InvariantCulture, $"{r.Name}: {r.Flagged} of {r.Count} cuts flagged over all groups that may reach the store, {r.Mean:F1} s on average"))
            .First();

    private static string Text(List<Cut> cuts, string recommendation)
    {
        var text = new StringBuilder();
        foreach (var cut in cuts)
        {
            text.Append(CultureInfo.InvariantCulture, $"{string.Join(" | ", cut.Groups)}   store: {(cut.Store.IsEmpty ? "nobody" : cut.Store.Length == cut.Groups.Length ? "all" : string.Join(", ", cut.Store))}");
            text.Append(CultureInfo.InvariantCulture, $"   lives: {Or(cut.Lives)}   stops: {Or(cut.Stops)}   {cut.Seconds:F1} s{(cut.Flag.Length > 0 ? $"   ! {cut.Flag}" : "")}\n");
        }
        return text.Append(CultureInfo.InvariantCulture, $"\nrecommended: {recommendation}").ToString();
    }

    private static string Json(List<Cut> cuts, string recommendation)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartArray("cuts");
            foreach (var cut in cuts)
            {
                json.WriteStartObject();
                foreach (var (name, values) in new[] { ("groups", cut.Groups), ("store", cut.Store), ("lives", cut.Lives), ("stops", cut.Stops) })
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
            json.WriteString("recommendation", recommendation);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static string Or(ImmutableArray<string> names) => names.IsEmpty ? "nobody" : string.Join(' ', names);

    private static ImmutableArray<string> Names(IEnumerable<Incarnation> members) => [.. members.Select(inc => $"n{inc.Value}")];

    private static ImmutableArray<MemberRow> Members(int count) =>
        [.. Enumerable.Range(1, count).Select(i => new MemberRow { Inc = new Incarnation(i), Name = $"n{i}", Host = "", LinkAddress = "", ClientUrl = "", Status = MemberStatus.Up, UpView = i })];

    private sealed record Cut(
        ImmutableArray<string> Groups, ImmutableArray<string> Store, ImmutableArray<string> Lives, ImmutableArray<string> Stops, double Seconds, string Flag);
}
