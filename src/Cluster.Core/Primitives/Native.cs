using System.Runtime.InteropServices;

namespace ActorCluster.Primitives;

/// <summary>The few system calls that .NET does not offer: whole-file locks and the clock that runs during suspend.</summary>
internal static partial class Native
{
    public const int LockShared = 1;
    public const int LockExclusive = 2;
    public const int LockNonBlocking = 4;
    public const int Unlock = 8;

    private const int ClockBootTime = 7;
    private const int Interrupted = 4;

    /// <summary>Nanoseconds since boot, suspend included (Linux); elsewhere the stopwatch.</summary>
    public static long BootNanoseconds()
    {
        if (!OperatingSystem.IsLinux()) return (long)(System.Diagnostics.Stopwatch.GetElapsedTime(0).TotalNanoseconds);
        if (ClockGetTime(ClockBootTime, out var time) != 0) throw new InvalidOperationException("clock_gettime(CLOCK_BOOTTIME) failed; it needs Linux 2.6.39 or later.");
        return (time.Seconds * 1_000_000_000) + time.Nanoseconds;
    }

    /// <summary>Takes or releases a whole-file lock; false when <see cref="LockNonBlocking"/> was given and another open file holds it.</summary>
    /// <exception cref="IOException">The file system knows no such lock.</exception>
    public static bool Flock(SafeHandle file, int operation)
    {
        while (FlockRaw(file, operation) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error == Interrupted) continue;
            if (error == 11) return false; // EWOULDBLOCK
            throw new IOException($"flock failed with error {error} ({Marshal.GetPInvokeErrorMessage(error)}); put the file on a local file system.");
        }
        return true;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGetTime(int clock, out TimeSpec time);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int FlockRaw(SafeHandle file, int operation);
}
