using System.Collections.Immutable;
using ActorCluster.Primitives;

namespace ActorCluster.Persistence;

/// <summary>What a new store is created with. An existing store keeps its own.</summary>
/// <param name="ConfigDigest">Digest of the shared settings.</param>
/// <param name="Settings">The shared settings by key. A store of an earlier release that has none takes them over if its digest is this one; null writes none.</param>
public sealed record StoreSeed(string ConfigDigest, ImmutableSortedDictionary<string, string>? Settings = null);

/// <summary>The settings that all nodes of a cluster go by.</summary>
/// <param name="Version">0 where there are none: an earlier release made the store; else 1 and more, raised by each change.</param>
/// <param name="Values">Values by key, as in the configuration.</param>
public sealed record StoredSettings(long Version, ImmutableSortedDictionary<string, string> Values);

/// <summary>A renewed lease.</summary>
/// <param name="LeaseSeq">The lease's new number.</param>
/// <param name="View">The newest view, so that a renewal tells of changes too.</param>
public sealed record Renewal(long LeaseSeq, long View);

/// <summary>A row of the log of epochs.</summary>
public readonly record struct LoggedEpoch(ShardNo Shard, Epoch Epoch);

/// <summary>How many rows a prune deleted.</summary>
/// <param name="Members">Down members.</param>
/// <param name="Views">Views.</param>
/// <param name="Epochs">Acquired epochs.</param>
/// <param name="Next">The last row of the log of epochs that was looked at: the next call goes on behind it. Null at the log's end.</param>
public readonly record struct PrunedRows(int Members, int Views, int Epochs, LoggedEpoch? Next);

/// <summary>A shard to be given up by its owner, and who should have it next.</summary>
public readonly record struct ShardRelease(ShardNo Shard, Epoch Epoch, Incarnation? Target);

/// <summary>A change of a row's target that holds only while the row is as it was read.</summary>
/// <param name="Shard">Which row.</param>
/// <param name="Epoch">Its epoch when read.</param>
/// <param name="Seen">Its target when read.</param>
/// <param name="Target">The new one.</param>
public readonly record struct ShardRetarget(ShardNo Shard, Epoch Epoch, Incarnation? Seen, Incarnation Target);

/// <summary>An individually placed entity that somebody wants to reach.</summary>
/// <param name="Type">Its type, registered with 0 shards.</param>
/// <param name="Key">Its id.</param>
/// <param name="Target">Who should acquire its shard if this call makes the row.</param>
public readonly record struct ShardPlacement(string Type, string Key, Incarnation Target);

/// <summary>What a node reads of the shard rows at every poll. Most rows of placed types are not in it, however many there are.</summary>
/// <param name="Rows">By number: all rows of hashed types; of placed ones those that are free or being handed off, at most <see cref="UnsettledMax"/> of each type.</param>
/// <param name="Own">How many rows of placed types the reader owns.</param>
/// <param name="OwnMarks">The sum of their marks (<see cref="Mark"/>): other rows, or another epoch, give another sum.</param>
public sealed record ShardPicture(ImmutableArray<ShardRow> Rows, long Own, long OwnMarks)
{
    /// <summary>As an expression of SQL, over the columns <c>shard_no</c> and <c>epoch</c>. Epochs alone do not tell one row from another: most are 1.</summary>
    public const string MarkSql = "(shard_no * 2654435761 + epoch * 40503) % 4294967291";

    /// <summary>What a row adds to the sum; for numbers below 2^31 it does not overflow.</summary>
    public static long Mark(ShardNo shard, Epoch epoch) => ((shard.Value * 2_654_435_761) + (epoch.Value * 40_503)) % 4_294_967_291;

    /// <summary>Rows of placed types in one picture; the others come when these are settled.</summary>
    public const int UnsettledMax = 1_024;
}

/// <summary>
/// The part of the store that agreement rests on: members, leases and shard rows. Each call is one transaction, but for an acquire of more
/// shards than a call's time is made for; each change is a compare-and-set under the row locks named in the protocol, section 0.
/// </summary>
/// <remarks>Thread-safe. No call throws for a store that is away: it answers <see cref="StoreVerdict.NotSent"/> or
/// <see cref="StoreVerdict.InDoubt"/> within the call time-out (1.5 s; a store may take longer where thousands of shards are named). Reads never show uncommitted rows.</remarks>
public interface IControlStore
{
    /// <summary>Creates the schema and the cluster row where they are missing and returns the row. To be called before anything else.</summary>
    /// <exception cref="StoreUnusableException">The store cannot serve: a newer schema, a file system without locks, missing rights.</exception>
    /// <returns>NotSent while the store cannot be reached or is locked: that may pass, so ask again.</returns>
    ValueTask<StoreResult<ClusterRow>> OpenAsync(StoreSeed seed, CancellationToken cancel);

