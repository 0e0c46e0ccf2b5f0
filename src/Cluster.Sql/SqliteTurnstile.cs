using System.Globalization;
using ActorCluster.Primitives;
using Microsoft.Win32.SafeHandles;

namespace ActorCluster.Sql;

/// <summary>
/// The file that writers of one database lock before they begin: the kernel queues them, so that none starves, as it would under
/// SQLite's own back-off.
/// </summary>
/// <remarks>Only evenness rests on it, never safety: whoever writes without it is still kept apart by SQLite's lock.
/// A process that dies gives it back. Each instance is one holder; one thread at a time.</remarks>
internal sealed class SqliteTurnstile : IDisposable
{
    private readonly string _path;
    private readonly SafeFileHandle? _file;
    private FileStream? _windowsHold;

    /// <exception cref="IOException">The file can neither be made nor opened.</exception>
    /// <exception cref="UnauthorizedAccessException">No right to.</exception>
    public SqliteTurnstile(string path)
    {
        _path = path;
        if (OperatingSystem.IsWindows()) return;
        _file = Native.OpenForLock(path, create: true);
    }

    /// <summary>Waits for the lock, however long: to be called on a thread that can be abandoned.</summary>
    public void Enter()
    {
        if (_file is not null)
            Native.Flock(_file, Native.LockExclusive);
        else
            while (!TryEnter()) Thread.Sleep(1);
    }

    /// <summary>Takes the lock if nobody holds it.</summary>
    public bool TryEnter()
    {
        if (_file is not null) return Native.Flock(_file, Native.LockExclusive | Native.LockNonBlocking);
        try
        {
            _windowsHold = new FileStream(_path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Gives the lock back; harmless when it is not held.</summary>
    public void Leave()
    {
        if (_file is not null)
        {
            Native.Flock(_file, Native.Unlock);
            return;
        }
        _windowsHold?.Dispose();
        _windowsHold = null;
    }

    /// <summary>Who holds it now, for a message to an operator: "process 4711", or that nobody can say.</summary>
    /// <remarks>Any thread. A process that is stopped, or hangs in a system call, keeps the lock until it goes on or is killed.</remarks>
    public string DescribeHolder()
    {
        try
        {
            if (_file is not null && Native.LockHolder(_file) is { } process)
                return string.Create(CultureInfo.InvariantCulture, $"process {process}{(process == Environment.ProcessId ? " (this one)" : "")} holds {_path}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // A message is not worth a fault.
        }
        return $"nobody holds {_path} as far as the system says";
    }

    public void Dispose()
    {
        _file?.Dispose();
        _windowsHold?.Dispose();
    }
}
