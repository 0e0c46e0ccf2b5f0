using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using Npgsql;

namespace ActorCluster.Sql;

/// <summary>The store for several machines: a schema in a PostgreSQL database (14 or newer) that all nodes reach.</summary>
/// <remarks>
/// Thread-safe. Holds up to 8 connections, each with a thread: one for the lease, so that no other work delays a renewal, which shows the others that
/// this process lives; one for changes of membership and ownership, one for what is
/// polled of them, one for what the coordinator tidies up; two for appends; two for the entities' reads. A commit is answered once the server has it on stable storage; with synchronous replicas, on
/// theirs too. Time is the database's.
/// </remarks>
public sealed class PostgresStore : IClusterStore, IStoreRecovery
{
    /// <summary>One for each lane, while the server answers.</summary>
    internal const int ConnectionsMax = 8;

    private const int OwnedMax = 50_000;

    /// <summary>A row that is given back costs some round trips, not a share of one statement.</summary>
    private const int ReappendTrips = 25;

    private static readonly TimeSpan PerRow = TimeSpan.FromMilliseconds(0.2);

    private readonly PostgresStoreOptions _options;
    private readonly NpgsqlConnectionStringBuilder _text;
    private readonly NpgsqlDataSource _source;
    private readonly PostgresLane _lease;
    private readonly PostgresLane _control;
    private readonly PostgresLane _polls;
    private readonly PostgresLane _sweeps;
    private readonly PostgresLane[] _journal;
    private readonly PostgresLane[] _reads;
    private volatile bool _opened;

    /// <summary>Names the database; nothing is connected before <see cref="OpenAsync"/>.</summary>
    /// <exception cref="ArgumentException">An option is out of its range, or the connection string cannot be read.</exception>
    public PostgresStore(PostgresStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _text = options.Complete();
        _source = new NpgsqlDataSourceBuilder(_text.ConnectionString).Build();
        var server = new PostgresLane.Server();
        PostgresLane Lane() => new(_source, options.CallTimeout, server);
        (_lease, _control, _polls, _sweeps, _journal, _reads) = (Lane(), Lane(), Lane(), Lane(), [Lane(), Lane()], [Lane(), Lane()]);
    }

    /// <inheritdoc />
    public string Description => $"PostgreSQL {_text.Host}:{_text.Port}/{_text.Database ?? _text.Username} schema {_options.Schema}";

