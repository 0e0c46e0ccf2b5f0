using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ActorCluster.Sql;

/// <summary>System calls that .NET does not offer: a file opened without .NET's own lock on it, and sleeps below a millisecond.</summary>
internal static partial class SqliteNative
{
    private const int ReadWrite = 2;

    private static int CloseOnExec => OperatingSystem.IsLinux() ? 0x80000 : 0x1000000;

    /// <summary>Opens an existing file for whole-file locks.</summary>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    public static SafeFileHandle OpenForLock(string path)
    {
        // File.OpenHandle takes a shared flock of its own, which fails while another process holds the lock and would disturb ours.
        var descriptor = OpenRaw(path, ReadWrite | CloseOnExec);
        if (descriptor < 0)
            throw new IOException($"open({path}) failed: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}.");
        return new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>Sleeps; Thread.Sleep cannot do less than a millisecond.</summary>
    public static void Sleep(TimeSpan time)
    {
        if (OperatingSystem.IsWindows())
            Thread.Sleep(time < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : time);
        else
            _ = SleepRaw((uint)time.TotalMicroseconds);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenRaw(string path, int flags);

    [LibraryImport("libc", EntryPoint = "usleep")]
    private static partial int SleepRaw(uint microseconds);
}
