using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Downing;

/// <summary>Members of one component, A the oldest, some of whom reach each other through others only.</summary>
public class IndirectDecisionTests
{
    [Theory] // Members, broken edges, rule, who is evicted in the end.
    [InlineData("ABC", "AB", BrokenEdgeRule.EvictMin, "")] // Each lacks half of the others, not more: C reaches both.
    [InlineData("ABCDE", "EA EB", BrokenEdgeRule.EvictMin, "")]
    [InlineData("ABCDE", "EA EB EC", BrokenEdgeRule.EvictMin, "E")]
    [InlineData("ABCDE", "AB AC AD", BrokenEdgeRule.EvictMin, "A")] // The one that lacks the most goes, not the healthy peers it accuses, however old it is.
    [InlineData("ABCDEFG", "AB AC AD AE FG", BrokenEdgeRule.EvictMin, "AG")] // With everybody's edges mended, of F and G the younger goes.
    [InlineData("ABCD", "AB AC BD", BrokenEdgeRule.EvictMin, "")] // Those who would stay, C and D, are half without the oldest: not enough to evict anybody.
    [InlineData("ABCDE", "EA EB EC", BrokenEdgeRule.Relay, "")]
    [InlineData("ABCDE", "AB", BrokenEdgeRule.EvictAll, "AB")]
    [InlineData("ABC", "AB", BrokenEdgeRule.EvictAll, "")] // C alone is no majority.
    [InlineData("ABCDE", "", BrokenEdgeRule.EvictAll, "")]
    public void Whoever_lacks_most_of_the_others_goes_if_those_who_stay_may_live(string members, string edges, BrokenEdgeRule rule, string evicted)
    {
        var outcome = PartitionTrial.Run(
            new KeepMajority { BrokenEdges = rule }, new ProtocolTimes(), Members(members), new int[members.Length], [.. members.Select(_ => true)],
            broken: [.. edges.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(e => (Math.Min(e[0], e[1]) - 'A', Math.Max(e[0], e[1]) - 'A'))]);
        Assert.Equal(evicted, Letters(outcome.Evicted));
        Assert.Empty(outcome.Stopped);
        if (evicted.Length > 0) Assert.InRange(outcome.Seconds, 10, 10.5);
    }

    [Theory] // What tells members apart, from the strongest.
    [InlineData("edges", "", "DE")]
    [InlineData("store", "A", "A")]
    [InlineData("witness", "A", "A")]
    [InlineData("health", "A", "A")]
    [InlineData("age", "", "F")]
    public void Of_equal_covers_the_weaker_goes(string what, string weak, string evicted)
    {
        var edges = what == "edges" ? Edges("AD BD CD AE BE CE") : Edges("AF");
        var members = Members(what == "edges" ? "ABCDE" : "AF");
        var decision = new IndirectDecision(new AnybodyMay(), new ProtocolTimes());
        var claim = DowningClaim.None;
        var executor = new Incarnation(what == "edges" || evicted == "F" ? 'A' : 'F');
        for (var now = TimeSpan.Zero; now < TimeSpan.FromSeconds(12) && claim.Evict.IsEmpty; now += TimeSpan.FromSeconds(0.5))
            claim = decision.Review(Input(members, executor, m => !(what == "store" && Is(m)), m => !(what == "witness" && Is(m)), m => what == "health" && Is(m) ? 2 : 0), edges, true, now);
        Assert.Equal(evicted, Letters(claim.Evict));

        bool Is(Incarnation m) => weak.Contains((char)m.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void An_edge_that_heals_within_ten_seconds_begins_anew_and_a_clean_division_comes_first()
    {
        var members = Members("ABCDE");
        var input = Input(members, new Incarnation('A'), _ => true, _ => false, _ => 0);
        var decision = new IndirectDecision(new KeepMajority(), new ProtocolTimes());
        var broken = Edges("AE BE CE");
        Assert.Empty(decision.Review(input, broken, true, TimeSpan.Zero).Evict);
        Assert.Empty(decision.Review(input, [], true, TimeSpan.FromSeconds(9)).Evict);
        Assert.Empty(decision.Broken);
        Assert.Empty(decision.Review(input, broken, true, TimeSpan.FromSeconds(10)).Evict);
        Assert.Equal(3, decision.Broken.Length);
        Assert.Empty(decision.Review(input, broken, true, TimeSpan.FromSeconds(19.9)).Evict);
        Assert.Empty(decision.Review(input, broken, false, TimeSpan.FromSeconds(20)).Evict);
        Assert.Equal("E", Letters(decision.Review(input, broken, true, TimeSpan.FromSeconds(20.1)).Evict));
        Assert.Empty(decision.Review(input with { Unwell = true }, broken, true, TimeSpan.FromSeconds(20.2)).Evict);
    }

    [Fact]
    public void An_edge_is_broken_where_somebody_who_counts_says_so_and_not_where_nobody_speaks()
    {
        Incarnation a = new(1), b = new(2), c = new(3);
        var rows = new Dictionary<Incarnation, ImmutableArray<ReachEntry>?> { [a] = [new(b, true), new(c, false)], [b] = null, [c] = null };
        Assert.Equal("#1#3", Named([a, b, c]));
        rows[c] = [new(a, true), new(b, true)];
        rows[b] = [new(a, true), new(c, false)];
        Assert.Equal("#1#3 #2#3", Named([c, b, a]));

        string Named(Incarnation[] members) => string.Join(' ', Reachability.BrokenEdges(members, inc => rows[inc]).Select(e => $"#{e.A.Value}#{e.B.Value}"));
    }

    private static DowningInput Input(ImmutableArray<MemberRow> members, Incarnation self, Func<Incarnation, bool> store, Func<Incarnation, bool> witness, Func<Incarnation, int> health) => new()
    {
        Self = self,
        Voters = members,
        Component = [.. members.Select(m => m.Inc)],
        StoreOk = store,
        WitnessOk = witness,
        CrashEvident = _ => false,
        ProvedDead = _ => false,
        LeaseStale = _ => false,
        HealthOf = health,
        Unwell = false,
    };

    private static List<(Incarnation, Incarnation)> Edges(string text) => [.. text.Split(' ').Select(e => (new Incarnation(e[0]), new Incarnation(e[1])))];

    private static string Letters(IEnumerable<Incarnation> members) => string.Concat(members.Select(m => (char)m.Value));

    private static ImmutableArray<MemberRow> Members(string names) =>
        [.. names.Select(n => new MemberRow { Inc = new Incarnation(n), Name = $"{n}", Host = "", LinkAddress = "", ClientUrl = "", Status = MemberStatus.Up, UpView = n })];

    private sealed class AnybodyMay : SplitBrainResolver
    {
        public override string Name => "anybody";

        protected override DowningClass ClassOf(ImmutableArray<Voter> voters) => DowningClass.Now;
    }
}
