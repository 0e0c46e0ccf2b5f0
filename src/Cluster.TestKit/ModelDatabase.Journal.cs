using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

public sealed partial class ModelDatabase
{
    private readonly List<ModelJournalEntry> _journal = [];
    private readonly SortedDictionary<string, SortedDictionary<long, JournalRow>> _rows = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, SortedDictionary<long, EntitySnapshot>> _snapshots = new(StringComparer.Ordinal);
    private readonly HashSet<(string Entity, CommandId Command)> _commands = []; // Only asked, never iterated.
    private readonly HashSet<(string Entity, long EntitySeq)> _damaged = [];
    private readonly Dictionary<(string Entity, long EntitySeq), long> _storedAt = []; // Only asked, never iterated.

    /// <summary>Every row ever committed, in the order of commits; truncation does not shorten it.</summary>
    public IReadOnlyList<ModelJournalEntry> Journal => _journal;

    /// <summary>An entity's first row that is kept, 0 when it has none, and its snapshots.</summary>
    public (long FirstSeq, ImmutableArray<long> Snapshots) Kept(string entity) => (
        _rows.TryGetValue(entity, out var rows) && rows.Count > 0 ? rows.Keys.First() : 0, _snapshots.TryGetValue(entity, out var kept) ? [.. kept.Keys] : []);

    /// <summary>See <see cref="IJournalStore.AppendAsync"/>.</summary>
    /// <param name="batches">The batches.</param>
    /// <param name="atUnixMs">The store's time, for the age of the rows.</param>
    public StoreResult<ImmutableArray<AppendOutcome>> Append(IReadOnlyList<ShardBatch> batches, long atUnixMs = 0)
    {
        ArgumentNullException.ThrowIfNull(batches);
        _ = Opened;
        foreach (var batch in batches)
            if (batch.Rows.IsDefaultOrEmpty) throw new ArgumentException($"The batch of shard {batch.Shard} has no rows. Give 1 or more.", nameof(batches));
        return StoreResult.Ok<ImmutableArray<AppendOutcome>>([.. batches.Select(b => Append(b, atUnixMs))]);
    }

    /// <summary>See <see cref="IJournalStore.ResolveAsync"/>.</summary>
    public StoreResult<BatchResolution> Resolve(ShardBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        _ = Opened;
        if (!_shards.TryGetValue(batch.Shard, out var row) || row.Epoch < batch.Epoch) return StoreResult.Ok(BatchResolution.Regressed);
        if (row.Epoch != batch.Epoch || row.Owner != batch.Owner) return StoreResult.Ok(BatchResolution.Fenced);
        if (row.NextSeq < batch.ExpectedSeq) return StoreResult.Ok(BatchResolution.Regressed);
        if (row.NextSeq == batch.ExpectedSeq)
            return StoreResult.Ok(batch.Rows.Any(HasRow) ? BatchResolution.Broken : BatchResolution.NotCommitted);
        var mine = row.NextSeq == batch.ExpectedSeq + batch.Rows.Length && _lastBatches.GetValueOrDefault(row.No) == batch.BatchId;
        return StoreResult.Ok(mine ? BatchResolution.Committed : BatchResolution.Broken);
    }

    /// <summary>See <see cref="IJournalStore.ReadSnapshotAsync"/>.</summary>
    public StoreResult<EntitySnapshot?> ReadSnapshot(string entity)
    {
        _ = Opened;
        var sound = _snapshots.TryGetValue(entity, out var kept) ? kept.Values.LastOrDefault(s => !_damaged.Contains((entity, s.EntitySeq))) : null;
        return StoreResult.Ok(sound);
    }

