using System.Collections.Immutable;
using System.Diagnostics;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using SQLitePCL;

namespace ActorCluster.Sql;

/// <summary>The store for one machine: an SQLite file that all of its nodes share.</summary>
/// <remarks>
/// Thread-safe. All writes of a process go through one thread, which commits whatever waits in one transaction; reads have threads and
/// connections of their own. A commit is on the disk before its callers are answered (write-ahead log, synchronous FULL), so a process
/// or a machine may stop at any time. Do not open the file by other means than SQLite while a node runs: closing it would drop the
/// process's locks.
/// </remarks>
public sealed class SqliteStore : IClusterStore, IStoreRecovery
{
    /// <summary>An empty log and its index.</summary>
    private const long RoomToOpen = 65_536;

    private readonly SqliteStoreOptions _options;
    private readonly string _path;
    private readonly SemaphoreSlim _opening = new(1);
    private SqliteWriter? _writer;
    private SqliteReader? _reader;
    private bool _disposed;

    /// <summary>Names the file; nothing is touched before <see cref="OpenAsync"/>.</summary>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public SqliteStore(SqliteStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(options.Path);
        if (options.CallTimeout <= TimeSpan.Zero)
            throw new ArgumentException($"CallTimeout is {options.CallTimeout}; give more than zero, 1.5 s by default.", nameof(options));
        if (options.CheckpointPages < 1)
            throw new ArgumentException($"CheckpointPages is {options.CheckpointPages}; give 1 or more, 10,000 by default.", nameof(options));
        _options = options;
        _path = Path.GetFullPath(options.Path);
    }

    /// <inheritdoc />
    public string Description => $"SQLite {_path}";

    private static long NowUnixMs => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    /// <inheritdoc />
    public async ValueTask<StoreResult<ClusterRow>> OpenAsync(StoreSeed seed, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(seed);
        await _opening.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return await Task.Factory.StartNew(() => Open(seed, cancel), cancel, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> RegisterTypeAsync(string type, int shardCount, bool exclusive = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(type);
        ArgumentOutOfRangeException.ThrowIfNegative(shardCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shardCount, 65_536);
        return WriteAsync(db => SqliteControl.RegisterType(db, type, shardCount, exclusive));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<Incarnation>> NextIncarnationAsync() => WriteAsync(SqliteControl.NextIncarnation);

    /// <inheritdoc />
    public ValueTask<StoreResult<ClusterSnapshot>> ReadClusterAsync() => ReadAsync(SqliteControl.ReadCluster, urgent: true);

    /// <inheritdoc />
    public ValueTask<StoreResult<StoredSettings>> ReadSettingsAsync() => ReadAsync(SqliteSettings.Read, urgent: true);

    /// <inheritdoc />
    public ValueTask<StoreResult<long>> ChangeViewAsync(ViewChange change)
    {
        ArgumentNullException.ThrowIfNull(change);
        return WriteAsync(db => SqliteViewChange.Run(db, change, NowUnixMs));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<ClusterRow>> RecoverAsync(Guid opId, long generation, string reason)
    {
        ArgumentNullException.ThrowIfNull(reason);
        return WriteAsync(db => SqliteRecovery.Recover(db, opId, generation, reason, NowUnixMs));
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<Reappended>>> ReappendAsync(long generation, IReadOnlyList<LostRow> rows, ReappendTrial? trial)
    {
        RecoveryRules.Check(rows);
        return trial is null
            ? WriteAsync(db => SqliteReappend.Run(db, generation, rows, null, NowUnixMs)) : ReadAsync(db => SqliteReappend.Run(db, generation, rows, trial, NowUnixMs), urgent: false);
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<long>> FindViewAsync(Guid opId) => ReadAsync(db => SqliteControl.FindView(db, opId), urgent: true);

    /// <inheritdoc />
    public ValueTask<StoreResult<Renewal>> RenewAsync(Incarnation inc) => WriteAsync(db => SqliteControl.Renew(db, inc, NowUnixMs));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<AcquiredShard>>> AcquireAsync(Incarnation inc, IReadOnlyCollection<LeaseSeen>? stale = null) =>
        WriteAsync(db => SqliteControl.Acquire(db, inc, stale ?? []));

    /// <inheritdoc />
    public ValueTask<StoreResult<ShardPicture>> ReadPictureAsync(Incarnation self) => ReadAsync(db => SqliteControl.ReadPicture(db, self), urgent: true);

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadOwnAsync(Incarnation self) => ReadAsync(db => SqliteControl.ReadOwn(db, self), urgent: true);

    /// <inheritdoc />
    public async ValueTask<StoreResult<ImmutableArray<ShardRow>>> PlaceAsync(IReadOnlyList<ShardPlacement> placements)
    {
        ArgumentNullException.ThrowIfNull(placements);
        // Mostly all are there, and nothing is to be written.
        var found = await ReadAsync(db => SqliteControl.FindPlaced(db, placements), urgent: true).ConfigureAwait(false);
        if (!found.IsOk || found.Value.Length == placements.Count) return found;
        return await WriteAsync(db => SqliteControl.Place(db, placements)).ConfigureAwait(false);
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> EndAsync(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) =>
        SliceAsync(shards, (db, some) => SqliteControl.End(db, owner, some, NowUnixMs));

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> PruneEndedAsync(TimeSpan age) => WriteAsync(db => SqlitePrune.Ended(db, age, NowUnixMs), urgent: false);

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadShardsAsync() => ReadAsync(SqliteControl.ReadShards, urgent: true);

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardRow>>> ReadShardsAsync(IReadOnlyCollection<ShardNo> shards) =>
        ReadAsync(db => SqliteControl.ReadShards(db, shards), urgent: true);

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> PlanHandoffAsync(IReadOnlyCollection<ShardRetarget> plans) =>
        SliceAsync(plans, SqliteControl.PlanHandoff);

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> RevertHandoffAsync(
        Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) => SliceAsync(shards, (db, some) => SqliteControl.RevertHandoff(db, owner, some));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> ReleaseAsync(Incarnation owner, IReadOnlyCollection<ShardRelease> releases) =>
        SliceAsync(releases, (db, some) => SqliteControl.Release(db, owner, some));

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> ClearPreviousAsync(Incarnation previous, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) =>
        WriteAsync(db => SqliteControl.ClearPrevious(db, previous, shards));

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> RevokeOfDownAsync(IReadOnlyCollection<Incarnation> heirs, IReadOnlyCollection<Incarnation>? trusted = null) => WriteAsync(db => SqliteControl.RevokeOfDown(db, heirs, trusted ?? []));

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> RetargetAsync(IReadOnlyCollection<ShardRetarget> retargets) =>
        SliceAsync(retargets, SqliteControl.Retarget);

    /// <inheritdoc />
    public ValueTask<StoreResult<PrunedRows>> PruneAsync(TimeSpan logs, TimeSpan downMembers, int limit, LoggedEpoch? after = null)
    {
        PruneRules.Check(logs, downMembers, limit);
        return WriteAsync(db => SqlitePrune.Prune(db, logs, downMembers, limit, after, NowUnixMs), urgent: false);
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<AppendOutcome>>> AppendAsync(IReadOnlyList<ShardBatch> batches)
    {
        ArgumentNullException.ThrowIfNull(batches);
        foreach (var batch in batches)
            if (batch.Rows.IsDefaultOrEmpty) throw new ArgumentException($"The batch of shard {batch.Shard} has no rows. Give 1 or more.", nameof(batches));
        // Each batch has a savepoint of its own, so the call needs none.
        return WriteAsync(db => SqliteJournal.Append(db, batches, NowUnixMs), urgent: false, takesSavepoint: false);
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<BatchResolution>> ResolveAsync(ShardBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        // By the writer, behind any copy of the batch that is still under way; a mere read could overtake it.
        return WriteAsync(db => SqliteJournal.Resolve(db, batch), urgent: false);
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<EntitySnapshot?>> ReadSnapshotAsync(string entity) =>
        ReadAsync(db => SqliteJournal.ReadSnapshot(db, entity), urgent: false);

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<JournalRow>>> ReadJournalAsync(string entity, long fromSeq, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 10_000);
        return ReadAsync(db => SqliteJournal.ReadJournal(db, entity, fromSeq, limit), urgent: false);
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<EntityRecord>>> LoadAsync(IReadOnlyList<string> entities, int limit)
    {
        ArgumentNullException.ThrowIfNull(entities);
        return ReadAsync(db => SqliteJournal.Load(db, entities, limit), urgent: false);
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<bool>> SaveSnapshotAsync(ShardNo shard, Epoch epoch, Incarnation owner, EntitySnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return WriteAsync(db => SqliteJournal.SaveSnapshot(db, shard, epoch, owner, snapshot), urgent: false);
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<OldRows>> FindOldRowsAsync(JournalLimits limits, string after, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 10_000);
        return ReadAsync(db => SqliteJournal.FindOldRows(db, limits, after, limit, NowUnixMs), urgent: false);
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<int>> TruncateAsync(ShardNo shard, Epoch epoch, Incarnation owner, string entity, JournalLimits limits) =>
        WriteAsync(db => SqliteJournal.Truncate(db, shard, epoch, owner, entity, limits, NowUnixMs), urgent: false);

    /// <inheritdoc />
    public ValueTask<StoreResult<ImmutableArray<ShardNo>>> ConfirmAsync(
        Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) =>
        ReadAsync(db => SqliteJournal.Confirm(db, owner, shards), urgent: true);

    /// <inheritdoc />
    public ValueTask<StoreResult<TimerPage>> ReadTimersAsync(Incarnation owner, long dueBeforeUnixMs, TimerRow? after, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 10_000);
        return ReadAsync(db => SqliteTimers.Read(db, owner, dueBeforeUnixMs, after, limit, NowUnixMs), urgent: false);
    }

    /// <inheritdoc />
    public ValueTask<StoreResult<TimerPage>> ReadTimersAsync(ShardNo shard, string entity) =>
        ReadAsync(db => SqliteTimers.Read(db, shard, entity, NowUnixMs), urgent: false);

    /// <inheritdoc />
    public ValueTask<StoreResult<bool>> RemoveTimerAsync(ShardNo shard, Epoch epoch, Incarnation owner, string entity, long no) =>
        WriteAsync(db => SqliteTimers.Remove(db, shard, epoch, owner, entity, no), urgent: false);

    /// <summary>Ends the threads after what they have begun, within a few call time-outs. Later calls answer NotSent. Twice is harmless.</summary>
    public async ValueTask DisposeAsync()
    {
        await _opening.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_disposed) return;
            _disposed = true;
            await Task.Run(() =>
            {
                _reader?.Dispose();
                _writer?.Dispose();
            }).ConfigureAwait(false);
        }
        finally
        {
            _opening.Release();
        }
    }

    private StoreResult<ClusterRow> Open(StoreSeed seed, CancellationToken cancel)
    {
        var folder = Path.GetDirectoryName(_path)!;
        SqliteTurnstile turnstile;
        try
        {
            Directory.CreateDirectory(folder);
            LocalFileSystem.Require(folder);
            turnstile = new SqliteTurnstile(_path + ".turnstile");
        }
        catch (IOException e) when (DiskRoom.IsMissing(e))
        {
            return Full();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreUnusableException($"The folder {folder} cannot be written: {e.Message} Give this user the right to write there, or name another file.", e);
        }

        try
        {
            var row = Prepare(turnstile, seed, cancel);
            if (!row.IsOk || _writer is not null)
            {
                turnstile.Dispose(); // Not opened yet; or before, and its threads run.
                return row;
            }
            _writer = new SqliteWriter(OpenSession, turnstile, _options.CallTimeout);
            _reader = new SqliteReader(OpenSession, _options.CallTimeout);
            return row;
        }
        catch (Exception e)
        {
            turnstile.Dispose();
            if (e is IOException) throw new StoreUnusableException($"{_path} cannot be locked: {e.Message}", e);
            throw;
        }
    }

    private StoreResult<ClusterRow> Prepare(SqliteTurnstile turnstile, StoreSeed seed, CancellationToken cancel)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            if (turnstile.TryEnter())
            {
                try
                {
                    using var session = OpenSession();
                    if (session.IsReadOnly) throw new StoreUnusableException($"{_path} can only be read. Give this user the right to write the file, or mount its disk for writing.");
                    return StoreResult.Ok(SqliteSchema.Prepare(session, _options, seed));
                }
                catch (SqliteFailure e) when (e.IsBusy)
                {
                    // Another program holds SQLite's lock.
                }
                catch (SqliteFailure e) when (IsFull(e))
                {
                    return Full();
                }
                catch (SqliteFailure e)
                {
                    throw Unusable(e);
                }
                finally
                {
                    turnstile.Leave();
                }
            }
            if (Stopwatch.GetElapsedTime(started) > _options.CallTimeout)
                return StoreResult.Not<ClusterRow>(StoreVerdict.NotSent, $"{_path} is locked: {turnstile.DescribeHolder()}. If that process is stopped or hangs, let it go on (kill -CONT) or end it.");
            Native.Sleep(TimeSpan.FromMilliseconds(2));
        }
    }

    /// <summary>Also what SQLite says of a log or an index of the log that it cannot make, which names no reason.</summary>
    private bool IsFull(SqliteFailure e) => e.Code == raw.SQLITE_FULL
        || (e.Code is raw.SQLITE_IOERR or raw.SQLITE_CANTOPEN && DiskRoom.IsLessThan(Path.GetDirectoryName(_path)!, RoomToOpen));

    private StoreResult<ClusterRow> Full() => StoreResult.Not<ClusterRow>(StoreVerdict.NotSent, $"The disk of {_path} is full. Free some space.");

    private StoreUnusableException Unusable(SqliteFailure e) => new(e.Code switch
    {
        raw.SQLITE_NOTADB => $"{_path} is not an SQLite database. Move that file away, or name another one.",
        raw.SQLITE_CORRUPT => $"{_path} is damaged: {e.Message}. Restore a backup.",
        raw.SQLITE_READONLY => $"{_path} can only be read. Give this user the right to write the file and its folder.",
        raw.SQLITE_CANTOPEN => $"{_path} cannot be opened: {e.Message}. Give this user the right to write the file and its folder.",
        _ => $"{_path} cannot be used: {e.Message}. Check the disk it is on.",
    }, e);

    private SqliteSession OpenSession()
    {
        var session = SqliteSession.Open(_path);
        try
        {
            SqliteSchema.Configure(session, _options.CheckpointPages);
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>Orders that each hold for themselves: many of them need no long call.</summary>
    private async ValueTask<StoreResult<ImmutableArray<ShardNo>>> SliceAsync<T>(IReadOnlyCollection<T> orders, Func<SqliteSession, IReadOnlyCollection<T>, StoreResult<ImmutableArray<ShardNo>>> operation)
    {
        if (orders.Count <= SqliteControl.SliceRows) return await WriteAsync(db => operation(db, orders)).ConfigureAwait(false);
        var changed = ImmutableArray.CreateBuilder<ShardNo>();
        foreach (var some in orders.Chunk(SqliteControl.SliceRows))
        {
            var slice = await WriteAsync(db => operation(db, some)).ConfigureAwait(false);
            if (!slice.IsOk) return changed.Count == 0 ? slice : StoreResult.Not<ImmutableArray<ShardNo>>(StoreVerdict.InDoubt, slice.Reason!);
            changed.AddRange(slice.Value);
        }
        return StoreResult.Ok(changed.DrainToImmutable());
    }

    private ValueTask<StoreResult<T>> WriteAsync<T>(Func<SqliteSession, StoreResult<T>> operation, bool urgent = true, bool takesSavepoint = true) =>
        new(Opened(_writer).SubmitAsync(operation, urgent, takesSavepoint));

    private ValueTask<StoreResult<T>> ReadAsync<T>(Func<SqliteSession, StoreResult<T>> operation, bool urgent) =>
        new(Opened(_reader).SubmitAsync(operation, urgent));

    private static T Opened<T>(T? part) where T : class =>
        part ?? throw new InvalidOperationException("The store is not open. Call OpenAsync before anything else.");
}
