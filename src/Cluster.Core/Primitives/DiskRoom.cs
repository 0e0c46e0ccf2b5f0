namespace ActorCluster.Primitives;

/// <summary>Whether a file could not be written for want of room alone, which passes, unlike a missing right.</summary>
public static class DiskRoom
{
    /// <summary>True when the disk, or the quota of this user on it, is full: errno ENOSPC or EDQUOT; on Windows ERROR_DISK_FULL or ERROR_HANDLE_DISK_FULL.</summary>
    public static bool IsMissing(IOException cause)
    {
        ArgumentNullException.ThrowIfNull(cause);
        return OperatingSystem.IsWindows() ? cause.HResult is unchecked((int)0x80070070) or unchecked((int)0x80070027)
            : cause.HResult is 28 || cause.HResult == (OperatingSystem.IsLinux() ? 122 : 69);
    }

    /// <summary>True when the disk of a folder has less than <paramref name="bytes"/> left for this user; false also where the system does not say.</summary>
    public static bool IsLessThan(string folder, long bytes)
    {
        try { return new DriveInfo(folder).AvailableFreeSpace < bytes; }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or ArgumentException) { return false; }
    }
}
