using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

/// <summary>One node's way to the store of its cluster, which a test can cut.</summary>
/// <remarks>Nobody gets a shard before all nodes of the start are up (<c>mayTarget</c>): else the first would own everything until the cluster balances, 10 s into the test.</remarks>
internal sealed class TestStore(IClusterStore store, PauseGate gate, Func<bool> isCut, Func<bool> mayTarget, Action<Incarnation> named) : IClusterStore
{
    /// <summary>As an unreachable machine answers; a cut that answered at once would have the node ask without a pause.</summary>
    private static readonly TimeSpan Unreachable = TimeSpan.FromMilliseconds(100);

    private volatile bool _isDead;

    public string Description => store.Description;

    /// <summary>The process has ended: no call of it reaches the store any more.</summary>
    public void Die() => _isDead = true;

    public async ValueTask<StoreResult<ClusterRow>> OpenAsync(StoreSeed seed, CancellationToken cancel) => await Do(s => s.OpenAsync(seed, cancel)).ConfigureAwait(false);

    public ValueTask<StoreResult<int>> RegisterTypeAsync(string type, int shardCount, bool exclusive) => Do(s => s.RegisterTypeAsync(type, shardCount, exclusive));

    public async ValueTask<StoreResult<Incarnation>> NextIncarnationAsync()
    {
        var inc = await Do(s => s.NextIncarnationAsync()).ConfigureAwait(false);
        if (inc.IsOk) named(inc.Value);
        return inc;
    }

    public ValueTask<StoreResult<ClusterSnapshot>> ReadClusterAsync() => Do(s => s.ReadClusterAsync());

    public ValueTask<StoreResult<StoredSettings>> ReadSettingsAsync() => Do(s => s.ReadSettingsAsync());

    public ValueTask<StoreResult<long>> ChangeViewAsync(ViewChange change) => Do(s => s.ChangeViewAsync(mayTarget() ? change : change with { Targets = [], Heirs = [] }));

    public ValueTask<StoreResult<long>> FindViewAsync(Guid opId) => Do(s => s.FindViewAsync(opId));

    public ValueTask<StoreResult<Renewal>> RenewAsync(Incarnation inc) => Do(s => s.RenewAsync(inc));

    public ValueTask<StoreResult<bool>> IsSessionGoneAsync(Incarnation inc) => Do(s => s.IsSessionGoneAsync(inc));

    public ValueTask<StoreResult<ImmutableArray<AcquiredShard>>> AcquireAsync(Incarnation inc, IReadOnlyCollection<LeaseSeen>? stale) => Do(s => s.AcquireAsync(inc, stale));

    public ValueTask<StoreResult<ShardPicture>> ReadPictureAsync(Incarnation self) => Do(s => s.ReadPictureAsync(self));

    public ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadOwnAsync(Incarnation self) => Do(s => s.ReadOwnAsync(self));

    public ValueTask<StoreResult<ImmutableArray<ShardRow>>> PlaceAsync(IReadOnlyList<ShardPlacement> placements) => Do(s => s.PlaceAsync(placements));

    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> EndAsync(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) => Do(s => s.EndAsync(owner, shards));

    public ValueTask<StoreResult<int>> PruneEndedAsync(TimeSpan age) => Do(s => s.PruneEndedAsync(age));

    public ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadShardsAsync() => Do(s => s.ReadShardsAsync());

    public ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadShardsAsync(IReadOnlyCollection<ShardNo> shards) => Do(s => s.ReadShardsAsync(shards));

    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> PlanHandoffAsync(IReadOnlyCollection<ShardRetarget> plans) => Do(s => s.PlanHandoffAsync(plans));

    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> RevertHandoffAsync(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) => Do(s => s.RevertHandoffAsync(owner, shards));

    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> ReleaseAsync(Incarnation owner, IReadOnlyCollection<ShardRelease> releases) => Do(s => s.ReleaseAsync(owner, releases));