    /// <summary>Writes a type and its free shard rows with its first registration; later ones must give the same count.</summary>
    /// <param name="type">The type's name.</param>
    /// <param name="shardCount">1 to 65,536; 0 for a type whose entities are placed individually, each in a shard of its own whose row <see cref="PlaceAsync"/> makes.</param>
    /// <param name="exclusive">Its entities act outside the store, so that a taker-over waits for the former owner (protocol 4.5); fixed with the first registration.</param>
    /// <returns>Ok with the count in the store, which the caller compares with its own. Conflict when the type is registered with another <paramref name="exclusive"/>.</returns>
    ValueTask<StoreResult<int>> RegisterTypeAsync(string type, int shardCount, bool exclusive = false);

    /// <summary>Gives the next incarnation. A number whose caller died is never used again.</summary>
    ValueTask<StoreResult<Incarnation>> NextIncarnationAsync();

    /// <summary>Reads the cluster row and the members.</summary>
    ValueTask<StoreResult<ClusterSnapshot>> ReadClusterAsync();

    /// <summary>Reads the settings that all nodes go by.</summary>
    ValueTask<StoreResult<StoredSettings>> ReadSettingsAsync();

    /// <summary>Commits a view change and returns the new view. Shards of a member that goes down may stay its own until the sweep where they are locked or thousands more than the targets given.</summary>
    ValueTask<StoreResult<long>> ChangeViewAsync(ViewChange change);

    /// <summary>Looks a view change up by its id: its view, or 0 when it has not committed (it may still).</summary>
    ValueTask<StoreResult<long>> FindViewAsync(Guid opId);

    /// <summary>Raises the lease of a live member; Fenced when it is down.</summary>
    ValueTask<StoreResult<Renewal>> RenewAsync(Incarnation inc);

    /// <summary>
    /// Half of the evidence of a crash (protocol 2.5): a member that renews its lease holds a session of the store meanwhile, which ends with its process, or
    /// when it is cut off from the store.
    /// </summary>
    /// <returns>Ok with true only when the session that <paramref name="inc"/> had is certainly gone. Ok with false when it has one, never had one, or the store
    /// knows no sessions, as those for one host do not: there a lock file says more.</returns>
    ValueTask<StoreResult<bool>> IsSessionGoneAsync(Incarnation inc) => new(StoreResult.Ok(false));

    /// <summary>
    /// Acquires free shards whose target is <paramref name="inc"/> and whose type it hosts (<see cref="MemberRow.Types"/>): epoch + 1,
    /// owner set, previous owner cleared, one row in the shard log. Fenced when <paramref name="inc"/> is not up; its member row is locked meanwhile, so that an eviction waits.
    /// A row of an exclusive type that names a previous owner is taken only if that member's row says <see cref="MemberRow.DeadProof"/>, or its lease is one of
    /// <paramref name="stale"/> and has not moved since, or it <see cref="MemberRow.HasCrashed"/> and the row of <paramref name="inc"/> says that it takes that type over on such evidence
    /// (<see cref="MemberRow.OnCrashEvidence"/>; protocol 4.5); else it stays as it is.
    /// When there is no such row, it takes what <paramref name="inc"/> inherits, straight from the owner that is down: rows of placed types that are not exclusive and at whose number it stands among the heirs that
    /// the owner's eviction named (<see cref="ViewChange.Heirs"/>).
    /// </summary>
    /// <remarks>A store may leave some of thousands: ask again until none is left.</remarks>
    /// <param name="inc">Who acquires.</param>
    /// <param name="stale">Leases that the caller watched for the whole TTL.</param>
    ValueTask<StoreResult<ImmutableArray<AcquiredShard>>> AcquireAsync(Incarnation inc, IReadOnlyCollection<LeaseSeen>? stale = null);

    /// <summary>Reads all shard rows, by number.</summary>
    ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadShardsAsync();

    /// <summary>Reads what a node needs at every poll.</summary>
    ValueTask<StoreResult<ShardPicture>> ReadPictureAsync(Incarnation self);

    /// <summary>Reads the rows of placed types that a member owns, by number.</summary>
    ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadOwnAsync(Incarnation self);

    /// <summary>Finds the rows of individually placed entities, and makes those that are missing: free, epoch 0, aimed at the target given. Of two that make one row the first
    /// decides, and both find the same. A row that has ended is found as it is.</summary>
    /// <param name="placements">1 to 4,096 of types that are registered as placed.</param>
    /// <returns>One row for each, in order. Conflict when a type is not registered as placed; nothing was written.</returns>
    ValueTask<StoreResult<ImmutableArray<ShardRow>>> PlaceAsync(IReadOnlyList<ShardPlacement> placements);

