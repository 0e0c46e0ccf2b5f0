namespace ActorCluster.Persistence;

/// <summary>What an operator does to a store that was restored from a backup or has lost commits (protocol 4.6).</summary>
/// <remarks>Thread-safe; the same promises as <see cref="IControlStore"/>.</remarks>
public interface IStoreRecovery
{
    /// <summary>
    /// Begins a new generation of the store in one transaction: every member down with its shards revoked, one view more, and every epoch and the next
    /// incarnation raised by 2^32 for each generation, so that none that was lost is given again. The journal stays as it is.
    /// </summary>
    /// <param name="opId">Finds the recovery again: one that has committed is not made a second time.</param>
    /// <param name="generation">
    /// The new generation; one more than the store's where that is larger. Give one more than any node remembers when a backup of before an earlier recovery was
    /// restored: else both recoveries would give the same numbers.
    /// </param>
    /// <param name="reason">Why, for the log of views.</param>
    /// <returns>The cluster row after it.</returns>
    ValueTask<StoreResult<ClusterRow>> RecoverAsync(Guid opId, long generation, string reason);
}
