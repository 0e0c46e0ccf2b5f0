namespace ActorCluster.Persistence;

/// <summary>What every store keeps, whatever the age (protocol, section 1).</summary>
internal static class PruneRules
{
    /// <summary>Newest views, so that a log is never empty and says how the members came to be what they are.</summary>
    public const int ViewsKept = 32;

    /// <summary>Most rows that one call deletes of ended entities: of the journal; what else goes with a shard's row are a few.</summary>
    public const int EndedRows = 1_000;

    /// <summary>Most ended entities that one call looks at.</summary>
    public const int EndedShards = 100;

    /// <exception cref="ArgumentOutOfRangeException">A negative age, or a limit outside 1 to 10,000.</exception>
    public static void Check(TimeSpan logs, TimeSpan downMembers, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(logs, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(downMembers, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 10_000);
    }
}
