using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>Whether another clock has parted from the own one: the sign of a machine that stood still as a whole, and all of its clocks with it (protocol 4.2).</summary>
/// <remarks>Not thread-safe. The store's time would say no more: what an answer shows of it, the call itself shows, since a renewal that was begun after a standstill counts from then.</remarks>
internal sealed class ClockDoubt
{
    /// <summary>Clocks that part by more than this at once have not drifted.</summary>
    public static readonly TimeSpan Step = TimeSpan.FromMilliseconds(500);

    /// <summary>Two clocks that are each within 0.5 %, and room for rounding.</summary>
    private const double Drift = 0.011;

    /// <summary>How fast a peer is believed to be behind. Slower than a burst of late beats, or each would look like a standstill when it is over.</summary>
    private const double Fall = 0.1;

    private readonly SortedDictionary<Incarnation, Offset> _peers = [];
    private Offset? _wall;

    /// <summary>Notes the wall clock. A step to either side is an operator's, or of what sets a machine's clock when it goes on.</summary>
    /// <param name="ahead">How far it is ahead of the own clock.</param>
    /// <param name="now">By the own clock.</param>
    /// <returns>True once for each step.</returns>
    public bool Wall(TimeSpan ahead, TimeSpan now)
    {
        var steps = (ahead - Expected(_wall, ahead)).Duration() > Step + Drifted(_wall, now);
        _wall = new Offset(steps ? ahead : Nearer(_wall, ahead, Drifted(_wall, now), Drifted(_wall, now)), now);
        return steps;
    }

    /// <summary>Notes a peer's clock. A beat may have been under way for long, so that a peer may only seem to be behind; it cannot seem to be ahead.</summary>
    /// <param name="peer">Whose clock it is.</param>
    /// <param name="clock">What it showed when the beat was sent.</param>
    /// <param name="now">By the own clock, when the beat came.</param>
    /// <returns>True when the peer is ahead by more than both clocks can have drifted.</returns>
    public bool Peer(Incarnation peer, TimeSpan clock, TimeSpan now)
    {
        var before = _peers.GetValueOrDefault(peer);
        var ahead = clock - now;
        // The beats that waited out a standstill come at once, each ahead of the one before by little: so what is known rises with the time that has passed here, not with them.
        var steps = ahead - Expected(before, ahead) > Step + Drifted(before, now);
        _peers[peer] = new Offset(steps ? ahead : Nearer(before, ahead, Drifted(before, now), Fall * Passed(before, now)), now);
        return steps;
    }

    /// <summary>Forgets clocks of others.</summary>
    public void Keep(IEnumerable<Incarnation> peers)
    {
        foreach (var gone in _peers.Keys.Except(peers).ToList()) _peers.Remove(gone);
    }

    private static TimeSpan Expected(Offset? before, TimeSpan ahead) => before?.Ahead ?? ahead;

    private static TimeSpan Drifted(Offset? before, TimeSpan now) => Drift * Passed(before, now);

    private static TimeSpan Passed(Offset? before, TimeSpan now) => before is null || now < before.At ? TimeSpan.Zero : now - before.At;

    private static TimeSpan Nearer(Offset? before, TimeSpan ahead, TimeSpan up, TimeSpan down) =>
        before is null ? ahead : new TimeSpan(Math.Clamp(ahead.Ticks, (before.Ahead - down).Ticks, (before.Ahead + up).Ticks));

    private sealed record Offset(TimeSpan Ahead, TimeSpan At);
}
