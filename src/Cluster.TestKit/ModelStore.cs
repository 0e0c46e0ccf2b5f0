using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

/// <summary>A handle on a <see cref="ModelDatabase"/>: the in-memory reference of <see cref="IClusterStore"/>. Nothing outlives the process.</summary>
/// <remarks>Thread-safe, several handles on one database included; every answer is complete when the call returns.</remarks>
public sealed class ModelStore : IClusterStore, IStoreRecovery
{
    private readonly ModelDatabase _database;
    private readonly TimeProvider _time;
    private bool _disposed;

    /// <summary>Opens a handle.</summary>
    /// <param name="database">The data; other handles may share it.</param>
    /// <param name="time">Gives the store's time; the system's by default.</param>
    public ModelStore(ModelDatabase database, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(database);
        _database = database;
        _time = time ?? TimeProvider.System;
    }

    /// <summary>Opens a handle on a new, empty database of its own.</summary>
    public ModelStore() : this(new ModelDatabase(Guid.NewGuid())) { }

    /// <summary>The data. Read it only while no call is under way.</summary>
    public ModelDatabase Database => _database;

    /// <inheritdoc />
    public string Description => "model (memory of this process)";

    private long NowUnixMs => _time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <inheritdoc />
    public ValueTask<StoreResult<ClusterRow>> OpenAsync(StoreSeed seed, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        lock (_database.Gate) return ValueTask.FromResult(StoreResult.Ok(_database.Open(seed)));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> RegisterTypeAsync(string type, int shardCount, bool exclusive = false) => Do(d => d.RegisterType(type, shardCount, exclusive));

    /// <inheritdoc />
    public ValueTask<StoreResult<Incarnation>> NextIncarnationAsync() => Do(d => d.NextIncarnation());

    /// <inheritdoc />
    public ValueTask<StoreResult<ClusterSnapshot>> ReadClusterAsync() => Do(d => d.ReadCluster());

    /// <inheritdoc />
    public ValueTask<StoreResult<StoredSettings>> ReadSettingsAsync() => Do(d => d.ReadSettings());

    /// <inheritdoc />
    public ValueTask<StoreResult<long>> ChangeViewAsync(ViewChange change) => Do(d => d.ChangeView(change, NowUnixMs));

    /// <inheritdoc />
    public ValueTask<StoreResult<ClusterRow>> RecoverAsync(Guid opId, long generation, string reason) => Do(d => d.Recover(opId, generation, reason, NowUnixMs));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<Reappended>>> ReappendAsync(long generation, IReadOnlyList<LostRow> rows, ReappendTrial? trial) => Do(d => d.Reappend(generation, rows, trial, NowUnixMs));

    /// <inheritdoc />
    public ValueTask<StoreResult<long>> FindViewAsync(Guid opId) => Do(d => d.FindView(opId));

    /// <inheritdoc />
    public ValueTask<StoreResult<Renewal>> RenewAsync(Incarnation inc) => Do(d => d.Renew(inc));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<AcquiredShard>>> AcquireAsync(Incarnation inc, IReadOnlyCollection<LeaseSeen>? stale = null) =>
        Do(d => d.Acquire(inc, stale));

    /// <inheritdoc />
    public ValueTask<StoreResult<ShardPicture>> ReadPictureAsync(Incarnation self) => Do(d => d.ReadPicture(self));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadOwnAsync(Incarnation self) => Do(d => d.ReadOwn(self));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardRow>>> PlaceAsync(IReadOnlyList<ShardPlacement> placements) => Do(d => d.Place(placements));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> EndAsync(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) => Do(d => d.End(owner, shards, NowUnixMs));

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> PruneEndedAsync(TimeSpan age) => Do(d => d.PruneEnded(age, NowUnixMs));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadShardsAsync() => Do(d => d.ReadShards());

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadShardsAsync(IReadOnlyCollection<ShardNo> shards) => Do(d => d.ReadShards(shards));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> PlanHandoffAsync(IReadOnlyCollection<ShardRetarget> plans) => Do(d => d.PlanHandoff(plans));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> RevertHandoffAsync(
        Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) => Do(d => d.RevertHandoff(owner, shards));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> ReleaseAsync(Incarnation owner, IReadOnlyCollection<ShardRelease> releases) =>
        Do(d => d.Release(owner, releases));

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> ClearPreviousAsync(Incarnation previous, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) =>
        Do(d => d.ClearPrevious(previous, shards));

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> RevokeOfDownAsync(IReadOnlyCollection<Incarnation> heirs, IReadOnlyCollection<Incarnation>? trusted = null) => Do(d => d.RevokeOfDown(heirs, trusted));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> RetargetAsync(IReadOnlyCollection<ShardRetarget> retargets) => Do(d => d.Retarget(retargets));

    /// <inheritdoc />
    public ValueTask<StoreResult<PrunedRows>> PruneAsync(TimeSpan logs, TimeSpan downMembers, int limit, LoggedEpoch? after = null) => Do(d => d.Prune(logs, downMembers, limit, after, NowUnixMs));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<AppendOutcome>>> AppendAsync(IReadOnlyList<ShardBatch> batches) => Do(d => d.Append(batches, NowUnixMs));

    /// <inheritdoc />
    public ValueTask<StoreResult<BatchResolution>> ResolveAsync(ShardBatch batch) => Do(d => d.Resolve(batch));

    /// <inheritdoc />
    public ValueTask<StoreResult<EntitySnapshot?>> ReadSnapshotAsync(string entity) => Do(d => d.ReadSnapshot(entity));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<JournalRow>>> ReadJournalAsync(string entity, long fromSeq, int limit) =>
        Do(d => d.ReadJournal(entity, fromSeq, limit));

    /// <inheritdoc />
    public ValueTask<StoreResult<bool>> SaveSnapshotAsync(ShardNo shard, Epoch epoch, Incarnation owner, EntitySnapshot snapshot) =>
        Do(d => d.SaveSnapshot(shard, epoch, owner, snapshot));

    /// <inheritdoc />
    public ValueTask<StoreResult<OldRows>> FindOldRowsAsync(JournalLimits limits, string after, int limit) => Do(d => d.FindOldRows(limits, after, limit, NowUnixMs));

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> TruncateAsync(ShardNo shard, Epoch epoch, Incarnation owner, string entity, JournalLimits limits) =>
        Do(d => d.Truncate(shard, epoch, owner, entity, limits, NowUnixMs));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> ConfirmAsync(
        Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) => Do(d => d.Confirm(owner, shards));

    /// <inheritdoc />
    public ValueTask<StoreResult<TimerPage>> ReadTimersAsync(Incarnation owner, long dueBeforeUnixMs, TimerRow? after, int limit) =>
        Do(d => d.ReadTimers(owner, dueBeforeUnixMs, after, limit, NowUnixMs));

    /// <inheritdoc />
    public ValueTask<StoreResult<TimerPage>> ReadTimersAsync(ShardNo shard, string entity) => Do(d => d.ReadTimers(shard, entity, NowUnixMs));

    /// <inheritdoc />
    public ValueTask<StoreResult<bool>> RemoveTimerAsync(ShardNo shard, Epoch epoch, Incarnation owner, string entity, long no) =>
        Do(d => d.RemoveTimer(shard, epoch, owner, entity, no));

    /// <summary>Closes this handle; the database stays. Later calls answer <see cref="StoreVerdict.NotSent"/>.</summary>
    public ValueTask DisposeAsync()
    {
        _disposed = true;
        return ValueTask.CompletedTask;
    }

    private ValueTask<StoreResult<T>> Do<T>(Func<ModelDatabase, StoreResult<T>> operation)
    {
        if (_disposed) return ValueTask.FromResult(StoreResult.Not<T>(StoreVerdict.NotSent, "The store is closed."));
        lock (_database.Gate) return ValueTask.FromResult(operation(_database));
    }
}
