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

    /// <summary>Which epochs of a page nobody needs, and where the next page begins.</summary>
    /// <param name="page">In order; one row more than the limit where there is one, which is looked at by the next page.</param>
    /// <param name="limit">Most rows that are judged.</param>
    /// <param name="firstYoung">The oldest view that is kept.</param>
    public static (IReadOnlyList<LoggedEpoch> Empty, LoggedEpoch? Next) Judge(IReadOnlyList<(LoggedEpoch Place, long View, long? FirstSeq)> page, int limit, long firstYoung)
    {
        var empty = new List<LoggedEpoch>();
        for (var i = 0; i < Math.Min(limit, page.Count - 1); i++)
        {
            // Acquired in view v is acquired before view v + 1 was logged. An epoch whose successor begins at the same row has none in the journal.
            if (page[i].Place.Shard == page[i + 1].Place.Shard && page[i].View < firstYoung - 1 && page[i].FirstSeq is { } first && first == page[i + 1].FirstSeq) empty.Add(page[i].Place);
        }
        return (empty, page.Count > limit ? page[limit - 1].Place : null);
    }
}
