namespace ActorCluster.Entities;

/// <summary>The store's clock, carried on by the monotonic one between two readings (protocol 6.4).</summary>
/// <remarks>Not thread-safe. A clock that steps is believed only when its new time has stood: an operator's slip must not fire what is due in a year.</remarks>
internal sealed class StoreClock
{
    /// <summary>Readings that differ by more than this from the time carried on are a step.</summary>
    public static readonly TimeSpan StepMax = TimeSpan.FromSeconds(60);

    /// <summary>How long a step must stand.</summary>
    public static readonly TimeSpan Stands = TimeSpan.FromSeconds(60);

    private long _ahead; // Of the monotonic clock, in milliseconds.
    private long? _stepped;
    private TimeSpan _steppedAt;

    /// <summary>It was read.</summary>
    public bool IsSet { get; private set; }

    /// <summary>It has stepped, and the step has not stood yet: nothing is due meanwhile.</summary>
    public bool IsHeld => _stepped is not null;

    /// <summary>The store's time.</summary>
    public long UnixMs(TimeSpan now) => _ahead + Ms(now);

    /// <summary>Takes a reading.</summary>
    /// <returns>How far the clock has stepped, where that is news; else null.</returns>
    public TimeSpan? Read(long unixMs, TimeSpan now)
    {
        var ahead = unixMs - Ms(now);
        if (!IsSet || IsNear(ahead, _ahead))
        {
            (IsSet, _ahead, _stepped) = (true, ahead, null);
            return null;
        }
        if (_stepped is not { } stepped || !IsNear(ahead, stepped))
        {
            (_stepped, _steppedAt) = (ahead, now);
            return TimeSpan.FromMilliseconds(ahead - _ahead);
        }
        if (now - _steppedAt >= Stands) (_ahead, _stepped) = (ahead, null);
        return null;
    }

    private static bool IsNear(long one, long other) => Math.Abs(one - other) <= (long)StepMax.TotalMilliseconds;

    private static long Ms(TimeSpan time) => (long)time.TotalMilliseconds;
}
