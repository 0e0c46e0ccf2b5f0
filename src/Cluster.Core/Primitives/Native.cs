using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ActorCluster.Primitives;

/// <summary>The few system calls that .NET does not offer: whole-file locks, who holds them, and the clock that runs during suspend.</summary>
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

    /// <summary>Opens a file for whole-file locks, without the lock that .NET's own opening takes and that would disturb ours.</summary>
    /// <exception cref="IOException">The file cannot be opened or made.</exception>
    public static SafeFileHandle OpenForLock(string path, bool create = false)
    {
        const int readWrite = 2;
        var closeOnExec = OperatingSystem.IsLinux() ? 0x80000 : 0x1000000;
        var ifMissing = !create ? 0 : OperatingSystem.IsLinux() ? 0x40 : 0x200;
        var descriptor = OpenRaw(path, readWrite | closeOnExec | ifMissing, 0x1A4 /* rw-r--r-- */);
        if (descriptor < 0) throw new IOException($"open({path}) failed: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}.", Marshal.GetLastPInvokeError());
        return new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>Sleeps; Thread.Sleep cannot do less than a millisecond.</summary>
    public static void Sleep(TimeSpan time)
    {
        if (OperatingSystem.IsWindows()) Thread.Sleep(time < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : time);
        else _ = SleepRaw((uint)time.TotalMicroseconds);
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

    /// <summary>Device and inode of an open file (Linux): what tells a file from another of its name.</summary>
    /// <exception cref="IOException">The file system does not say.</exception>
    public static (uint DeviceMajor, uint DeviceMinor, long Inode) Identity(SafeFileHandle file)
    {
        const int atEmptyPath = 0x1000;
        const uint inodeWanted = 0x100;
        if (Statx(file, "", atEmptyPath, inodeWanted, out var stat) != 0) throw new IOException($"statx failed with error {Marshal.GetLastPInvokeError()}.");
        return (stat.DeviceMajor, stat.DeviceMinor, (long)stat.Inode);
    }

    /// <summary>The process that holds a whole-file lock on this file, by the kernel's list; null where nobody does or the kernel does not say
    /// (another system, or a holder outside this container).</summary>
    public static int? LockHolder(SafeFileHandle file)
    {
        const string locks = "/proc/locks";
        if (!OperatingSystem.IsLinux() || !File.Exists(locks)) return null;
        var (major, minor, inode) = Identity(file);
        var wanted = string.Create(CultureInfo.InvariantCulture, $"{major:x2}:{minor:x2}:{inode}");
        foreach (var line in File.ReadLines(locks))
        {
            // "7: FLOCK ADVISORY WRITE 4711 fe:00:131 0 EOF"; who waits has an arrow behind the number.
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 6 && words[1] == "FLOCK" && words[5] == wanted && int.TryParse(words[4], CultureInfo.InvariantCulture, out var process) && process > 0) return process;
        }
        return null;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    /// <summary>The parts of the kernel's struct statx that are read; its layout is the same on every architecture.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct StatxResult
    {
        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGetTime(int clock, out TimeSpec time);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenRaw(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "usleep")]
    private static partial int SleepRaw(uint microseconds);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(SafeHandle file, string path, int flags, uint mask, out StatxResult result);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int FlockRaw(SafeHandle file, int operation);
}