    /// <inheritdoc />
    public async ValueTask<StoreResult<ClusterRow>> OpenAsync(StoreSeed seed, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(seed);
        cancel.ThrowIfCancellationRequested();
        var row = await _control.RunAsync(
            isWrite: true, s => s.InTransaction(db => PostgresSchema.Prepare(db, _options, seed)),
            e => PostgresFailure.Unusable(e, _text, _options.Schema)).ConfigureAwait(false);
        if (row.IsOk)
        {
            _opened = true;
            foreach (var lane in Lanes) _ = lane.RunAsync(isWrite: false, db => StoreResult.Ok(db.Scalar<int>("SELECT 1"))); // Connected before they are needed.
        }
        // What was prepared is found as it is by the next attempt.
        return row.Verdict == StoreVerdict.InDoubt ? StoreResult.Not<ClusterRow>(StoreVerdict.NotSent, row.Reason!) : row;
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> RegisterTypeAsync(string type, int shardCount, bool exclusive = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(type);
        ArgumentOutOfRangeException.ThrowIfNegative(shardCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shardCount, 65_536);
        return WriteManyAsync(shardCount, db => PostgresControl.RegisterType(db, type, shardCount, exclusive));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<Incarnation>> NextIncarnationAsync() => WriteAsync(_control, PostgresControl.NextIncarnation);

    /// <inheritdoc />
    public ValueTask<StoreResult<ClusterSnapshot>> ReadClusterAsync() => ReadAsync(_polls, PostgresControl.ReadCluster);

    /// <inheritdoc />
    public ValueTask<StoreResult<StoredSettings>> ReadSettingsAsync() => ReadAsync(_polls, PostgresSettings.Read);

    /// <inheritdoc />
    public ValueTask<StoreResult<long>> ChangeViewAsync(ViewChange change)
    {
        ArgumentNullException.ThrowIfNull(change);
        // A member that lives on loses all that it has, however much.
        var rows = Math.Max(change.Targets.Length, change.Heirs.IsEmpty ? 0 : change.Releases.IsEmpty ? PostgresControl.SliceRows : OwnedMax);
        return WriteManyAsync(rows, db => PostgresViewChange.Run(db, change));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<ClusterRow>> RecoverAsync(Guid opId, long generation, string reason)
    {
        ArgumentNullException.ThrowIfNull(reason);
        return WriteAsync(_control, db => PostgresRecovery.Recover(db, opId, generation, reason));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<Reappended>>> ReappendAsync(long generation, IReadOnlyList<LostRow> rows, ReappendTrial? trial)
    {
        RecoveryRules.Check(rows);
        return WriteManyAsync(rows.Count * ReappendTrips, db => PostgresReappend.Run(db, generation, rows, trial));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<long>> FindViewAsync(Guid opId) => ReadAsync(_polls, db => PostgresControl.FindView(db, opId));

    /// <inheritdoc />
    public ValueTask<StoreResult<Renewal>> RenewAsync(Incarnation inc) => new(Opened(_lease).RunAsync(isWrite: true, db =>
    {
        PostgresControl.HoldSession(db, inc);
        return PostgresControl.Renew(db, inc);
    }));

    /// <inheritdoc />
    public ValueTask<StoreResult<bool>> IsSessionGoneAsync(Incarnation inc) => ReadAsync(_polls, db => PostgresControl.IsSessionGone(db, inc));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<AcquiredShard>>> AcquireAsync(Incarnation inc, IReadOnlyCollection<LeaseSeen>? stale = null) =>
        WriteManyAsync(PostgresControl.SliceRows, db => PostgresControl.Acquire(db, inc, stale ?? []));

    /// <inheritdoc />
    public ValueTask<StoreResult<ShardPicture>> ReadPictureAsync(Incarnation self) => ReadAsync(_polls, db => PostgresControl.ReadPicture(db, self));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadOwnAsync(Incarnation self) =>
        new(Opened(_polls).RunAsync(isWrite: false, db => PostgresControl.ReadOwn(db, self), more: PerRow * OwnedMax));

    /// <inheritdoc />
    public async ValueTask<StoreResult<ImmutableArray<ShardRow>>> PlaceAsync(IReadOnlyList<ShardPlacement> placements)
    {
        ArgumentNullException.ThrowIfNull(placements);
        // Mostly all are there, and nothing is to be written.
        var found = await ReadAsync(Freer(_reads), db => PostgresControl.FindPlaced(db, placements)).ConfigureAwait(false);
        if (!found.IsOk || found.Value.Length == placements.Count) return found;
        return await WriteManyAsync(placements.Count, db => PostgresControl.Place(db, placements)).ConfigureAwait(false);
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> EndAsync(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) =>
        WriteManyAsync(shards.Count, db => PostgresControl.End(db, owner, shards));

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> PruneEndedAsync(TimeSpan age) => WriteAsync(_sweeps, db => PostgresPrune.Ended(db, age));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadShardsAsync() => ReadAsync(_polls, PostgresControl.ReadShards);

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadShardsAsync(IReadOnlyCollection<ShardNo> shards)
    {
        ArgumentNullException.ThrowIfNull(shards);
        return ReadAsync(_polls, db => PostgresControl.ReadShards(db, shards.Select(s => s.Value).ToArray()));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> PlanHandoffAsync(IReadOnlyCollection<ShardRetarget> plans) =>
        WriteManyAsync(plans.Count, db => PostgresControl.PlanHandoff(db, plans));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> RevertHandoffAsync(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) =>
        WriteManyAsync(shards.Count, db => PostgresControl.RevertHandoff(db, owner, shards));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> ReleaseAsync(Incarnation owner, IReadOnlyCollection<ShardRelease> releases) =>
        WriteManyAsync(releases.Count, db => PostgresControl.Release(db, owner, releases));

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> ClearPreviousAsync(Incarnation previous, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) =>
        WriteManyAsync(shards.Count, db => PostgresControl.ClearPrevious(db, previous, shards));

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> RevokeOfDownAsync(IReadOnlyCollection<Incarnation> heirs, IReadOnlyCollection<Incarnation>? trusted = null) =>
        WriteManyAsync(PostgresControl.SliceRows, db => PostgresControl.RevokeOfDown(db, heirs, trusted ?? []), _sweeps);

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> RetargetAsync(IReadOnlyCollection<ShardRetarget> retargets) =>
        WriteManyAsync(retargets.Count, db => PostgresControl.Retarget(db, retargets));

    /// <inheritdoc />
    public async ValueTask<StoreResult<PrunedRows>> PruneAsync(TimeSpan logs, TimeSpan downMembers, int limit, LoggedEpoch? after = null)
    {
        PruneRules.Check(logs, downMembers, limit);
        // Nothing that one of them deletes rests on another; only the members need the lock that view changes take.
        var members = await WriteAsync(_sweeps, db => PostgresPrune.Members(db, downMembers, limit)).ConfigureAwait(false);
        if (!members.IsOk) return StoreResult.Not<PrunedRows>(members.Verdict, members.Reason!);
        var views = await WriteAsync(_sweeps, db => PostgresPrune.Views(db, logs, limit)).ConfigureAwait(false);
        if (!views.IsOk) return StoreResult.Not<PrunedRows>(views.Verdict, views.Reason!);
        var epochs = await WriteAsync(_sweeps, db => PostgresPrune.Epochs(db, logs, limit, after)).ConfigureAwait(false);
        return epochs.IsOk ? StoreResult.Ok(new PrunedRows(members.Value, views.Value, epochs.Value.Gone, epochs.Value.Next)) : StoreResult.Not<PrunedRows>(epochs.Verdict, epochs.Reason!);
    }

    /// <inheritdoc />
    public async ValueTask<StoreResult<ImmutableArray<AppendOutcome>>> AppendAsync(IReadOnlyList<ShardBatch> batches)
    {
        ArgumentNullException.ThrowIfNull(batches);
        foreach (var batch in batches)
            if (batch.Rows.IsDefaultOrEmpty) throw new ArgumentException($"The batch of shard {batch.Shard} has no rows. Give 1 or more.", nameof(batches));
        // One commit for all shards of the call. Which connection carries it does not matter: shard rows are locked in their order.
        var appended = await Opened(Freer(_journal)).RunAsync(isWrite: true, db => PostgresJournal.Append(db, batches)).ConfigureAwait(false);
        return appended.IsOk
            ? StoreResult.Ok(ImmutableArray.Create(appended.Value))
            : StoreResult.Not<ImmutableArray<AppendOutcome>>(appended.Verdict, appended.Reason!);
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<BatchResolution>> ResolveAsync(ShardBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return new(Opened(Freer(_journal)).RunAsync(isWrite: false, s => s.InTransaction(db => PostgresJournal.Resolve(db, batch))));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<EntitySnapshot?>> ReadSnapshotAsync(string entity) => ReadAsync(Freer(_reads), db => PostgresJournal.ReadSnapshot(db, entity));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<JournalRow>>> ReadJournalAsync(string entity, long fromSeq, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 10_000);
        return ReadAsync(Freer(_reads), db => PostgresJournal.ReadJournal(db, entity, fromSeq, limit));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<EntityRecord>>> LoadAsync(IReadOnlyList<string> entities, int limit)
    {
        ArgumentNullException.ThrowIfNull(entities);
        return ReadAsync(Freer(_reads), db => PostgresJournal.Load(db, entities, limit));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<bool>> SaveSnapshotAsync(ShardNo shard, Epoch epoch, Incarnation owner, EntitySnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return WriteAsync(Freer(_journal), db => PostgresJournal.SaveSnapshot(db, shard, epoch, owner, snapshot));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<OldRows>> FindOldRowsAsync(JournalLimits limits, string after, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 10_000);
        return ReadAsync(Freer(_reads), db => PostgresJournal.FindOldRows(db, limits, after, limit));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> TruncateAsync(ShardNo shard, Epoch epoch, Incarnation owner, string entity, JournalLimits limits) =>
        WriteAsync(Freer(_journal), db => PostgresJournal.Truncate(db, shard, epoch, owner, entity, limits));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> ConfirmAsync(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) =>
        ReadAsync(Freer(_reads), db => PostgresJournal.Confirm(db, owner, shards));

    /// <inheritdoc />
    public ValueTask<StoreResult<TimerPage>> ReadTimersAsync(Incarnation owner, long dueBeforeUnixMs, TimerRow? after, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 10_000);
        return ReadAsync(Freer(_reads), db => PostgresTimers.Read(db, owner, dueBeforeUnixMs, after, limit));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<TimerPage>> ReadTimersAsync(ShardNo shard, string entity) => ReadAsync(Freer(_reads), db => PostgresTimers.Read(db, shard, entity));

    /// <inheritdoc />
    public ValueTask<StoreResult<bool>> RemoveTimerAsync(ShardNo shard, Epoch epoch, Incarnation owner, string entity, long no) =>
        WriteAsync(Freer(_journal), db => PostgresTimers.Remove(db, shard, epoch, owner, entity, no));

    /// <summary>Closes the connections after the calls under way, within a few call time-outs. Later calls answer NotSent. Twice is harmless.</summary>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Lanes.Select(l => l.DisposeAsync().AsTask())).ConfigureAwait(false);
        await _source.DisposeAsync().ConfigureAwait(false);
    }

    private IEnumerable<PostgresLane> Lanes => [_lease, _control, _polls, _sweeps, .. _journal, .. _reads];

    private static PostgresLane Freer(PostgresLane[] lanes) => lanes[0].Load <= lanes[1].Load ? lanes[0] : lanes[1];

    private ValueTask<StoreResult<T>> WriteAsync<T>(PostgresLane lane, Func<PostgresSession, StoreResult<T>> operation) =>
        new(Opened(lane).RunAsync(isWrite: true, session => session.InTransaction(operation)));

    /// <summary>A write whose time-outs grow with the rows that it may move.</summary>
    private ValueTask<StoreResult<T>> WriteManyAsync<T>(int rows, Func<PostgresSession, StoreResult<T>> operation, PostgresLane? lane = null)
    {
        var more = PerRow * rows;
        return new(Opened(lane ?? _control).RunAsync(
            isWrite: true,
            session => session.InTransaction(db =>
            {
                db.Run(string.Create(CultureInfo.InvariantCulture, $"SET LOCAL statement_timeout={(long)(_options.CallTimeout + more).TotalMilliseconds}"));
                return operation(db);
            }),
            more: more));
    }

    private ValueTask<StoreResult<T>> ReadAsync<T>(PostgresLane lane, Func<PostgresSession, StoreResult<T>> operation) =>
        new(Opened(lane).RunAsync(isWrite: false, operation));

    private PostgresLane Opened(PostgresLane lane) =>
        _opened ? lane : throw new InvalidOperationException("The store is not open. Call OpenAsync before anything else.");
}
