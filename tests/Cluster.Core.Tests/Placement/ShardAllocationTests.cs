using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Placement;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Placement;

public class ShardAllocationTests
{
    private const int Shards = 256;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Nobody_gets_more_than_125_percent_of_a_fair_share(int nodes)
    {
        var placed = Place(Members(nodes), Rows(_ => null));
        Assert.Equal(Shards, placed.Length);
        Assert.All(placed.CountBy(p => p.Target), load => Assert.True(load.Value <= Math.Ceiling(1.25 * Shards / nodes), load.ToString()));
    }

    [Fact]
    public void Only_what_the_lost_node_had_moves()
    {
        var members = Members(4);
        var placed = Place(members, Rows(_ => null)).ToDictionary(p => p.Shard, p => p.Target);
        var rows = Rows(no => placed[no]);
        var lost = members[1].Inc;
        var freed = rows.Where(r => r.Owner == lost).ToArray();
        var again = ShardAllocation.Place(members.RemoveAt(1), rows, freed);
        Assert.Equal(freed.Select(r => r.No), again.Select(p => p.Shard));
        Assert.DoesNotContain(again, p => p.Target == lost);
    }

    [Fact]
    public void Without_an_eligible_member_nobody_is_chosen() =>
        Assert.Empty(Place([.. Members(2).Select(m => m with { Status = MemberStatus.Leaving })], Rows(_ => null)));

    [Fact]
    public void Only_hosts_of_the_type_are_chosen()
    {
        var members = Members(3);
        members = members.SetItem(0, members[0] with { Types = ["other"] }).SetItem(1, members[1] with { Types = ["other", "room"] });
        Assert.Equal([members[1].Inc, members[2].Inc], Place(members, Rows(_ => null)).Select(p => p.Target).Distinct().Order());
        Assert.Empty(Place([members[0]], Rows(_ => null)));
    }

    [Fact]
    public void Nothing_is_moved_to_a_member_that_does_not_host_the_type()
    {
        var members = Members(3);
        members = members.SetItem(1, members[1] with { Types = ["other"] });
        var moves = ShardAllocation.Balance(members, Rows(_ => members[0].Inc), Shards);
        Assert.NotEmpty(moves);
        Assert.DoesNotContain(moves, m => m.Target == members[1].Inc);
        Assert.Empty(ShardAllocation.Balance(members, Rows(no => members[no.Value % 2 == 0 ? 0 : 2].Inc), Shards)); // Half each is fair: the third does not count.
        Assert.Empty(ShardAllocation.Balance(members.RemoveAt(2), Rows(_ => members[0].Inc), Shards));
    }

    [Fact]
    public void A_member_that_did_not_come_is_passed_over_while_there_is_another()
    {
        var members = Members(3);
        ShardRow[] Aimed(Func<ShardNo, Incarnation> at) => [.. Rows(_ => null).Select(r => r with { Target = at(r.No) })];
        ImmutableArray<ShardTarget> Again(ShardRow[] rows, params Incarnation[] slow) => ShardAllocation.Place(members, rows, rows, slow.ToHashSet());

        Assert.DoesNotContain(Again(Aimed(_ => members[0].Inc), members[0].Inc), p => p.Target == members[0].Inc);
        var all = Aimed(no => members[(int)(no.Value % 3)].Inc);
        Assert.DoesNotContain(Again(all, members[0].Inc, members[1].Inc, members[2].Inc), p => p.Target == all.First(r => r.No == p.Shard).Target);
        members = [members[0]];
        Assert.All(Again(Aimed(_ => members[0].Inc), members[0].Inc), p => Assert.Equal(members[0].Inc, p.Target));
    }

    [Fact]
    public void A_new_member_gets_its_share_in_moves_of_at_most_eight()
    {
        var members = Members(2);
        var rows = Rows(_ => members[0].Inc);
        var moves = ShardAllocation.Balance(members, rows, 8);
        Assert.Equal(8, moves.Length);
        Assert.All(moves, m => Assert.Equal(members[1].Inc, m.Target));
    }

    [Fact]
    public void A_balanced_cluster_moves_nothing()
    {
        var members = Members(2);
        Assert.Empty(ShardAllocation.Balance(members, Rows(no => members[(int)(no.Value % 2)].Inc), 8));
    }

    private static ImmutableArray<ShardTarget> Place(ImmutableArray<MemberRow> members, ShardRow[] rows) => ShardAllocation.Place(members, rows, rows);

    private static ImmutableArray<MemberRow> Members(int count) => [.. Enumerable.Range(1, count).Select(i => new MemberRow
    {
        Inc = new Incarnation(i),
        Name = $"node{i}",
        Host = "host",
        LinkAddress = $"node{i}:8090",
        ClientUrl = $"http://node{i}:8080",
        Status = MemberStatus.Up,
    })];

    private static ShardRow[] Rows(Func<ShardNo, Incarnation?> ownerOf) => [.. Enumerable.Range(1, Shards).Select(i => new ShardNo(i)).Select(no =>
        new ShardRow(no, "room", no.Value.ToString(CultureInfo.InvariantCulture), new Epoch(1), ownerOf(no), null, null, ownerOf(no) is null ? ShardState.Free : ShardState.Owned, 1))];
}
