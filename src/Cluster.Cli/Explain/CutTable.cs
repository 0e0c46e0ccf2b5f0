using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Downing;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Cli.Explain;

/// <summary>One way a network can come apart, and what becomes of it.</summary>
/// <param name="Groups">Members that hear each other, separated by spaces.</param>
/// <param name="Store">Those of the groups that reach the store.</param>
/// <param name="Witness">Those of the groups that see the witness; empty where the strategy asks none.</param>
/// <param name="Lives">Members that are still in the table and run; without the store they freeze.</param>
/// <param name="Stops">Members that were evicted or stopped themselves.</param>
/// <param name="Seconds">Until the last of that, from the moment the silence was noticed.</param>
/// <param name="Flag">What an operator should know; empty where a side that has the store serves and none else.</param>
internal sealed record Cut(
    ImmutableArray<string> Groups, ImmutableArray<string> Store, ImmutableArray<string> Witness, ImmutableArray<string> Lives, ImmutableArray<string> Stops, double Seconds, string Flag)
{
    public const string NobodyServes = "nobody serves";
    public const string TwoSidesServe = "two sides serve";
    public const string MinorityServes = "a minority serves";
    public const string Waits = "waits";
}

/// <summary>How a strategy does over all cuts and all sets of groups that reach the store, those without a store left out: there nobody can do anything.</summary>
internal sealed record Score(string Strategy, int Cuts, int Bad, int Minority, double OrdinarySeconds, double Seconds);

/// <summary>All cuts of a cluster of equal nodes, n1 the oldest, decided by the code that decides at run time.</summary>
internal static class CutTable
{
    private static readonly ProtocolTimes Times = new();

    public static ImmutableArray<MemberRow> Members(int count) =>
        [.. Enumerable.Range(1, count).Select(i => new MemberRow { Inc = new Incarnation(i), Name = $"n{i}", Host = "", LinkAddress = "", ClientUrl = "", Status = MemberStatus.Up, UpView = i })];

    public static ImmutableArray<Cut> All(SplitBrainResolver resolver, int nodes, bool varyStore)
    {
        var members = Members(nodes);
        return [.. from groups in Partitions(nodes) from reach in varyStore ? Reaches(groups) : Reaches(groups).Take(1) from sees in Sights(resolver, groups) select Try(resolver, members, groups, reach, sees)];
    }

    /// <summary>Strategies from the best: no cut in which nobody or two sides serve while a side has the store, then no minority that serves, then the time that an ordinary cut takes:
    /// into two, all reaching the store. Among equals the order given.</summary>
    /// <param name="nodes">How many.</param>
    /// <param name="witness">There is a witness, so strategies that ask one are compared too, over which groups see it.</param>
    public static ImmutableArray<Score> Compare(int nodes, bool witness = false)
    {
        var members = Members(nodes);
        var quorum = (nodes / 2) + 1;
        (string, SplitBrainResolver)[] strategies =
        [
            ("keep-majority", new KeepMajority()), ("lease-majority", new LeaseMajority()), ("keep-oldest", new KeepOldest()), ("keep-referee n1", new KeepReferee("n1")),
            ("keep-majority, minority=stop", new KeepMajority(minorityStops: true)), ($"static-quorum {quorum}", new StaticQuorum(quorum)), ("down-all", new DownAll()),
        ];
        if (witness) strategies = [.. strategies, ("keep-referee by witness", new KeepWitnessed()), ("keep-referee by witness, strict", new KeepWitnessed(strict: true))];
        return [.. strategies.Select(s => ScoreOf(s.Item1, s.Item2, members)).OrderBy(s => ((double)s.Bad / s.Cuts, (double)s.Minority / s.Cuts, Math.Round(s.OrdinarySeconds, 1)))];
    }

    /// <summary>The best, and why in one line.</summary>
    public static string Recommend(ImmutableArray<Score> scores)
    {
        var best = scores[0];
        var served = best.Bad == 0 ? "in every cut exactly one side that has the store serves" : string.Create(CultureInfo.InvariantCulture, $"fewest cuts ({best.Bad} of {best.Cuts}) in which nobody or two sides serve");
        var why = string.Create(CultureInfo.InvariantCulture, $"{best.Strategy}: {served}, a minority only where no majority can ({best.Minority} of {best.Cuts}), an ordinary cut takes {best.OrdinarySeconds:F1} s");
        var sooner = scores.Skip(1).Where(s => s.Bad == best.Bad && s.Minority == best.Minority && s.Seconds < best.Seconds - 0.05).MinBy(s => s.Seconds);
        return sooner is null ? why + "." : why + string.Create(
            CultureInfo.InvariantCulture, $"; {sooner.Strategy} is sooner in the others ({sooner.Seconds:F1} s on average, not {best.Seconds:F1}), at the price of a majority that loses when it is merely slow.");
    }

