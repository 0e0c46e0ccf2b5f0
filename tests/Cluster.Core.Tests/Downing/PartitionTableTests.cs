using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Downing;

/// <summary>All partitions of up to five nodes and all sets of nodes that reach the store, per strategy, decided by the code that decides at run time.</summary>
public class PartitionTableTests
{
    private static readonly ProtocolTimes Times = new();

    [Theory]
    [InlineData("keep-majority")]
    [InlineData("keep-oldest")]
    [InlineData("keep-referee")]
    [InlineData("lease-majority")]
    public void A_lax_strategy_ends_with_one_component_that_has_the_store(string name) => Assert.Empty(LaxFaults(Named(name), Winner(name), TieTakesOver(name)));

    [Theory] // Each planted fault must be seen by the very check above.
    [InlineData("keep-majority", DowningClass.Tie, DowningClass.Now)]
    [InlineData("keep-majority", DowningClass.Late, DowningClass.Now)]
    [InlineData("keep-majority", DowningClass.Now, DowningClass.Stop)]
    [InlineData("keep-oldest", DowningClass.Late, DowningClass.Now)]
    [InlineData("keep-referee", DowningClass.Late, DowningClass.Now)]
    [InlineData("lease-majority", DowningClass.Tie, DowningClass.Now)]
    public void A_planted_fault_is_seen(string name, DowningClass right, DowningClass wrong) =>
        Assert.NotEmpty(LaxFaults(new Planted(Named(name), right, wrong), Winner(name), TieTakesOver(name)));

    [Fact]
    public void A_strict_strategy_stops_every_side_that_may_not_live()
    {
        Assert.Empty(QuorumFaults(n => new StaticQuorum((n / 2) + 1)));
        Assert.NotEmpty(QuorumFaults(n => new Planted(new StaticQuorum((n / 2) + 1), DowningClass.Stop, DowningClass.Late)));
        Assert.NotEmpty(QuorumFaults(n => new StaticQuorum(Math.Max(1, n / 2))));
    }

    [Fact]
    public void Down_all_leaves_nobody_where_somebody_reaches_the_store()
    {
        Assert.Empty(DownAllFaults(new DownAll()));
        Assert.NotEmpty(DownAllFaults(new Planted(new DownAll(), DowningClass.All, DowningClass.Now)));
    }

    [Theory] // Protocol 3.4, two nodes cut off from each other, the store at both: who sees the witness, strict, who lives, who stops of itself, after how long.
    [InlineData("AB", false, "A", "", 1)]
    [InlineData("A", false, "A", "", 1)]
    [InlineData("B", false, "B", "", 2)]
    [InlineData("", false, "A", "", 13)] // Nobody may claim: the rule for undecided divisions.
    [InlineData("AB", true, "A", "", 1)]
    [InlineData("A", true, "A", "B", 1)]
    [InlineData("B", true, "B", "A", 2)]
    [InlineData("", true, "", "AB", 1)]
    public void Two_nodes_go_by_who_sees_the_witness(string seen, bool strict, string lives, string stops, double seconds)
    {
        var outcome = PartitionTrial.Run(new KeepWitnessed(strict), Times, Members(2), [0, 1], [true, true], [seen.Contains('A'), seen.Contains('B')]);
        Assert.Equal((lives, stops), (Letters(outcome.Lives), Letters(outcome.Stopped)));
        Assert.Equal(seconds, outcome.Seconds, 0.01);

        static string Letters(ImmutableArray<Incarnation> members) => string.Concat(members.Select(m => (char)('A' + m.Value - 1)));
    }

    [Fact]
    public void By_witness_one_component_that_has_the_store_lives_whoever_sees_the_witness()
    {
        Assert.Empty(WitnessFaults(new KeepWitnessed()));
        Assert.NotEmpty(WitnessFaults(new Planted(new KeepWitnessed(), DowningClass.Late, DowningClass.Stop)));
        Assert.NotEmpty(WitnessFaults(new Planted(new KeepWitnessed(), DowningClass.Tie, DowningClass.Now)));
    }

    [Fact]
    public void Undecided_for_ten_seconds_everybody_goes_if_told_so()
    {
        var outcome = PartitionTrial.Run(new KeepMajority { DownAllWhenUnstable = true }, Times, Members(3), [0, 1, 2], [true, true, true]);
        Assert.Empty(outcome.Lives);
        Assert.InRange(outcome.Seconds, 10, 11);
    }

