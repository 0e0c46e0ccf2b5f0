using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Downing;

/// <summary>The scenarios that Akka's SplitBrainResolverSpec names (akka-cluster, package akka.cluster.sbr), decided by our code with everybody at the store, and why an outcome differs.</summary>
/// <remarks>Not there, for want of the thing: WeaklyUp, data centers, a leader, the bookkeeping of members (the store has it). Letters are nodes; <c>j</c> joining, <c>l</c> leaving, <c>x</c> exiting.
/// A, B and D have role3, C and D role2. A has the lowest address, which for us is age; where the oldest is kept E is the oldest and A the youngest.</remarks>
public class PublishedCasesTests
{
    private const string OneView = "a leaving member votes until it is down: the store shows both sides the same view, so nobody has to guess what the other side saw of it";
    private const string Joining = "a joining member has no vote on either side: the store shows both sides the same view";
    private const string StoreDecides = "the store lets one side win, so there is no need to end everybody";
    private const string Relayed = "who lacks no more than half of the others stays: requests go through the others, and the store keeps owners apart";
    private const string Clean = "whoever reaches nobody of the others is a side of its own";

    private static readonly Case[] Cases =
    [
        new("enough reachable nodes", Quorum(3), "ACE|BD", "ACE"),
        new("not enough reachable nodes", Quorum(3), "AB|CD", ""),
        new("enough reachable nodes with role", Quorum(2, "role3"), "ABC|DE", "ABC"),
        new("N > 2q - 1", Quorum(3), "ABC|DEF", "", "ABC", StoreDecides),
        new("joining is not counted", Quorum(3), "ABCj|DEFj", ""),
        new("joining, C up", Quorum(3), "ABC|DEFj", "ABC"),
        new("joining, F up", Quorum(3), "ABCj|DEF", "DEF"),
        new("joining, both up: too many", Quorum(3), "ABC|DEF", "", "ABC", StoreDecides),
        new("leaving is counted", Quorum(3), "ABCl|DE", "ABC"),
        new("exiting is not counted", Quorum(3), "ABCx|DE", "", "ABC", OneView),

        new("minority goes", Majority(), "ACE|BD", "ACE"),
        new("minority with the lowest address goes", Majority(), "AB|CDE", "CDE"),
        new("alone", Majority(), "B|AC", "AC"),
        new("equal size", Majority(), "AB|CD", "AB"),
        new("two nodes", Majority(), "A|B", "A"),
        new("minority of a role", Majority("role3"), "AB|CDE", "AB"),
        new("equal size of a role", Majority("role2"), "ADE|BC", "BC"),
        new("no node with the role", Majority("role3"), "C|E", "", "CE", "where nobody votes only stale leases speak, and a node does not come up in such a cluster"),
        new("joining is not counted but goes", Majority(), "BD|AjC", "BD"),
        new("minority and joining", Majority(), "ABj|CDE", "CDE"),
        new("three parts too small", Majority(), "AB|CD|E", "", "AB", StoreDecides),
        new("two came up during the split", Majority(), "ABFG|CDE", "ABFG"),
        new("one came up during the split, equal size", Majority(), "ABF|CDE", "ABF"),
        new("one came up on the safe side", Majority(), "AB|CDEF", "CDEF"),
        new("leaving became exiting during the split", Majority(), "AlBEj|CD", "CD", "AB", OneView),
        new("{(A, B)}", Majority(), "A|B", "", "A", Clean),
        new("{(A, B), C}", Majority(), "ABC", "C", "ABC", Relayed, "AB"),
        new("{(A, B, C)}", Majority(), "A|B|C", "", "A", Clean),
        new("{(A, B, C, D)}", Majority(), "ABCD", "", "ABCD", Relayed, "AD BC"),
        new("{(A, B, C), D, E}", Majority(), "ABCDE", "DE", "ABCDE", Relayed, "AB BC AC"),
        new("{A, (B, C), D, (E, F), G}", Majority(), "ABCDEFG", "ADG", "ABCDEFG", Relayed, "BC EF"),
        new("via seen {(A, B, C)}", Majority(), "A|BC", "", "BC", Clean),
        new("via seen {(A, B, C, D), E}", Majority(), "ABCDE", "E", "ABCDE", Relayed, "BC AD"),
        new("{(A, B), D, E} | {C} crashed", Majority(), "ABDE|C", "DE", "ABDE", Relayed, "AB"),
        new("{A, (B, C)} | {D, E}", Majority(), "ABC|DE", "A", "ABC", Relayed, "BC"),
        new("{A, (B, C)} | {D, E, F, G}", Majority(), "ABC|DEFG", "DEFG", Broken: "BC"),
        new("{A, B, C} | {(D, E), F, G}", Majority(), "ABC|DEFG", "FG", "DEFG", Relayed, "DE"),
        new("{A, (B), C} | {D, (E, F), G}", Majority(), "ABC|DEFG", "DG", "DEFG", Relayed, "EF"),
        new("via seen {A, B, C} | {(D, E), (F, G)}", Majority(), "ABC|DEFG", "", "DEFG", Relayed, "DE FG"),
        new("the same, twice", Majority(), "ABC|DEFG", "", "DEFG", Relayed, "DE FG"),

        new("oldest", Oldest(), "AE|BCD", "AE"),
        new("oldest of a role", Oldest(role: "role2"), "AE|BCD", "BCD"),
        new("oldest alone", Oldest(), "E|ABCD", "ABCD"),
        new("oldest of two", Oldest(), "B|A", "B"),
        new("one single oldest", Oldest(), "A", "A"),
        new("oldest even alone", Oldest(downIfAlone: false), "E|ABCD", "E"),
        new("oldest exiting, 1", Oldest(), "ABD|CEx", "ABD", "CE", OneView),
        new("oldest leaving, 2", Oldest(), "AEl|BCD", "", "AE", OneView),
        new("others leaving, 3", Oldest(), "AE|BlClD", "AE"),
        new("its only fellow leaving", Oldest(), "DlE|ABC", "", "DE", OneView),
        new("alone, one of the others leaving", Oldest(), "E|ABCl", "ABC"),
        new("alone, all others but one leaving", Oldest(), "E|ABlClDl", "", "ABCD", OneView),
        new("oldest exiting, its fellow then alone", Oldest(), "DEx|ABC", "", "DE", OneView),
        new("oldest of two exiting", Oldest(), "A|Bx", "A", "B", OneView),
        new("its only fellow joining", Oldest(), "AjE|BCD", "", "BCD", Joining),
        new("its only fellow joining, even alone", Oldest(downIfAlone: false), "AjE|BCD", "E"),
        new("oldest: {(A, B), C}", Oldest(), "ABC", "C", "ABC", Relayed, "AB"),
        new("oldest: {A, (B, C)} | {D, E, F, G}", Oldest(), "ABC|DEFG", "DEFG", Broken: "BC"),
        new("oldest: {A, B, C} | {(D, E), F, G}", Oldest(), "ABC|DEFG", "FG", "DEFG", Relayed, "DE"),

        new("down all", new DownAll(), "ABC|DE", ""),
        new("down all: {(A, B), C}", new DownAll(), "ABC", "", "ABC", Relayed, "AB"),

        new("lease: the majority first", new LeaseMajority(), "ACE|BD", "ACE"),
        new("lease: equal size of a role", new LeaseMajority { Role = "role2" }, "ADE|BC", "BC"),
        new("lease: {(A, B), C}", new LeaseMajority(), "ABC", "C", "ABC", Relayed, "AB"),
        new("lease: {A, (B, C)} | {D, E}", new LeaseMajority(), "ABC|DE", "A", "ABC", Relayed, "BC"),
        new("lease acquired", new LeaseMajority(), "AC|B", "AC"),
        new("lease not acquired", new LeaseMajority(), "AC|B", "B", Store: "B"),
        new("lease not acquired: {(A, B), C}", new LeaseMajority(), "ABC", "", "ABC", Relayed, "AB", Store: ""),
    ];

