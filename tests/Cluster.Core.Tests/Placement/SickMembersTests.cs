using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Placement;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Placement;

public class SickMembersTests
{
    private static readonly SickMembers Rules = new();

    [Theory]
    [InlineData(2, 1, false)] // Half of two is no minority.
    [InlineData(3, 1, true)]
    [InlineData(4, 2, false)]
    [InlineData(5, 2, true)]
    [InlineData(5, 3, false)]
    [InlineData(1, 1, false)]
    public void Few_are_fewer_than_half_of_those_that_are_up(int up, int sick, bool areFew) =>
        Assert.Equal(areFew, Rules.AreFew([.. Members(up), Member(50, "room") with { Status = MemberStatus.Joining }], Sick([.. Enumerable.Range(1, sick)])));

    [Fact]
    public void A_sick_member_is_left_with_the_types_that_no_well_one_hosts()
    {
        ImmutableArray<MemberRow> members = [Member(1, "room"), Member(2, "room", "mixer"), Member(3, "room", "mixer") with { Types = null }];
        var spared = Rules.Spared(members, Sick(2, 3), ["mixer", "room"], TypeRules.None);
        Assert.Equal(members[0], spared[0]);
        Assert.Equal(["mixer"], spared[1].Types!.Value);
        Assert.Equal(["mixer"], spared[2].Types!.Value);
    }

    [Fact]
    public void A_singleton_stays_where_nobody_else_of_its_hosts_is_well()
    {
        var rules = new TypeRules([], TypeRules.None.Singletons.Add("controller", new SingletonRule(SingletonMode.Sticky, ["n2"], true)));
        var spared = Rules.Spared([Member(1, "controller"), Member(2, "controller"), Member(3, "controller")], Sick(2), ["controller"], rules);
        Assert.True(spared[1].Hosts("controller"));
    }

    [Fact]
    public void Shards_of_a_sick_member_go_to_the_others_eight_at_once_and_those_that_came_back_last()
    {
        var members = Rules.Spared([.. Members(3)], Sick(3), ["room"], TypeRules.None);
        var rows = Enumerable.Range(1, 24).Select(i => new ShardRow(new ShardNo(i), "room", $"{i}", new Epoch(i), new Incarnation(1 + (i % 3)), null, null, ShardState.Owned, 1)).ToList();
        var moves = ShardAllocation.Relieve(members, rows, Sick(3), 8, no => no.Value <= 5 ? 1 : 0, TypeRules.None);
        Assert.Equal([8, 11, 14, 17, 20, 23, 2, 5], moves.Select(m => m.Shard.Value)); // Owned by 3: every third from 2 on.
        Assert.All(moves, m => Assert.Contains(m.Target, new[] { new Incarnation(1), new Incarnation(2) }));
        Assert.Equal(4, moves.Count(m => m.Target == new Incarnation(1)), 3d);
        Assert.Empty(ShardAllocation.Relieve(members, [.. rows.Select(r => r with { State = ShardState.Handoff })], Sick(3), 8, _ => 0, TypeRules.None));
    }

    [Fact]
    public void A_shard_that_nobody_else_serves_stays()
    {
        ImmutableArray<MemberRow> members = [Member(1, "room"), Member(2, "room"), Member(3, "mixer")];
        var spared = Rules.Spared(members, Sick(3), ["mixer", "room"], TypeRules.None);
        Assert.Empty(ShardAllocation.Relieve(spared, [new ShardRow(new ShardNo(1), "mixer", "0", new Epoch(1), new Incarnation(3), null, null, ShardState.Owned, 1)], Sick(3), 8, _ => 0, TypeRules.None));
    }

    private static ImmutableSortedSet<Incarnation> Sick(params int[] who) => [.. who.Select(i => new Incarnation(i))];

    private static IEnumerable<MemberRow> Members(int count) => Enumerable.Range(1, count).Select(i => Member(i, "room"));

    private static MemberRow Member(int inc, params string[] types) =>
        new() { Inc = new Incarnation(inc), Name = $"n{inc}", Host = "h", LinkAddress = $"h:{inc}", ClientUrl = "", Status = MemberStatus.Up, UpView = inc, Types = [.. types] };
}