    /// <summary>See <see cref="IJournalStore.ReadJournalAsync"/>.</summary>
    public StoreResult<ImmutableArray<JournalRow>> ReadJournal(string entity, long fromSeq, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 10_000);
        _ = Opened;
        return StoreResult.Ok<ImmutableArray<JournalRow>>(
            _rows.TryGetValue(entity, out var rows) ? [.. rows.Values.Where(r => r.EntitySeq >= fromSeq).Take(limit)] : []);
    }

    /// <summary>See <see cref="IJournalStore.LoadAsync"/>.</summary>
    public StoreResult<EntityRecord> Load(string entity, int limit)
    {
        var snapshot = ReadSnapshot(entity).Value;
        return StoreResult.Ok(new EntityRecord(snapshot, ReadJournal(entity, (snapshot?.EntitySeq ?? 0) + 1, limit).Value));
    }

    /// <summary>See <see cref="IJournalStore.SaveSnapshotAsync"/>.</summary>
    public StoreResult<bool> SaveSnapshot(ShardNo shard, Epoch epoch, Incarnation owner, EntitySnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        if (!Owns(owner, shard, epoch)) return StoreResult.Not<bool>(StoreVerdict.Fenced, $"Shard {shard} is not owned by {owner} at epoch {epoch}.");
        if (!_snapshots.TryGetValue(snapshot.Entity, out var kept)) _snapshots.Add(snapshot.Entity, kept = []);
        kept[snapshot.EntitySeq] = snapshot;
        _damaged.Remove((snapshot.Entity, snapshot.EntitySeq));
        if (kept.Count > 2) kept.Remove(kept.Keys.First());
        return StoreResult.Ok(kept.ContainsKey(snapshot.EntitySeq));
    }

    // An owner that had not noticed the loss has saved them; the numbers of their rows will be given again.
    private void ForgetSnapshotsOfLostRows()
    {
        foreach (var (entity, kept) in _snapshots)
        {
            var head = _rows.TryGetValue(entity, out var rows) && rows.Count > 0 ? rows.Keys.Last() : 0;
            foreach (var seq in kept.Keys.Where(s => s > head).ToArray()) kept.Remove(seq);
        }
    }

    /// <summary>See <see cref="IJournalStore.FindOldRowsAsync"/>.</summary>
    public StoreResult<OldRows> FindOldRows(JournalLimits limits, string after, int limit, long nowUnixMs)
    {
        ArgumentNullException.ThrowIfNull(limits);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 10_000);
        _ = Opened;
        var page = _snapshots.Where(s => s.Value.Count > 1 && string.CompareOrdinal(s.Key, after) > 0).Select(s => s.Key).Take(limit).ToArray();
        var old = page.Where(e => Old(e, limits, nowUnixMs, 1).Length > 0).Select(e => (e, _journal.First(j => j.Row.Entity == e).Shard));
        return StoreResult.Ok(new OldRows([.. old], page.Length == limit ? page[^1] : null));
    }

    /// <summary>See <see cref="IJournalStore.TruncateAsync"/>.</summary>
    public StoreResult<int> Truncate(ShardNo shard, Epoch epoch, Incarnation owner, string entity, JournalLimits limits, long nowUnixMs)
    {
        ArgumentNullException.ThrowIfNull(limits);
        if (!Owns(owner, shard, epoch)) return StoreResult.Not<int>(StoreVerdict.Fenced, $"Shard {shard} is not owned by {owner} at epoch {epoch}.");
        if (!_snapshots.TryGetValue(entity, out var kept) || kept.Count < 2 || _damaged.Contains((entity, kept.Keys.First()))) return StoreResult.Ok(0);
        var gone = Old(entity, limits, nowUnixMs, JournalLimits.SliceRows);
        foreach (var seq in gone) RemoveRow(entity, _rows[entity], seq);
        return StoreResult.Ok(gone.Length);
    }

    private long[] Old(string entity, JournalLimits limits, long nowUnixMs, int max)
    {
        if (!_rows.TryGetValue(entity, out var rows) || rows.Count == 0) return [];
        var (last, snapshots) = (rows.Keys.Last(), _snapshots[entity].Keys);
        var bound = _mutation == ModelMutation.TruncatesUpToTheNewest ? snapshots.Last() : snapshots.First();
        return [.. rows.Keys.TakeWhile(seq => seq < bound && limits.LetGo(seq, _storedAt[(entity, seq)], last, nowUnixMs)).Take(max)];
    }

    /// <summary>See <see cref="IJournalStore.ConfirmAsync"/>.</summary>
    public StoreResult<ImmutableArray<ShardNo>> Confirm(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) =>
        StoreResult.Ok<ImmutableArray<ShardNo>>([.. shards.Where(s => Owns(owner, s.Shard, s.Epoch)).Select(s => s.Shard)]);

    /// <summary>Spoils a stored snapshot, as a disk might: reads pass it over from now on.</summary>
    public void DamageSnapshot(string entity, long entitySeq) => _damaged.Add((entity, entitySeq));

    private AppendOutcome Append(ShardBatch batch, long atUnixMs)
    {
        if (!_shards.TryGetValue(batch.Shard, out var row) || row.NextSeq != batch.ExpectedSeq) return AppendOutcome.Unexpected;
        if (_mutation != ModelMutation.AppendIgnoresEpoch && (row.Epoch != batch.Epoch || row.Owner != batch.Owner)) return AppendOutcome.Unexpected;
        if (batch.Rows.Any(HasRow) || batch.Rows.DistinctBy(r => (r.Entity, r.EntitySeq)).Count() != batch.Rows.Length) return AppendOutcome.Unexpected;
        if (_keepsClientIndex && HasRepeat(batch.Rows)) return AppendOutcome.RepeatedCommand;

        _shards[row.No] = row with { NextSeq = row.NextSeq + batch.Rows.Length };
        _lastBatches[row.No] = batch.BatchId;
        for (var i = 0; i < batch.Rows.Length; i++)
        {
            var added = batch.Rows[i];
            _journal.Add(new ModelJournalEntry(batch.Shard, batch.ExpectedSeq + i, batch.Epoch, batch.Owner, batch.BatchId, added));
            if (!_rows.TryGetValue(added.Entity, out var rows)) _rows.Add(added.Entity, rows = []);
            _storedAt[(added.Entity, added.EntitySeq)] = atUnixMs;
            rows.Add(added.EntitySeq, added.Timers.IsEmpty ? added : added with { Timers = [] });
            foreach (var change in added.Timers) ChangeTimer(batch.Shard, added.Entity, change);
            if (added.Command is { } command) _commands.Add((added.Entity, command));
        }
        return AppendOutcome.Committed;
    }

    private void RemoveRow(string entity, SortedDictionary<long, JournalRow> rows, long seq)
    {
        if (rows[seq].Command is { } command) _commands.Remove((entity, command));
        rows.Remove(seq);
        _storedAt.Remove((entity, seq));
    }

    private bool HasRow(JournalRow row) => _rows.TryGetValue(row.Entity, out var rows) && rows.ContainsKey(row.EntitySeq);

    private bool HasRepeat(ImmutableArray<JournalRow> rows)
    {
        var inBatch = new HashSet<(string, CommandId)>();
        return rows.Any(r => r.Command is { } command && (_commands.Contains((r.Entity, command)) || !inBatch.Add((r.Entity, command))));
    }

    private bool Owns(Incarnation owner, ShardNo shard, Epoch epoch)
    {
        _ = Opened;
        return _shards.TryGetValue(shard, out var row) && row.Owner == owner && row.Epoch == epoch;
    }

    private void CopyJournalTo(ModelDatabase copy)
    {
        copy._journal.AddRange(_journal);
        foreach (var (entity, rows) in _rows) copy._rows.Add(entity, new SortedDictionary<long, JournalRow>(rows));
        foreach (var (entity, kept) in _snapshots) copy._snapshots.Add(entity, new SortedDictionary<long, EntitySnapshot>(kept));
        foreach (var (place, timer) in _timers) copy._timers.Add(place, timer);
        copy._commands.UnionWith(_commands);
        copy._damaged.UnionWith(_damaged);
        foreach (var (place, at) in _storedAt) copy._storedAt.Add(place, at);
    }
}