    public static TheoryData<string> Names() => [.. Cases.Select((c, i) => $"{i + 1} {c.Name}")];

    [Theory, MemberData(nameof(Names))]
    public void Whoever_lives(string name)
    {
        var scenario = Cases[int.Parse(name[..name.IndexOf(' ', StringComparison.Ordinal)], System.Globalization.CultureInfo.InvariantCulture) - 1];
        Assert.Equal(scenario.Ours, scenario.Lives());
        Assert.Equal(scenario.Ours != scenario.Classic, scenario.Why.Length > 0); // Who differs says why, and nobody else.
    }

    [Theory] // "down unreachable when leader", "when becoming leader", "not when losing leadership": our executors are the members that reach the store, oldest first, 300 ms apart.
    [InlineData("ABC", "B", 'A', "ABC", 1.0)]
    [InlineData("ABC", "C", 'B', "ABC", 1.3)] // Not the leader: it waits for the one that is, but not for ever.
    [InlineData("ABC", "C", 'B', "BC", 1.0)]
    [InlineData("ABC", "C", 'A', "BC", null)]
    public void Executors_go_one_after_the_other(string members, string missing, char self, string store, double? at) =>
        Assert.Equal(at, FirstClaim(new KeepMajority(), members, self, store, _ => missing, 2.9)?.At);

    [Fact] // "after specified duration", "reachable again", "removed" or "already down in between".
    public void Silence_that_ends_in_time_evicts_nobody()
    {
        Assert.Null(FirstClaim(new KeepMajority(), "ABC", 'A', "ABC", t => t < 0.9 ? "B" : "", 5));
        Assert.Equal(2.9, FirstClaim(new KeepMajority(), "ABC", 'A', "ABC", t => t is < 0.9 or >= 1.9 ? "B" : "", 5)?.At);
    }

