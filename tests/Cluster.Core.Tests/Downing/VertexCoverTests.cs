using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Downing;

public class VertexCoverTests
{
    [Theory]
    [InlineData("AB", "A B", "A")]
    [InlineData("AB", "B A", "B")]
    [InlineData("AB AC AD", "D C B A", "A")] // One goes for three, whatever is preferred.
    [InlineData("AB BC", "A B C", "B")]
    [InlineData("AB CD", "B D A C", "BD")]
    [InlineData("AB BC AC", "C A B", "AC")]
    [InlineData("AB BC CD", "D C B A", "BD")] // Of {B, C}, {B, D} and {A, C} the one with D.
    [InlineData("AB BC CD", "C B D A", "BC")]
    [InlineData("AB AC AD AE AF AG AH AI AJ AK AL AM", "M L K J I H G F E D C B A", "A")] // Thirteen endpoints: greedy.
    public void The_fewest_go_and_of_equals_the_preferred(string edges, string preference, string cover) =>
        Assert.Equal(cover, string.Concat(VertexCover.Of(Edges(edges), [.. preference.Split(' ').Select(n => new Incarnation(n[0]))]).Select(m => (char)m.Value)));

    [Fact]
    public void Every_edge_loses_an_end_and_trying_all_sets_never_needs_more_than_greed()
    {
        var random = new Random(1);
        for (var run = 0; run < 300; run++)
        {
            var nodes = 2 + random.Next(15);
            var edges = (from a in Enumerable.Range(1, nodes) from b in Enumerable.Range(1, nodes) where a < b && random.Next(3) == 0 select (new Incarnation(a), new Incarnation(b))).ToList();
            ImmutableArray<Incarnation> ends = [.. edges.SelectMany(e => new[] { e.Item1, e.Item2 }).Distinct().OrderBy(_ => random.Next())];
            var (cover, greedy) = (VertexCover.Of(edges, ends), VertexCover.Greedy(edges, ends));
            Assert.All(edges, e => Assert.True(cover.Contains(e.Item1) || cover.Contains(e.Item2)));
            Assert.All(edges, e => Assert.True(greedy.Contains(e.Item1) || greedy.Contains(e.Item2)));
            Assert.True(cover.Length <= greedy.Length);
        }
    }

    private static List<(Incarnation, Incarnation)> Edges(string text) => [.. text.Split(' ').Select(e => (new Incarnation(e[0]), new Incarnation(e[1])))];
}
