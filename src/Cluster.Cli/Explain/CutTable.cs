using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Downing;
using ActorCluster.Persistence;

namespace ActorCluster.Cli.Explain;

/// <summary>How a strategy does over all cuts and all sets of groups that reach the store, those without a store left out: there nobody can do anything.</summary>
internal sealed record Score(string Strategy, int Cuts, int Bad, int Minority, double OrdinarySeconds, double Seconds);

/// <summary>Compares the strategies over all cuts of a cluster of equal nodes.</summary>
internal static class CutTable
{
    /// <summary>Strategies from the best: no cut in which nobody or two sides serve while a side has the store, then no minority that serves, then the time that an ordinary cut takes:
    /// into two, all reaching the store. Among equals the order given.</summary>
    /// <param name="nodes">How many.</param>
    /// <param name="witness">There is a witness, so strategies that ask one are compared too, over which groups see it.</param>
    public static ImmutableArray<Score> Compare(int nodes, bool witness = false)
    {
        var members = CutWalk.Members(CutWalk.Names(nodes));
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
        var cuts = (from kind in CutWalk.Partitions(members.Length).GroupBy(g => string.Join(' ', g.GroupBy(s => s).OrderBy(s => s.Key != 0).ThenBy(s => s.Count()).Select(s => s.Count())))
                    from reach in CutWalk.Reaches(kind.First())
                    where reach != 0
                    from sees in CutWalk.Sights(kind.First(), resolver is KeepWitnessed)
                    select (Many: kind.Count(), Cut: CutWalk.Try(resolver, members, kind.First(), reach, sees))).ToList();
        var ordinary = cuts.Where(c => c.Cut.Groups.Length == 2 && c.Cut.Store.Length == 2).ToList();
        return new Score(
            name,
            cuts.Sum(c => c.Many),
            cuts.Where(c => c.Cut.Flag is Cut.NobodyServes or Cut.TwoSidesServe).Sum(c => c.Many),
            cuts.Where(c => c.Cut.Flag.StartsWith(Cut.MinorityServes, StringComparison.Ordinal)).Sum(c => c.Many),
            ordinary.Sum(c => c.Many * c.Cut.Seconds) / ordinary.Sum(c => c.Many),
            cuts.Sum(c => c.Many * c.Cut.Seconds) / cuts.Sum(c => c.Many));
    }
}