    /// <summary>The owner tells that the entities of placed shards have ended: no owner, no target, and nobody acquires them again; their timers go. Returns the shards that ended now.</summary>
    ValueTask<StoreResult<ImmutableArray<ShardNo>>> EndAsync(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards);

    /// <summary>Deletes what is left of entities that ended longer ago than <paramref name="age"/> by the store's time: their journal from its beginning, at most 1,000 rows a call, and with its
    /// last row the snapshots, the log of epochs and the shard's row. Returns how many rows were deleted; there may be more unless it is 0.</summary>
    ValueTask<StoreResult<int>> PruneEndedAsync(TimeSpan age);

    /// <summary>Reads the rows named, by number; rows that do not exist are missing from the answer.</summary>
    ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadShardsAsync(IReadOnlyCollection<ShardNo> shards);

    /// <summary>owned to handoff with a target, epoch unchanged (H0). Returns the shards that were as the caller had read them.</summary>
    ValueTask<StoreResult<ImmutableArray<ShardNo>>> PlanHandoffAsync(IReadOnlyCollection<ShardRetarget> plans);

    /// <summary>handoff back to owned by its owner (before H4). Returns the shards that changed.</summary>
    ValueTask<StoreResult<ImmutableArray<ShardNo>>> RevertHandoffAsync(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards);

    /// <summary>
    /// The owner gives shards up: free, no owner, no previous owner (H4). A release whose <see cref="ShardRelease.Target"/> is null keeps
    /// the row's target. Returns the shards that were released now; one that is missing was released or lost before.
    /// </summary>
    ValueTask<StoreResult<ImmutableArray<ShardNo>>> ReleaseAsync(Incarnation owner, IReadOnlyCollection<ShardRelease> releases);

    /// <summary>A former owner tells that it has stopped: clears <c>previous</c> where it is named and the row's epoch is the one it lost.</summary>
    ValueTask<StoreResult<int>> ClearPreviousAsync(Incarnation previous, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards);

    /// <summary>The sweep: revokes rows whose owner is down. Those of placed types are shared out like those of <see cref="ViewChange.Heirs"/>, others have no target.
    /// With heirs and no such row it shares out free rows of placed types whose target is down. Returns how many; a store may leave some of thousands for the next call.</summary>
    /// <param name="heirs">Who gets the rows of placed types.</param>
    /// <param name="trusted">Members that still take by themselves what they inherit: where all heirs of an owner are among them, the rows that are inherited of it are passed over. None by default.</param>
    ValueTask<StoreResult<int>> RevokeOfDownAsync(IReadOnlyCollection<Incarnation> heirs, IReadOnlyCollection<Incarnation>? trusted = null);

    /// <summary>The sweep: gives free rows a target, each only if it is still as it was read. Returns the shards that changed.</summary>
    ValueTask<StoreResult<ImmutableArray<ShardNo>>> RetargetAsync(IReadOnlyCollection<ShardRetarget> retargets);

    /// <summary>
    /// Deletes what nobody needs any more, by the store's own clock: members down for longer than <paramref name="downMembers"/> that no shard names as its owner or
    /// previous owner, views older than <paramref name="logs"/> beyond the last 32, and acquired epochs of before such views under which nothing was written to the journal and
    /// that are not the newest of their shard. Raises <see cref="ClusterRow.Forgotten"/>. Any node may call it at any time; what one deletes, another does not find.
    /// </summary>
    /// <param name="logs">Age of views and epochs, zero or more.</param>
    /// <param name="downMembers">Age of down members since they went down, zero or more.</param>
    /// <param name="limit">Most members and views that go, and most epochs that are looked at, 1 to 10,000: no transaction of a call is long. Where a count is the limit, there may be more.</param>
    /// <param name="after">Looks at epochs behind this one; null begins with the first.</param>
    ValueTask<StoreResult<PrunedRows>> PruneAsync(TimeSpan logs, TimeSpan downMembers, int limit, LoggedEpoch? after = null);
}

/// <summary>
/// The part of the store that durable entities rest on. Every write carries (shard, epoch, owner) and is checked against the locked
/// shard row in the same transaction (protocol, section 7).
/// </summary>
/// <remarks>Thread-safe; the same promises as <see cref="IControlStore"/>.</remarks>
public interface IJournalStore
{
    /// <summary>
    /// Appends batches of different shards in one commit. Each batch is all or nothing by itself: a fenced one does not hurt the others.
    /// </summary>
    /// <returns>Ok with one outcome per batch, in order; or a verdict on the whole commit.</returns>
    ValueTask<StoreResult<ImmutableArray<AppendOutcome>>> AppendAsync(IReadOnlyList<ShardBatch> batches);

    /// <summary>Finds out what became of a batch whose append was in doubt or met an unexpected row (protocol 7.2).</summary>
    ValueTask<StoreResult<BatchResolution>> ResolveAsync(ShardBatch batch);

