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
        var all = members.Order().ToArray();
        var start = Array.IndexOf(all, self);
        if (start < 0) return [self];
        var says = Table(all, rowOf);
        var reached = new bool[all.Length];
        reached[start] = true;
        var open = new Queue<int>([start]);
        while (open.TryDequeue(out var from))
        {
            for (var to = 0; to < all.Length; to++)
            {
                if (reached[to] || !IsUp(says[from, to], says[to, from])) continue;
                reached[to] = true;
                open.Enqueue(to);
            }
        }
        return [.. all.Where((_, i) => reached[i])];
    }

    /// <summary>Those of the given members of whom nobody who counts says that it does not reach them. Two that do not watch each other say nothing of each other: that is no edge, and no broken one.</summary>
    public static IEnumerable<Incarnation> NotMissed(IReadOnlyCollection<Incarnation> of, IReadOnlyCollection<Incarnation> members, Func<Incarnation, ImmutableArray<ReachEntry>?> rowOf)
    {
        var missed = members.SelectMany(m => rowOf(m) ?? []).Where(e => !e.Up).Select(e => e.Peer).ToHashSet();
        return of.Where(m => !missed.Contains(m));
    }

    /// <summary>Pairs of members that somebody who counts says do not reach each other, lower incarnation first. Where nobody speaks for an edge it is not called broken:
    /// observers that are unwell are no reason to evict anybody.</summary>
    public static ImmutableArray<(Incarnation A, Incarnation B)> BrokenEdges(IReadOnlyCollection<Incarnation> members, Func<Incarnation, ImmutableArray<ReachEntry>?> rowOf)
    {
        var all = members.Order().ToArray();
        var says = Table(all, rowOf);
        var broken = ImmutableArray.CreateBuilder<(Incarnation A, Incarnation B)>();
        for (var a = 0; a < all.Length; a++)
            for (var b = a + 1; b < all.Length; b++)
                if (says[a, b] == false || says[b, a] == false) broken.Add((all[a], all[b]));
        return broken.ToImmutable();
    }

    /// <summary>What each says of each, as <see cref="Says"/>; looked up once, since with many members there are many pairs.</summary>
    /// <param name="all">In order.</param>
    /// <param name="rowOf">A member's row, or null when it does not count.</param>
    private static bool?[,] Table(Incarnation[] all, Func<Incarnation, ImmutableArray<ReachEntry>?> rowOf)
    {
        var says = new bool?[all.Length, all.Length];
        for (var i = 0; i < all.Length; i++)
        {
            var at = 0;
            foreach (var entry in rowOf(all[i]) ?? [])
            {
                // Rows are in order as the members are, mostly, so that the next one is near.
                if (at == all.Length || entry.Peer < all[at]) at = 0;
                while (at < all.Length && all[at] < entry.Peer) at++;
                if (at < all.Length && all[at] == entry.Peer) says[i, at] = entry.Up;
            }
        }
        return says;
    }

    /// <summary>Both rows count: both must say up. One counts: it decides. None: down, for nobody speaks for that edge.</summary>
    private static bool IsUp(bool? byA, bool? byB) => (byA ?? byB ?? false) && (byB ?? byA ?? false);

    /// <summary>What a row says of a member: up, not up, or null when the row does not count or its writer does not know that member.</summary>
    public static bool? Says(ImmutableArray<ReachEntry>? row, Incarnation of)
    {
        if (row is not { } entries) return null;
        foreach (var entry in entries)
            if (entry.Peer == of) return entry.Up;
        return null; // The writer does not know that member yet.
    }
}
