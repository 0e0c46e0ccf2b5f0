using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>The own lease: when to renew, and until when this node may serve (protocol 4.1, 4.2, 4.4).</summary>
/// <remarks>Not thread-safe. Counts from just before the renewal was sent, so no delay of its answer can stretch it.</remarks>
internal sealed class Lease(ProtocolTimes times)
{
    private TimeSpan? _asked;
    private TimeSpan _due;
    private TimeSpan? _grantedFrom;
    private bool _frozen;
    private TimeSpan _thawFrom = TimeSpan.MaxValue;
    private (int Asked, int Granted, int All) _doubts; // Counted: at a clock that stood still, times tell no order.

    /// <summary>Serving ends here; the past when never granted.</summary>
    public TimeSpan Deadline => (_grantedFrom ?? -times.ServeLimit) + times.ServeLimit;

    /// <summary>Renewals that did not succeed since one did.</summary>
    public int Failures { get; private set; }

    public bool IsDue(TimeSpan now) => _asked is null && now >= _due;

    /// <summary>The lease is certainly not stale for anybody yet: a condition for judging others.</summary>
    public bool IsLive(TimeSpan now) => _grantedFrom is not null && now < Deadline;

    /// <summary>No sign that the clock stood still since the renewal was asked for. While false, nothing is done outside the store and no read goes unmarked (protocol 4.2).</summary>
    public bool IsTrusted => _grantedFrom is null || _doubts.Granted == _doubts.All;

    /// <summary>Since when nothing that was read before counts as fresh.</summary>
    public TimeSpan DoubtedAt { get; private set; } = TimeSpan.MinValue;

    /// <summary>A clock parts from mine, or the last link broke: perhaps the whole machine stood still, and the deadline with it. Only a renewal asked for from now on tells.</summary>
    public void Doubt(TimeSpan now)
    {
        _doubts.All++;
        DoubtedAt = _due = now;
    }

    /// <summary>An effect that begins now and takes up to <paramref name="limit"/> ends before this node's lease can be stale for anybody.</summary>
    public static bool Covers(TimeSpan deadline, TimeSpan now, TimeSpan limit, ProtocolTimes times) => now < deadline && now + limit <= deadline + times.EffectLimit;

    public void Asked(TimeSpan now) => (_asked, _doubts.Asked) = (now, _doubts.All);

    public void Granted(TimeSpan now)
    {
        Failures = 0;
        _ = IsFrozen(now); // Latches: a grant that comes too late does not hide that the deadline passed.
        (_grantedFrom, _doubts.Granted) = (_asked, _doubts.Asked);
        _due = IsTrusted ? _asked!.Value + times.Renew : now;
        _asked = null;
        if (_frozen && _thawFrom == TimeSpan.MaxValue) _thawFrom = now;
    }

    public void Refused(TimeSpan now)
    {
        Failures++;
        _asked = null;
        _due = now + (times.Renew / 10); // At once, but a store that refuses within microseconds is not hammered.
    }

    /// <summary>Latched: once the deadline has passed, only <see cref="OwnRowsRead"/> ends it.</summary>
    public bool IsFrozen(TimeSpan now)
    {
        if (_grantedFrom is not null && now >= Deadline)
        {
            _frozen = true;
            _thawFrom = TimeSpan.MaxValue;
        }
        return _frozen;
    }

    /// <summary>Frozen and renewed: only own rows asked for from then on are missing.</summary>
    public bool AwaitsRowsAfter(TimeSpan asked) => _frozen && _thawFrom != TimeSpan.MaxValue && asked < _thawFrom;

    /// <summary>The node compared what it runs with rows read from <paramref name="asked"/> on. Rows asked for after the renewal end the frozen state:
    /// without that order a node released during its outage would serve old memory under a fresh lease.</summary>
    public void OwnRowsRead(TimeSpan asked)
    {
        if (asked >= _thawFrom) _frozen = false;
    }
}