    [Theory] // "down all when unstable", 1 and 2: D and E come and go faster than a division is believed.
    [InlineData(true, "ABCDE", 10)]
    [InlineData(false, "DE", 11.1)] // By default the larger side claims in turn: 10 s and 6 s times its share of what is missing.
    public void A_division_that_never_stands_still_ends_after_ten_seconds(bool downAll, string evicted, double at)
    {
        var claim = FirstClaim(new KeepMajority { DownAllWhenUnstable = downAll }, "ABCDE", 'A', "ABCDE", t => (int)(t / 0.8) % 2 == 0 ? "DE" : "D", 20);
        Assert.InRange(claim!.Value.At, at, at + 1);
        Assert.All(claim.Value.Evicted, member => Assert.Contains(member, evicted));
        Assert.Equal(downAll, claim.Value.Evicted.Length == 5);
    }

    [Fact] // "not down all when becoming stable again".
    public void A_division_that_ended_is_forgotten() =>
        Assert.Null(FirstClaim(new KeepMajority { DownAllWhenUnstable = true }, "ABCDE", 'A', "ABCDE", t => t < 3 ? (int)(t / 0.8) % 2 == 0 ? "DE" : "D" : "", 20));

    private static (double At, string Evicted)? FirstClaim(SplitBrainResolver resolver, string members, char self, string store, Func<double, string> missing, double limit)
    {
        var decision = new DowningDecision(resolver, new ProtocolTimes());
        for (var step = 0; step < limit * 10; step++)
        {
            var at = step / 10.0;
            var gone = missing(at);
            var claim = decision.Review(
                new DowningInput
                {
                    Self = new Incarnation(self),
                    Voters = [.. members.Select(m => Member(m, m, MemberStatus.Up))],
                    Component = [.. members.Where(m => !gone.Contains(m)).Select(m => new Incarnation(m))],
                    StoreOk = inc => store.Contains((char)inc.Value),
                    WitnessOk = _ => false,
                    CrashEvident = _ => false,
                    ProvedDead = _ => false,
                    LeaseStale = _ => false,
                    HealthOf = _ => 0,
                    Unwell = false,
                },
                TimeSpan.FromMilliseconds(step * 100));
            if (!claim.Evict.IsEmpty) return (at, string.Concat(claim.Evict.Select(inc => (char)inc.Value)));
        }
        return null;
    }

    private static StaticQuorum Quorum(int size, string role = "") => new(size) { Role = role };

    private static KeepMajority Majority(string role = "") => new() { Role = role };

    private static KeepOldest Oldest(bool downIfAlone = true, string role = "") => new(downIfAlone) { Role = role };

    private static MemberRow Member(char name, long age, MemberStatus status) => new()
    {
        Inc = new Incarnation(name),
        Name = $"{name}",
        Host = "",
        LinkAddress = "",
        ClientUrl = "",
        Status = status,
        UpView = age,
        Roles = name switch { 'A' or 'B' => ["role3"], 'C' => ["role2"], 'D' => ["role2", "role3"], _ => [] },
    };

    /// <summary>Who lives with the classic resolver; where with us others do, who and why.</summary>
    private sealed record Case(string Name, SplitBrainResolver Resolver, string Division, string Classic, string? Differs = null, string Why = "", string Broken = "", string? Store = null)
    {
        public string Ours => Differs ?? Classic;

        public string Lives()
        {
            var (members, groups) = (ImmutableArray.CreateBuilder<MemberRow>(), new List<int>());
            for (var (i, group) = (0, 0); i < Division.Length; i++)
            {
                if (Division[i] == '|') group++;
                if (!char.IsAsciiLetterUpper(Division[i])) continue;
                var state = i + 1 < Division.Length ? Division[i + 1] : ' ';
                if (state == 'j') continue; // No vote, so no part in the decision.
                members.Add(Member(Division[i], Resolver is KeepOldest && Division[i] <= 'E' ? 'E' - Division[i] + 1 : Division[i], state is 'l' or 'x' ? MemberStatus.Leaving : MemberStatus.Up));
                groups.Add(group);
            }
            var names = string.Concat(members.Select(m => m.Name));
            var outcome = PartitionTrial.Run(
                Resolver, new ProtocolTimes(), members.ToImmutable(), [.. groups], [.. names.Select(n => Store?.Contains(n) ?? true)],
                broken: [.. Broken.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(e => (names.IndexOf(e[0], StringComparison.Ordinal), names.IndexOf(e[1], StringComparison.Ordinal)))]);
            return string.Concat(outcome.Lives.Select(inc => (char)inc.Value).Order());
        }
    }
}
