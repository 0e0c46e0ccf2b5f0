namespace ActorCluster.Primitives;

/// <summary>Time that never jumps and that runs while the machine is suspended: what leases and time-outs are measured by.</summary>
/// <remarks>Thread-safe. The zero point is the machine's boot; only differences mean anything.</remarks>
public static class MonotonicClock
{
    /// <summary>Time since boot, suspend included on Linux (<c>CLOCK_BOOTTIME</c>).</summary>
    public static TimeSpan Now => TimeSpan.FromTicks(Native.BootNanoseconds() / 100);
}