    /// <summary>Reads an entity's newest verified snapshot, or null. A damaged one is passed over for the older one.</summary>
    ValueTask<StoreResult<EntitySnapshot?>> ReadSnapshotAsync(string entity);

    /// <summary>Reads an entity's committed rows from a sequence on, in order, at most <paramref name="limit"/> (1 to 10,000).</summary>
    ValueTask<StoreResult<ImmutableArray<JournalRow>>> ReadJournalAsync(string entity, long fromSeq, int limit);

    /// <summary>Reads what entities are loaded from, in one call: for each its newest verified snapshot and its first rows after that.</summary>
    /// <param name="entities">Store keys, 1 to 1,000.</param>
    /// <param name="limit">At most so many rows of each, 1 to 10,000.</param>
    /// <returns>One for each entity, in order.</returns>
    async ValueTask<StoreResult<ImmutableArray<EntityRecord>>> LoadAsync(IReadOnlyList<string> entities, int limit)
    {
        var records = ImmutableArray.CreateBuilder<EntityRecord>(entities.Count);
        foreach (var entity in entities)
        {
            var snapshot = await ReadSnapshotAsync(entity).ConfigureAwait(false);
            if (!snapshot.IsOk) return StoreResult.Not<ImmutableArray<EntityRecord>>(snapshot.Verdict, snapshot.Reason!);
            var rows = await ReadJournalAsync(entity, (snapshot.Value?.EntitySeq ?? 0) + 1, limit).ConfigureAwait(false);
            if (!rows.IsOk) return StoreResult.Not<ImmutableArray<EntityRecord>>(rows.Verdict, rows.Reason!);
            records.Add(new EntityRecord(snapshot.Value, rows.Value));
        }
        return StoreResult.Ok(records.MoveToImmutable());
    }

    /// <summary>Writes a snapshot, keeps the two newest. Fenced when the shard has another owner or epoch.</summary>
    ValueTask<StoreResult<bool>> SaveSnapshotAsync(ShardNo shard, Epoch epoch, Incarnation owner, EntitySnapshot snapshot);

    /// <summary>Finds entities whose oldest row is to go (<see cref="TruncateAsync"/>), by key, whoever owns them.</summary>
    /// <param name="limits">What is kept.</param>
    /// <param name="after">Looks at entities behind this one; empty begins with the first.</param>
    /// <param name="limit">Most entities that are looked at, 1 to 10,000; only those with two snapshots are.</param>
    ValueTask<StoreResult<OldRows>> FindOldRowsAsync(JournalLimits limits, string after, int limit);

    /// <summary>
    /// Deletes at most 1,000 of an entity's oldest rows: what is older, by the store's own clock, than the limits let be kept. Never a row at or above its older snapshot, and none while that
    /// one is damaged. Fenced when the shard has another owner or epoch. Returns how many; where that is 1,000 there may be more.
    /// </summary>
    ValueTask<StoreResult<int>> TruncateAsync(ShardNo shard, Epoch epoch, Incarnation owner, string entity, JournalLimits limits);

    /// <summary>A read that confirms ownership: which of the given (shard, epoch) pairs are owned by <paramref name="owner"/> right now.</summary>
    ValueTask<StoreResult<ImmutableArray<ShardNo>>> ConfirmAsync(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards);

    /// <summary>Reads timers of all shards that <paramref name="owner"/> owns, by time, then shard, entity and key (texts byte by byte).</summary>
    /// <param name="owner">Whose shards.</param>
    /// <param name="dueBeforeUnixMs">Only those that are due before this time.</param>
    /// <param name="after">The last one of the page before; null for the first page.</param>
    /// <param name="limit">Most timers of the answer, 1 to 10,000; fewer mean that there are no more.</param>
    ValueTask<StoreResult<TimerPage>> ReadTimersAsync(Incarnation owner, long dueBeforeUnixMs, TimerRow? after, int limit);

    /// <summary>Reads an entity's timers, by key.</summary>
    ValueTask<StoreResult<TimerPage>> ReadTimersAsync(ShardNo shard, string entity);

    /// <summary>Removes a timer that was fired without an effect, if it is still the one with that number. Fenced when the shard has another owner or epoch.</summary>
    /// <returns>False when it was not there any more.</returns>
    ValueTask<StoreResult<bool>> RemoveTimerAsync(ShardNo shard, Epoch epoch, Incarnation owner, string entity, long no);
}

/// <summary>A store: both parts over one database.</summary>
public interface IClusterStore : IControlStore, IJournalStore, IAsyncDisposable
{
    /// <summary>What the store is, for logs and the status page: kind and place, no secret.</summary>
    string Description { get; }
}

/// <summary>The store cannot serve, whatever is retried; the message is one line that names the mend.</summary>
public sealed class StoreUnusableException(string message, Exception? inner = null) : Exception(message, inner);
