using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>How far this node's thread pool is behind, and whether the node is sick of it (protocol 2.4).</summary>
/// <remarks>Not thread-safe. One item at a time goes to the pool and comes back when it has run: asked and noted by the node's own thread, which no pool holds up. An item that is still
/// out tells as much as one that came back: the delay is at least its age.</remarks>
internal sealed class PoolWatch(ProtocolTimes times)
{
    /// <summary>As far behind as this a pool is well.</summary>
    public static readonly TimeSpan WellDelay = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan AskEvery = TimeSpan.FromSeconds(1);

    private long _no;
    private TimeSpan? _asked;
    private TimeSpan _nextAsk;
    private TimeSpan _last;
    private TimeSpan? _behindSince;
    private TimeSpan? _wellSince;

    /// <summary>The pool was behind by more than <see cref="ProtocolTimes.SickDelay"/> for <see cref="ProtocolTimes.SickAfter"/>, and not well for <see cref="ProtocolTimes.SickEnds"/> on end since.</summary>
    public bool IsSick { get; private set; }

    /// <summary>How long the newest item waited, or the one that is out waits.</summary>
    public TimeSpan Delay(TimeSpan now) => _asked is { } asked && now - asked > _last ? now - asked : _last;

    public void Tick(TimeSpan now, List<NodeEffect> effects)
    {
        Judge(Delay(now), now);
        if (_asked is not null || now < _nextAsk) return;
        (_asked, _nextAsk) = (now, now + AskEvery);
        effects.Add(new NodeEffect.AskPool(++_no));
    }

    /// <summary>An item has run.</summary>
    public void Ran(long no, TimeSpan now)
    {
        if (no != _no || _asked is not { } asked) return;
        (_last, _asked) = (now - asked, null);
    }

    private void Judge(TimeSpan delay, TimeSpan now)
    {
        if (delay > times.SickDelay) _behindSince ??= now;
        else _behindSince = null;
        if (delay <= WellDelay) _wellSince ??= now;
        else _wellSince = null;
        if (_behindSince is { } behind && now - behind >= times.SickAfter) IsSick = true;
        else if (_wellSince is { } well && now - well >= times.SickEnds) IsSick = false;
    }
}
