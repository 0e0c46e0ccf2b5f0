using System.Runtime.InteropServices;

namespace ActorCluster.MultiNode.Tests.Nodes;

/// <summary>A disk in memory of a few megabytes, and something to fill it with.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly string _folder;

    private SmallDisk(string folder) => _folder = folder;

    /// <summary>Mounts one over a folder that there is; it must outlive the disk.</summary>
    /// <exception cref="InvalidOperationException">This process has not the right to mount.</exception>
    public static SmallDisk Mount(string folder, int megabytes) => MountFileSystem("tmpfs", folder, "tmpfs", 0, $"size={megabytes}m") == 0
        ? new SmallDisk(folder)
        : throw new InvalidOperationException($"A small disk in memory cannot be mounted: {Marshal.GetLastPInvokeErrorMessage()}. Run this as root.");

    public string At(string name) => Path.Combine(_folder, name);

    /// <summary>Not one byte is left.</summary>
    public void Fill()
    {
        using var ballast = new FileStream(At("ballast"), FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
        for (var size = 65_536; size > 0; size /= 2)
        {
            try
            {
                while (true) ballast.Write(new byte[size]);
            }
            catch (IOException)
            {
                // Smaller steps take the rest.
            }
        }
    }

    public void Free() => File.Delete(At("ballast"));

    public void Dispose()
    {
        // Lazily: should a process still have a file open, the disk goes with it.
        if (Unmount(_folder, 2) != 0) throw new InvalidOperationException($"{_folder} cannot be unmounted: {Marshal.GetLastPInvokeErrorMessage()}.");
    }

    [DllImport("libc", EntryPoint = "mount", SetLastError = true, CharSet = CharSet.Ansi)]
    private static extern int MountFileSystem(string source, string target, string kind, ulong flags, string data);

    [DllImport("libc", EntryPoint = "umount2", SetLastError = true, CharSet = CharSet.Ansi)]
    private static extern int Unmount(string target, int flags);
}