    public ValueTask<StoreResult<int>> ClearPreviousAsync(Incarnation previous, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) => Do(s => s.ClearPreviousAsync(previous, shards));

    public ValueTask<StoreResult<int>> RevokeOfDownAsync(IReadOnlyCollection<Incarnation> heirs, IReadOnlyCollection<Incarnation>? trusted = null) => Do(s => s.RevokeOfDownAsync(heirs, trusted));

    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> RetargetAsync(IReadOnlyCollection<ShardRetarget> retargets) =>
        mayTarget() ? Do(s => s.RetargetAsync(retargets)) : ValueTask.FromResult(StoreResult.Ok(ImmutableArray<ShardNo>.Empty));

    public ValueTask<StoreResult<PrunedRows>> PruneAsync(TimeSpan logs, TimeSpan downMembers, int limit, LoggedEpoch? after = null) => Do(s => s.PruneAsync(logs, downMembers, limit, after));

    public ValueTask<StoreResult<ImmutableArray<AppendOutcome>>> AppendAsync(IReadOnlyList<ShardBatch> batches) => Do(s => s.AppendAsync(batches));

    public ValueTask<StoreResult<BatchResolution>> ResolveAsync(ShardBatch batch) => Do(s => s.ResolveAsync(batch));

    public ValueTask<StoreResult<EntitySnapshot?>> ReadSnapshotAsync(string entity) => Do(s => s.ReadSnapshotAsync(entity));

    public ValueTask<StoreResult<ImmutableArray<JournalRow>>> ReadJournalAsync(string entity, long fromSeq, int limit) => Do(s => s.ReadJournalAsync(entity, fromSeq, limit));

    public ValueTask<StoreResult<ImmutableArray<EntityRecord>>> LoadAsync(IReadOnlyList<string> entities, int limit) => Do(s => s.LoadAsync(entities, limit));

    public ValueTask<StoreResult<bool>> SaveSnapshotAsync(ShardNo shard, Epoch epoch, Incarnation owner, EntitySnapshot snapshot) => Do(s => s.SaveSnapshotAsync(shard, epoch, owner, snapshot));

    public ValueTask<StoreResult<OldRows>> FindOldRowsAsync(JournalLimits limits, string after, int limit) => Do(s => s.FindOldRowsAsync(limits, after, limit));

    public ValueTask<StoreResult<int>> TruncateAsync(ShardNo shard, Epoch epoch, Incarnation owner, string entity, JournalLimits limits) => Do(s => s.TruncateAsync(shard, epoch, owner, entity, limits));

    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> ConfirmAsync(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) => Do(s => s.ConfirmAsync(owner, shards));

    public ValueTask<StoreResult<TimerPage>> ReadTimersAsync(Incarnation owner, long dueBeforeUnixMs, TimerRow? after, int limit) => Do(s => s.ReadTimersAsync(owner, dueBeforeUnixMs, after, limit));

    public ValueTask<StoreResult<TimerPage>> ReadTimersAsync(ShardNo shard, string entity) => Do(s => s.ReadTimersAsync(shard, entity));

    public ValueTask<StoreResult<bool>> RemoveTimerAsync(ShardNo shard, Epoch epoch, Incarnation owner, string entity, long no) => Do(s => s.RemoveTimerAsync(shard, epoch, owner, entity, no));

    public ValueTask DisposeAsync() => store.DisposeAsync();

    private async ValueTask<StoreResult<T>> Do<T>(Func<IClusterStore, ValueTask<StoreResult<T>>> call)
    {
        await gate.WaitAsync().ConfigureAwait(false);
        if (_isDead || isCut())
        {
            await Task.Delay(Unreachable).ConfigureAwait(false);
            return StoreResult.Not<T>(StoreVerdict.NotSent, "a test has cut this node off from the store");
        }
        return await call(store).ConfigureAwait(false);
    }
}
