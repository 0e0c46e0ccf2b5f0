using ActorCluster.Persistence;
using ActorCluster.Primitives;
using Microsoft.Win32.SafeHandles;

namespace ActorCluster.Hosting;

/// <summary>The file that a node keeps locked while its process lives: only the kernel gives it up, so whoever gets the lock knows that the process has ended (protocol 2.5).</summary>
internal sealed class NodeLock : IDisposable
{
    private const int ProbersPassed = 30;

    private readonly SafeFileHandle _file;

    private NodeLock(SafeFileHandle file, NodeLockProof? proof) => (_file, Proof) = (file, proof);

    /// <summary>What is published so that others can find the right file; null where the platform has no such locks.</summary>
    public NodeLockProof? Proof { get; }

    /// <summary>Takes the lock of a node name in a data folder.</summary>
    /// <exception cref="ClusterStartException">Another process holds it, the folder cannot be written, or its file system has no working locks.</exception>
    /// <exception cref="IOException">The disk is full (<see cref="DiskRoom.IsMissing"/>): nothing is held, and it may pass.</exception>
    public static NodeLock Take(string dataFolder, string name)
    {
        var folder = Path.Combine(Path.GetFullPath(dataFolder), "nodes", name);
        var path = Path.Combine(folder, "node.lock");
        SafeFileHandle file;
        try
        {
            Directory.CreateDirectory(folder);
            file = Open(path, create: true);
        }
        catch (IOException cause) when (DiskRoom.IsMissing(cause))
        {
            throw Full(path, cause);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw new ClusterStartException(ExitCodes.Refused, $"Cluster:Data: {path} cannot be written ({cause.Message}); give this process write access to the folder, or name another one.", cause);
        }
        if (!OperatingSystem.IsLinux()) return new NodeLock(file, null);
        try
        {
            if (!TryLock(file))
                throw new ClusterStartException(ExitCodes.Refused, $"The node name {name} is in use: a live process holds {path}. Stop it, or give this node another Cluster:Node:Name.");
            using (var second = Open(path, create: false))
            {
                if (Native.Flock(second, Native.LockExclusive | Native.LockNonBlocking))
                    throw new ClusterStartException(ExitCodes.Refused, $"{path}: its file system lets two openers lock one file; put Cluster:Data on a local file system.");
            }
            var nonce = Guid.NewGuid().ToString("N");
            RandomAccess.SetLength(file, 0);
            RandomAccess.Write(file, System.Text.Encoding.ASCII.GetBytes(nonce), 0);
            var (device, inode) = Identity(file);
            return new NodeLock(file, new NodeLockProof(path, BootId(), device, inode, nonce));
        }
        catch (IOException cause) when (DiskRoom.IsMissing(cause))
        {
            file.Dispose();
            throw Full(path, cause);
        }
        catch (IOException cause)
        {
            file.Dispose();
            throw new ClusterStartException(ExitCodes.Refused, $"{path} cannot be locked ({cause.Message}); put Cluster:Data on a local file system.", cause);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>True when the very file that a member named is locked by nobody: its process has ended. Anything else proves nothing.</summary>
    public static bool IsFree(NodeLockProof proof)
    {
        if (!OperatingSystem.IsLinux()) return false;
        try
        {
            if (proof.BootId != BootId()) return false;
            using var file = Open(proof.Path, create: false);
            if (Identity(file) != (proof.Device, proof.Inode) || !Native.Flock(file, Native.LockShared | Native.LockNonBlocking)) return false;
            Span<byte> nonce = stackalloc byte[64];
            var length = RandomAccess.Read(file, nonce, 0);
            return System.Text.Encoding.ASCII.GetString(nonce[..length]) == proof.Nonce; // Another life's nonce: that life had it and is gone too, but the row is not ours to judge.
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>The file can be judged here: it was locked on this machine since it was started.</summary>
    public static bool IsOfThisBoot(NodeLockProof proof) => OperatingSystem.IsLinux() && proof.BootId == BootId();

    public void Dispose() => _file.Dispose();

    private static IOException Full(string path, IOException cause) => new($"{path} cannot be written, the disk is full ({cause.Message}). Free some space.", cause.HResult);

    /// <summary>Peers that look whether the last process has ended hold the lock for a moment, just when its successor starts.</summary>
    private static bool TryLock(SafeFileHandle file)
    {
        for (var attempt = 0; !Native.Flock(file, Native.LockExclusive | Native.LockNonBlocking); attempt++)
        {
            if (attempt == ProbersPassed) return false;
            Native.Sleep(TimeSpan.FromMilliseconds(10));
        }
        return true;
    }

    private static SafeFileHandle Open(string path, bool create) => OperatingSystem.IsWindows()
        ? File.OpenHandle(path, create ? FileMode.OpenOrCreate : FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete)
        : Native.OpenForLock(path, create);

    private static string BootId() => File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    private static (long Device, long Inode) Identity(SafeFileHandle file)
    {
        var (major, minor, inode) = Native.Identity(file);
        return (((long)major << 32) | minor, inode);
    }
}

/// <summary>The node cannot start; the message is one line that names the mend.</summary>
public sealed class ClusterStartException(int exitCode, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Exit code of the process (protocol 3.6).</summary>
    public int ExitCode { get; } = exitCode;
}