    private static Score ScoreOf(string name, SplitBrainResolver resolver, ImmutableArray<MemberRow> members)
    {
        // Of equal nodes only the oldest counts apart, so cuts of the same sizes go the same way: one is tried for all of them.
        var cuts = (from kind in Partitions(members.Length).GroupBy(g => string.Join(' ', g.GroupBy(s => s).OrderBy(s => s.Key != 0).ThenBy(s => s.Count()).Select(s => s.Count())))
                    from reach in Reaches(kind.First())
                    where reach != 0
                    from sees in Sights(resolver, kind.First())
                    select (Many: kind.Count(), Cut: Try(resolver, members, kind.First(), reach, sees))).ToList();
        var ordinary = cuts.Where(c => c.Cut.Groups.Length == 2 && c.Cut.Store.Length == 2).ToList();
        return new Score(
            name,
            cuts.Sum(c => c.Many),
            cuts.Where(c => c.Cut.Flag is Cut.NobodyServes or Cut.TwoSidesServe).Sum(c => c.Many),
            cuts.Where(c => c.Cut.Flag.StartsWith(Cut.MinorityServes, StringComparison.Ordinal)).Sum(c => c.Many),
            ordinary.Sum(c => c.Many * c.Cut.Seconds) / ordinary.Sum(c => c.Many),
            cuts.Sum(c => c.Many * c.Cut.Seconds) / cuts.Sum(c => c.Many));
    }

    private static Cut Try(SplitBrainResolver resolver, ImmutableArray<MemberRow> members, int[] groups, int reach, int sees)
    {
        var outcome = PartitionTrial.Run(resolver, Times, members, groups, [.. groups.Select(g => (reach & (1 << g)) != 0)], [.. groups.Select(g => (sees & (1 << g)) != 0)]);
        var serving = outcome.Lives.Select(inc => groups[inc.Value - 1]).Distinct().Where(g => (reach & (1 << g)) != 0).ToList();
        var minority = serving.Count == 1 && 2 * groups.Count(g => g == serving[0]) < groups.Length;
        var waits = outcome.Seconds >= Times.Unresolved.TotalSeconds;
        var flag = reach == 0 ? ""
            : serving.Count == 0 ? Cut.NobodyServes
            : serving.Count > 1 ? Cut.TwoSidesServe
            : string.Join(", ", new[] { minority ? Cut.MinorityServes : "", waits ? Cut.Waits : "" }.Where(f => f.Length > 0));
        var named = Enumerable.Range(0, groups.Max() + 1).Select(s => string.Join(' ', members.Where((_, i) => groups[i] == s).Select(m => m.Name))).ToImmutableArray();
        return new Cut(
            named, [.. named.Where((_, s) => (reach & (1 << s)) != 0)], [.. named.Where((_, s) => (sees & (1 << s)) != 0)], Names(outcome.Lives), Names(members.Select(m => m.Inc).Except(outcome.Lives)), outcome.Seconds, flag);
    }

    private static IEnumerable<int[]> Partitions(int nodes) => PartitionTrial.PartitionsOf(nodes).Where(g => g.Max() > 0);

    /// <summary>Sets of groups that reach the store, as bits, from all of them down to none.</summary>
    private static IEnumerable<int> Reaches(int[] groups) => Enumerable.Range(0, 2 << groups.Max()).Reverse();

    /// <summary>Sets of groups that see the witness: all, each alone, none; where the strategy asks none that alone.</summary>
    private static IEnumerable<int> Sights(SplitBrainResolver resolver, int[] groups) =>
        resolver is KeepWitnessed ? [(2 << groups.Max()) - 1, .. Enumerable.Range(0, groups.Max() + 1).Select(g => 1 << g), 0] : [0];

    private static ImmutableArray<string> Names(IEnumerable<Incarnation> members) => [.. members.Select(inc => $"n{inc.Value}")];
}
