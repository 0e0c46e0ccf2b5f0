using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Downing;

public class KeepMajorityTests
{
    private readonly KeepMajority _resolver = new();

    [Theory]
    [InlineData("A B C", "D E", DowningClass.Now)]
    [InlineData("D E", "A B C", DowningClass.Late)]
    [InlineData("A B", "C D", DowningClass.Now)]   // Even split: the side of the oldest.
    [InlineData("C D", "A B", DowningClass.Tie)]
    [InlineData("A", "B C", DowningClass.Late)]
    [InlineData("A", "", DowningClass.Now)]
    [InlineData("", "", DowningClass.Late)]        // Nobody may vote.
    public void A_side_is_classed_by_its_weight(string here, string there, DowningClass expected) => Assert.Equal(expected, _resolver.Classify(Voters(here, there)));

    [Fact]
    public void A_heavier_node_outweighs_a_larger_side()
    {
        var heavy = new Voter(new Incarnation(9), 3, 9, Here: true);
        Assert.Equal(DowningClass.Now, _resolver.Classify([heavy, .. Voters("", "A B")]));
    }

    [Fact]
    public void No_partition_of_up_to_five_nodes_has_two_sides_that_claim_at_once()
    {
        for (var nodes = 1; nodes <= 5; nodes++)
            foreach (var sideOf in PartitionTrial.PartitionsOf(nodes))
            {
                var claiming = sideOf.Distinct().Count(side => _resolver.Classify([.. Enumerable.Range(0, nodes).Select(i => new Voter(new Incarnation(i + 1), 1, i + 1, sideOf[i] == side))]) == DowningClass.Now);
                Assert.True(claiming <= 1, string.Join(' ', sideOf));
            }
    }

    private static ImmutableArray<Voter> Voters(string here, string there) => [.. Side(here, true), .. Side(there, false)];

    private static IEnumerable<Voter> Side(string names, bool here) =>
        names.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(n => new Voter(new Incarnation(n[0]), 1, n[0], here));
}