    [Theory] // Here | there | class. The oldest is A; the referee is A.
    [InlineData("oldest", "A", "B C", DowningClass.Late)]
    [InlineData("oldest", "B C", "A", DowningClass.Now)]
    [InlineData("oldest", "A", "B", DowningClass.Now)]
    [InlineData("oldest", "B", "A", DowningClass.Late)]
    [InlineData("oldest-even-alone", "A", "B C", DowningClass.Now)]
    [InlineData("oldest-strict", "A", "B C", DowningClass.Stop)]
    [InlineData("oldest-strict", "B", "A C", DowningClass.Stop)]
    [InlineData("referee-two", "A B", "C D E", DowningClass.Now)]
    [InlineData("referee-two", "A", "B C", DowningClass.Stop)]
    [InlineData("referee-two", "B C", "A", DowningClass.Late)]
    [InlineData("referee-two", "B C", "", DowningClass.Now)]
    [InlineData("referee-strict", "B C", "A", DowningClass.Stop)]
    [InlineData("witness-none", "A", "B", DowningClass.Late)]
    [InlineData("witness-none", "A", "", DowningClass.Now)]
    [InlineData("witness-none-strict", "A B", "", DowningClass.Stop)]
    [InlineData("quorum-two", "A B", "C", DowningClass.Now)]
    [InlineData("quorum-two", "A B", "C D", DowningClass.Late)]
    [InlineData("quorum-two", "C", "A B", DowningClass.Stop)]
    [InlineData("minority-stops", "C", "A B", DowningClass.Stop)]
    [InlineData("down-all", "A B", "C", DowningClass.All)]
    [InlineData("down-all", "A B", "", DowningClass.Now)]
    public void A_side_is_classed_by_the_row_that_matches_first(string strategy, string here, string there, DowningClass expected)
    {
        SplitBrainResolver resolver = strategy switch
        {
            "oldest" => new KeepOldest(),
            "oldest-even-alone" => new KeepOldest(downIfAlone: false),
            "oldest-strict" => new KeepOldest(strict: true),
            "referee-two" => new KeepReferee("A", 2),
            "referee-strict" => new KeepReferee("A", strict: true),
            "witness-none" => new KeepWitnessed(),
            "witness-none-strict" => new KeepWitnessed(strict: true),
            "quorum-two" => new StaticQuorum(2),
            "minority-stops" => new KeepMajority(minorityStops: true),
            _ => new DownAll(),
        };
        Assert.Equal(expected, resolver.Classify([.. Side(here, true), .. Side(there, false)]));
        Assert.Equal(DowningClass.Late, resolver.Classify([]));
    }

    private static IEnumerable<string> LaxFaults(SplitBrainResolver resolver, Func<int[], int?> winner, bool tieTakesOver)
    {
        foreach (var (groups, store) in Cases())
        {
            var members = Members(groups.Length);
            var outcome = PartitionTrial.Run(resolver, Times, members, groups, store);
            var label = $"{string.Join("", groups)} {string.Join("", store.Select(s => s ? 'S' : '-'))}: {outcome}";
            var living = outcome.Lives.Select(inc => groups[(int)inc.Value - 1]).Distinct().ToList();
            if (!store.Contains(true))
            {
                if (outcome.Evicted.Length + outcome.Stopped.Length > 0) yield return "claim without store " + label;
                continue;
            }
            if (living.Count != 1 || !outcome.Lives.Any(inc => store[inc.Value - 1])) yield return "not one component with the store " + label;
            if (winner(groups) is not { } first || living.Count != 1) continue;
            if (store.All(s => s) && living[0] != first) yield return "the wrong side " + label;
            var tie = 2 * groups.Count(g => g == living[0]) == groups.Length;
            if (living[0] != first && outcome.Seconds < (tieTakesOver || (resolver.Name == "keep-majority" && tie) ? 2 : 8)) yield return "too soon " + label;
        }
    }

