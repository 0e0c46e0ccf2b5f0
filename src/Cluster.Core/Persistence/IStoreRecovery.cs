using System.Collections.Immutable;

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

    /// <summary>
    /// Gives a recovered store rows back that it has lost, in one transaction: each that continues its entity's journal exactly, under the epoch and by the owner of then, in the
    /// shard's next places, dated by the store's clock; with what they did to timers. Rows that it has are passed over, so a repeat appends nothing. Snapshots stay as they are.
    /// </summary>
    /// <param name="generation">The generation in which the rows were lost. The store's must be above it.</param>
    /// <param name="rows">1 to 1,000 rows, those of a shard by epoch, then shard sequence.</param>
    /// <param name="trial">Null gives them back. Else nothing is written: told, and noted in it, is what would be done after what was tried with it before.</param>
    /// <returns>One fate for each row, in order. Conflict while a member is live, a shard of the rows has an owner, or the store is not above the generation; nothing was written.</returns>
    ValueTask<StoreResult<ImmutableArray<Reappended>>> ReappendAsync(long generation, IReadOnlyList<LostRow> rows, ReappendTrial? trial);
}
