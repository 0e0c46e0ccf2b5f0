using System.Collections.Immutable;
using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>Who is connected to whom, as far as the rows that count say (protocol 3.1).</summary>
internal static class Reachability
{
    /// <summary>The members that <paramref name="self"/> is connected to, directly or through others, itself included.</summary>
    /// <param name="self">Where to start.</param>
    /// <param name="members">Members to consider.</param>
    /// <param name="rowOf">A member's row, or null when it does not count.</param>
    public static ImmutableSortedSet<Incarnation> ComponentOf(
        Incarnation self, IReadOnlyCollection<Incarnation> members, Func<Incarnation, ImmutableArray<ReachEntry>?> rowOf)
    {
        var all = members.ToArray();
        var rows = Array.ConvertAll(all, m => rowOf(m));
        var start = Array.IndexOf(all, self);
        if (start < 0) return [self];
        var reached = new bool[all.Length];
        reached[start] = true;
        var open = new Queue<int>([start]);
        while (open.TryDequeue(out var from))
        {
            for (var to = 0; to < all.Length; to++)
            {
                if (reached[to] || !IsUp(rows[from], all[from], rows[to], all[to])) continue;
                reached[to] = true;
                open.Enqueue(to);
            }
        }
        return [.. all.Where((_, i) => reached[i])];
    }

    /// <summary>Pairs of members that somebody who counts says do not reach each other, lower incarnation first. Where nobody speaks for an edge it is not called broken:
    /// observers that are unwell are no reason to evict anybody.</summary>
    public static ImmutableArray<(Incarnation A, Incarnation B)> BrokenEdges(IReadOnlyCollection<Incarnation> members, Func<Incarnation, ImmutableArray<ReachEntry>?> rowOf)
    {
        var rows = members.ToDictionary(m => m, rowOf);
        return [.. from a in members from b in members where a.CompareTo(b) < 0 && (Says(rows[a], b) == false || Says(rows[b], a) == false) orderby a, b select (a, b)];
    }

    /// <summary>Both rows count: both must say up. One counts: it decides. None: down, for nobody speaks for that edge.</summary>
    private static bool IsUp(ImmutableArray<ReachEntry>? rowOfA, Incarnation a, ImmutableArray<ReachEntry>? rowOfB, Incarnation b)
    {
        var byA = Says(rowOfA, b);
        var byB = Says(rowOfB, a);
        return (byA ?? byB ?? false) && (byB ?? byA ?? false);
    }

    /// <summary>What a row says of a member: up, not up, or null when the row does not count or its writer does not know that member.</summary>
    public static bool? Says(ImmutableArray<ReachEntry>? row, Incarnation of)
    {
        if (row is not { } entries) return null;
        foreach (var entry in entries)
            if (entry.Peer == of) return entry.Up;
        return null; // The writer does not know that member yet.
    }
}