    /// <summary>Up to four nodes: the side of the oldest goes first where it sees the witness, another that sees it only a second later, one that does not only once the leases are stale.</summary>
    private static IEnumerable<string> WitnessFaults(SplitBrainResolver resolver) =>
        from c in Cases()
        where c.Groups.Length <= 4
        from sees in Enumerable.Range(0, 2 << c.Groups.Max())
        let witness = c.Groups.Select(g => (sees & (1 << g)) != 0).ToArray()
        let outcome = PartitionTrial.Run(resolver, Times, Members(c.Groups.Length), c.Groups, c.Store, witness)
        let sides = outcome.Lives.Select(inc => c.Groups[inc.Value - 1]).Distinct().ToList()
        let bad = !c.Store.Contains(true) ? outcome.Evicted.Length + outcome.Stopped.Length > 0
            : sides.Count != 1 || !outcome.Lives.Any(inc => c.Store[inc.Value - 1]) || outcome.Stopped.Length > 0
            || outcome.Seconds < ((sees & (1 << sides[0])) == 0 ? 8 : sides[0] == 0 ? 1 : 2)
        where bad
        select $"{string.Join("", c.Groups)} {string.Join("", c.Store.Select(s => s ? 'S' : '-'))} {sees}: {outcome}";

    private static IEnumerable<string> QuorumFaults(Func<int, SplitBrainResolver> resolver) =>
        from c in Cases()
        let n = c.Groups.Length
        let outcome = PartitionTrial.Run(resolver(n), Times, Members(n), c.Groups, c.Store)
        from member in Members(n)
        let small = c.Groups.Count(g => g == c.Groups[member.Inc.Value - 1]) < (n / 2) + 1
        where small && outcome.Lives.Contains(member.Inc)
        select $"{member.Inc} lives in {string.Join("", c.Groups)}";

    private static IEnumerable<string> DownAllFaults(SplitBrainResolver resolver) =>
        from c in Cases()
        let outcome = PartitionTrial.Run(resolver, Times, Members(c.Groups.Length), c.Groups, c.Store)
        where c.Store.Contains(true) != outcome.Lives.IsEmpty
        select $"{string.Join("", c.Groups)}: {outcome}";

    private static IEnumerable<(int[] Groups, bool[] Store)> Cases() =>
        from nodes in Enumerable.Range(2, 4)
        from groups in PartitionTrial.PartitionsOf(nodes)
        where groups.Max() > 0
        from bits in Enumerable.Range(0, 1 << nodes)
        select (groups, Enumerable.Range(0, nodes).Select(i => (bits & (1 << i)) != 0).ToArray());

    /// <summary>The side that comes first, told from the groups alone; null where no side does.</summary>
    private static Func<int[], int?> Winner(string name) => groups =>
    {
        if (name == "keep-referee") return groups[^1];
        var oldestAlone = groups.Count(g => g == 0) == 1;
        if (name == "keep-oldest") return !oldestAlone || groups.Length == 2 ? 0 : groups.Max() == 1 ? 1 : null;
        var largest = groups.GroupBy(g => g).OrderByDescending(g => g.Count()).ThenBy(g => g.Key).First();
        return 2 * largest.Count() > groups.Length ? largest.Key : 2 * groups.Count(g => g == 0) == groups.Length ? 0 : null;
    };

    private static bool TieTakesOver(string name) => name == "lease-majority";

    private static SplitBrainResolver Named(string name) => name switch
    {
        "keep-majority" => new KeepMajority(),
        "keep-oldest" => new KeepOldest(),
        "keep-referee" => new LastIsReferee(),
        _ => new LeaseMajority(),
    };

    private static ImmutableArray<MemberRow> Members(int count) =>
        [.. Enumerable.Range(1, count).Select(i => new MemberRow { Inc = new Incarnation(i), Name = $"n{i}", Host = "", LinkAddress = $"h:{i}", ClientUrl = "", Status = MemberStatus.Up, UpView = i })];

    private static IEnumerable<Voter> Side(string names, bool here) =>
        names.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(n => new Voter(new Incarnation(n[0]), 1, n[0], here, n));

    /// <summary>keep-referee with the youngest as referee, so that it is never told apart by its age.</summary>
    private sealed class LastIsReferee : SplitBrainResolver
    {
        public override string Name => "keep-referee";

        protected override DowningClass ClassOf(ImmutableArray<Voter> voters) => new KeepReferee(voters.MaxBy(v => v.UpView).Name).Classify(voters);
    }

    private sealed class Planted(SplitBrainResolver inner, DowningClass right, DowningClass wrong) : SplitBrainResolver
    {
        public override string Name => inner.Name;

        protected override DowningClass ClassOf(ImmutableArray<Voter> voters) => inner.Classify(voters) is var real && real == right ? wrong : real;
    }
}
