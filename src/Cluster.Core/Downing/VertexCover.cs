using System.Collections.Immutable;
using System.Numerics;
using ActorCluster.Primitives;

namespace ActorCluster.Downing;

/// <summary>The fewest members with whom all broken edges go.</summary>
internal static class VertexCover
{
    private const int ExactEndpointsMax = 12;

    /// <summary>A smallest cover up to twelve endpoints (all sets are tried); above, whoever has the most edges left goes, until none is.</summary>
    /// <param name="edges">Pairs of members, each pair once.</param>
    /// <param name="preference">All endpoints; of covers of one size the one whose members stand further in front is taken.</param>
    public static ImmutableArray<Incarnation> Of(IReadOnlyCollection<(Incarnation A, Incarnation B)> edges, ImmutableArray<Incarnation> preference) =>
        preference.Length <= ExactEndpointsMax ? Smallest(edges, preference) : Greedy(edges, preference);

    internal static ImmutableArray<Incarnation> Greedy(IReadOnlyCollection<(Incarnation A, Incarnation B)> edges, ImmutableArray<Incarnation> preference)
    {
        var cover = new SortedSet<Incarnation>();
        while (edges.Where(e => !cover.Contains(e.A) && !cover.Contains(e.B)).ToList() is { Count: > 0 } left)
            cover.Add(preference.MaxBy(m => left.Count(e => e.A == m || e.B == m))); // The first of equals: MaxBy keeps it.
        return [.. cover];
    }

    private static ImmutableArray<Incarnation> Smallest(IReadOnlyCollection<(Incarnation A, Incarnation B)> edges, ImmutableArray<Incarnation> preference)
    {
        var ends = edges.Select(e => (1 << preference.IndexOf(e.A)) | (1 << preference.IndexOf(e.B))).ToList();
        var best = (1 << preference.Length) - 1;
        for (var set = best; set >= 0; set--)
        {
            if (!ends.TrueForAll(end => (set & end) != 0)) continue;
            var fewer = BitOperations.PopCount((uint)set) - BitOperations.PopCount((uint)best);
            // The lowest bit in which two sets differ is the member further in front.
            if (fewer < 0 || (fewer == 0 && ((set ^ best) & -(set ^ best) & set) != 0)) best = set;
        }
        return [.. preference.Where((_, i) => (best & (1 << i)) != 0).Order()];
    }
}
