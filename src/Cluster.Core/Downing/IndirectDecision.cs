using System.Collections.Immutable;
using ActorCluster.Primitives;

namespace ActorCluster.Downing;

/// <summary>What is done about members that are connected through others only.</summary>
public enum BrokenEdgeRule
{
    /// <summary>When somebody lacks more than half of the others for ten seconds, the fewest members go with whom all broken edges go.</summary>
    EvictMin,

    /// <summary>Nobody goes: requests find another way.</summary>
    Relay,

    /// <summary>As the classic resolver: after ten seconds both ends of every broken edge go.</summary>
    EvictAll,
}

/// <summary>Two members of one component that do not reach each other.</summary>
/// <param name="A">The lower incarnation.</param>
/// <param name="B">The higher one.</param>
/// <param name="Since">Since when this node knows of it.</param>
internal readonly record struct BrokenEdge(Incarnation A, Incarnation B, TimeSpan Since);

/// <summary>Whether members are to be evicted although nobody is unreachable (protocol 3.5).</summary>
/// <remarks>Not thread-safe. Remembers only since when each edge is broken and whom it would evict.</remarks>
internal sealed class IndirectDecision(SplitBrainResolver resolver, ProtocolTimes times)
{
    private readonly SortedDictionary<(Incarnation A, Incarnation B), TimeSpan> _since = [];
    private string _evict = "";
    private TimeSpan _evictSince;

    /// <summary>The broken edges of the last review.</summary>
    public ImmutableArray<BrokenEdge> Broken { get; private set; } = [];

    /// <param name="input">What the decision about unreachable members is made from.</param>
    /// <param name="broken">Pairs of voters of this component, lower incarnation first, that somebody who counts says do not reach each other.</param>
    /// <param name="whole">Nobody is unreachable; a clean division is decided first.</param>
    /// <param name="now">Monotonic.</param>
    public DowningClaim Review(DowningInput input, IReadOnlyCollection<(Incarnation A, Incarnation B)> broken, bool whole, TimeSpan now)
    {
        foreach (var healed in _since.Keys.Except(broken).ToList()) _since.Remove(healed);
        foreach (var edge in broken) _since.TryAdd(edge, now);
        Broken = [.. _since.Select(e => new BrokenEdge(e.Key.A, e.Key.B, e.Value))];

        var evict = whole ? ToEvict(input, now) : [];
        var shape = string.Join(',', evict);
        if (shape != _evict) (_evict, _evictSince) = (shape, now);
        if (evict.IsEmpty || input.Unwell || RankOf(input, evict) is not { } rank || now - _evictSince < rank * times.RankStep) return DowningClaim.None;
        return new DowningClaim(evict, false, DowningClass.Now, $"connected through others only, {resolver.BrokenEdges}");
    }

    private ImmutableArray<Incarnation> ToEvict(DowningInput input, TimeSpan now)
    {
        if (resolver.BrokenEdges == BrokenEdgeRule.Relay) return [];
        var lasting = _since.Where(e => now - e.Value >= times.BrokenGrace).Select(e => e.Key).ToList();
        if (lasting.Count == 0) return [];
        var here = input.Voters.Where(m => input.Component.Contains(m.Inc)).ToList();
        ImmutableArray<Incarnation> evict;
        if (resolver.BrokenEdges == BrokenEdgeRule.EvictAll)
        {
            evict = [.. lasting.SelectMany(e => new[] { e.A, e.B }).Distinct().Order()];
        }
        else
        {
            if (!here.Exists(m => 2 * Edges(m.Inc) > here.Count - 1)) return [];
            evict = VertexCover.Of(lasting, [.. here.Where(m => Edges(m.Inc) > 0)
                .OrderBy(m => (-Edges(m.Inc), input.StoreOk(m.Inc), input.WitnessOk(m.Inc), -input.HealthOf(m.Inc), -m.UpView, -m.Inc.Value)).Select(m => m.Inc)]);
        }
        // Those who stay must be who would live had the others been cut off.
        return DowningDecision.VotersOf(resolver, input, inc => input.Component.Contains(inc) && !evict.Contains(inc)) is { IsEmpty: false } voters && resolver.Classify(voters) == DowningClass.Now ? evict : [];

        int Edges(Incarnation of) => lasting.Count(e => e.A == of || e.B == of);
    }

    /// <summary>Those who stay and reach the store execute, oldest first; null where this node is none of them.</summary>
    private static int? RankOf(DowningInput input, ImmutableArray<Incarnation> evict)
    {
        var executors = input.Voters.Where(m => input.Component.Contains(m.Inc) && !evict.Contains(m.Inc) && input.StoreOk(m.Inc)).OrderBy(m => (m.UpView, m.Inc)).Select(m => m.Inc).ToList();
        return executors.IndexOf(input.Self) is >= 0 and var rank ? rank : null;
    }
}
