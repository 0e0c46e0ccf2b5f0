using System.Collections.Frozen;
using System.Text;
using ActorCluster.Persistence;

namespace ActorCluster.Sql;

/// <summary>Tells file systems of this machine, whose locks all its processes see, from network ones, where SQLite would lose data.</summary>
internal static class LocalFileSystem
{
    private static readonly FrozenSet<string> Allowed = FrozenSet.ToFrozenSet(
    [
        "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "tmpfs", "ramfs", "overlay", "f2fs", "bcachefs", "jfs", "reiserfs", "apfs", "hfs", "hfsplus",
        "ntfs", "ntfs3", "ufs", "exfat", "vfat", "rootfs",
    ], StringComparer.Ordinal);

    /// <summary>Refuses a folder that is not on the allow-list. Where the kernel has no list of mounts, nothing is known and nothing refused.</summary>
    /// <exception cref="StoreUnusableException">Another kind of file system.</exception>
    public static void Require(string folder)
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/proc/self/mountinfo")) return;
        Require(Resolve(folder), File.ReadLines("/proc/self/mountinfo"));
    }

    /// <summary>The decision alone: a folder without links in its path, and the lines of mountinfo (proc(5)).</summary>
    internal static void Require(string folder, IEnumerable<string> mounts)
    {
        var (bestLength, kind) = (-1, "unknown");
        foreach (var line in mounts)
        {
            // id parent major:minor root mount-point options [optional...] - type source super-options
            var fields = line.Split(' ');
            var separator = Array.IndexOf(fields, "-");
            if (separator < 6 || separator + 1 >= fields.Length) continue;
            var point = Unescape(fields[4]);
            if (point.Length >= bestLength && IsWithin(folder, point)) (bestLength, kind) = (point.Length, fields[separator + 1]); // Of two at one point the later hides the other.
        }
        if (!Allowed.Contains(kind))
            throw new StoreUnusableException($"{folder} is on a file system of type {kind}, whose locks cannot be trusted. Put the store on a local disk (ext4, xfs, btrfs, zfs, ...), or use PostgreSQL for several hosts.");
    }

    private static bool IsWithin(string folder, string point) =>
        point == "/" || folder == point || (folder.StartsWith(point, StringComparison.Ordinal) && folder[point.Length] == '/');

    private static string Resolve(string folder)
    {
        var resolved = "/";
        foreach (var part in Path.GetFullPath(folder).Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            var next = Path.Combine(resolved, part);
            resolved = Directory.ResolveLinkTarget(next, returnFinalTarget: true)?.FullName ?? next;
        }
        return resolved;
    }

    private static string Unescape(string field)
    {
        if (!field.Contains('\\', StringComparison.Ordinal)) return field;
        var text = new StringBuilder();
        for (var i = 0; i < field.Length; i++)
        {
            if (field[i] == '\\' && i + 3 < field.Length)
            {
                text.Append((char)Convert.ToInt32(field.Substring(i + 1, 3), 8));
                i += 3;
            }
            else
            {
                text.Append(field[i]);
            }
        }
        return text.ToString();
    }
}
