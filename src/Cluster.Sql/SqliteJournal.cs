using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sql;

/// <summary>The statements of <see cref="IJournalStore"/>, each run inside a transaction that the caller opened.</summary>
internal static class SqliteJournal
{
    public static StoreResult<ImmutableArray<AppendOutcome>> Append(SqliteSession db, IReadOnlyList<ShardBatch> batches, long nowUnixMs)
    {
        var outcomes = ImmutableArray.CreateBuilder<AppendOutcome>(batches.Count);
        foreach (var batch in batches) outcomes.Add(Append(db, batch, nowUnixMs));
        return StoreResult.Ok(outcomes.MoveToImmutable());
    }

    public static StoreResult<BatchResolution> Resolve(SqliteSession db, ShardBatch batch)
    {
        var read = db.Get("SELECT epoch, owner_inc, next_seq, last_batch FROM shard WHERE shard_no=?1").Bind(1, batch.Shard.Value);
        if (!read.Step()) return StoreResult.Ok(BatchResolution.Regressed);
        var (epoch, owner, next, last) = (read.GetLong(0), read.GetNullableLong(1), read.GetLong(2), read.GetGuid(3));
        read.Reset();

        if (epoch < batch.Epoch.Value) return StoreResult.Ok(BatchResolution.Regressed); // The caller was told of an epoch that the store forgot.
        if (epoch != batch.Epoch.Value || owner != batch.Owner.Value) return StoreResult.Ok(BatchResolution.Fenced);
        if (next < batch.ExpectedSeq) return StoreResult.Ok(BatchResolution.Regressed);
        if (next == batch.ExpectedSeq) return StoreResult.Ok(HasAnyRow(db, batch) ? BatchResolution.Broken : BatchResolution.NotCommitted);
        var mine = next == batch.ExpectedSeq + batch.Rows.Length && last == batch.BatchId;
        return StoreResult.Ok(mine ? BatchResolution.Committed : BatchResolution.Broken);
    }

    public static StoreResult<EntitySnapshot?> ReadSnapshot(SqliteSession db, string entity)
    {
        EntitySnapshot? found = null;
        var read = db.Get("SELECT entity_seq, schema, payload, crc32c FROM snapshot WHERE entity=?1 ORDER BY entity_seq DESC").Bind(1, entity);
        while (found is null && read.Step()) found = Verified(read, entity);
        read.Reset();
        return StoreResult.Ok(found);
    }

    public static StoreResult<ImmutableArray<JournalRow>> ReadJournal(SqliteSession db, string entity, long fromSeq, int limit)
    {
        var rows = ImmutableArray.CreateBuilder<JournalRow>();
        var read = db.Get(
            """
            SELECT entity_seq, client_id, client_seq, kind, payload, result, at, has_result FROM journal
            WHERE entity=?1 AND entity_seq>=?2 ORDER BY entity_seq LIMIT ?3
            """).Bind(1, entity).Bind(2, fromSeq).Bind(3, limit);
        while (read.Step()) rows.Add(ReadRow(read, entity));
        return StoreResult.Ok(rows.DrainToImmutable());
    }

    private static JournalRow ReadRow(SqliteStatement read, string entity)
    {
        CommandId? command = read.IsNull(1) ? null : new CommandId(new ClientId(read.GetUInt128(1)), read.GetLong(2));
        var result = read.GetBlob(5);
        var isKept = read.GetNullableLong(7) is { } kept ? kept != 0 : result.Length > 0; // Earlier releases did not tell an empty one from none.
        return new JournalRow(entity, read.GetLong(0), command, read.GetText(3), read.GetBlob(4), isKept ? (ReadOnlyMemory<byte>?)result : null, read.GetLong(6));
    }

    public static StoreResult<ImmutableArray<EntityRecord>> Load(SqliteSession db, IReadOnlyList<string> entities, int limit)
    {
        var records = ImmutableArray.CreateBuilder<EntityRecord>(entities.Count);
        foreach (var entity in entities)
        {
            var snapshot = ReadSnapshot(db, entity).Value;
            records.Add(new EntityRecord(snapshot, ReadJournal(db, entity, (snapshot?.EntitySeq ?? 0) + 1, limit).Value));
        }
        return StoreResult.Ok(records.MoveToImmutable());
    }

    public static StoreResult<bool> SaveSnapshot(SqliteSession db, ShardNo shard, Epoch epoch, Incarnation owner, EntitySnapshot snapshot)
    {
        if (!Owns(db, shard, epoch, owner)) return Fenced<bool>(shard, epoch, owner);
        db.Get("INSERT OR REPLACE INTO snapshot(entity, entity_seq, epoch, schema, payload, crc32c) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")
            .Bind(1, snapshot.Entity).Bind(2, snapshot.EntitySeq).Bind(3, epoch.Value).Bind(4, snapshot.Schema)
            .Bind(5, snapshot.Payload.Span).Bind(6, Crc32C.Of(snapshot)).Run();
        db.Get(
            """
            DELETE FROM snapshot WHERE entity=?1 AND entity_seq NOT IN
                (SELECT entity_seq FROM snapshot WHERE entity=?1 ORDER BY entity_seq DESC LIMIT 2)
            """).Bind(1, snapshot.Entity).Run();
        var kept = db.Get("SELECT 1 FROM snapshot WHERE entity=?1 AND entity_seq=?2").Bind(1, snapshot.Entity).Bind(2, snapshot.EntitySeq).Scalar();
        return StoreResult.Ok(kept is not null);
    }

    public static StoreResult<OldRows> FindOldRows(SqliteSession db, JournalLimits limits, string after, int limit, long nowUnixMs)
    {
        var old = ImmutableArray.CreateBuilder<(string, ShardNo)>();
        var (looked, last) = (0, "");
        var read = db.Get(
            """
            SELECT s.entity, j.shard_no, j.entity_seq, j.stored_at, (SELECT max(entity_seq) FROM journal WHERE entity=s.entity), s.older FROM
                (SELECT entity, min(entity_seq) AS older FROM snapshot WHERE entity>?1 GROUP BY entity HAVING count(*)>1 ORDER BY entity LIMIT ?2) s
                JOIN journal j ON j.entity=s.entity AND j.entity_seq=(SELECT min(entity_seq) FROM journal WHERE entity=s.entity)
            ORDER BY s.entity
            """).Bind(1, after).Bind(2, limit);
        while (read.Step())
        {
            (looked, last) = (looked + 1, read.GetText(0));
            if (read.GetLong(2) < read.GetLong(5) && limits.LetGo(read.GetLong(2), read.GetLong(3), read.GetLong(4), nowUnixMs)) old.Add((last, new ShardNo(read.GetLong(1))));
        }
        return StoreResult.Ok(new OldRows(old.DrainToImmutable(), looked == limit ? last : null));
    }

    public static StoreResult<int> Truncate(SqliteSession db, ShardNo shard, Epoch epoch, Incarnation owner, string entity, JournalLimits limits, long nowUnixMs)
    {
        if (!Owns(db, shard, epoch, owner)) return Fenced<int>(shard, epoch, owner);
        var older = db.Get("SELECT entity_seq, schema, payload, crc32c FROM snapshot WHERE entity=?1 ORDER BY entity_seq DESC LIMIT 1 OFFSET 1").Bind(1, entity);
        var verified = older.Step() ? Verified(older, entity) : null;
        older.Reset();
        if (verified is null) return StoreResult.Ok(0); // Without a sound older snapshot, a damaged newest one would leave nothing to rebuild from.
        var last = db.Get("SELECT max(entity_seq) FROM journal WHERE entity=?1").Bind(1, entity).Scalar() ?? 0;
        // Up to the first that stays, whatever the clock did: an entity's rows have no gap.
        return StoreResult.Ok(db.Get(
            """
            WITH s AS MATERIALIZED (SELECT row_id, entity_seq, stored_at<=?3 OR (entity_seq<=?4 AND stored_at<=?5) AS goes FROM journal
                WHERE entity=?1 AND entity_seq<?2 ORDER BY entity_seq LIMIT ?6)
            DELETE FROM journal WHERE row_id IN (SELECT row_id FROM s WHERE entity_seq<coalesce((SELECT min(entity_seq) FROM s WHERE NOT goes), ?2))
            """).Bind(1, entity).Bind(2, verified.EntitySeq).Bind(3, limits.OldUpToMs(nowUnixMs)).Bind(4, limits.SurplusUpTo(last)).Bind(5, limits.YoungAfterMs(nowUnixMs))
            .Bind(6, JournalLimits.SliceRows).Run());
    }

    public static StoreResult<ImmutableArray<ShardNo>> Confirm(
        SqliteSession db, Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards)
    {
        var owned = ImmutableArray.CreateBuilder<ShardNo>();
        foreach (var (shard, epoch) in shards)
            if (Owns(db, shard, epoch, owner)) owned.Add(shard);
        return StoreResult.Ok(owned.DrainToImmutable());
    }

    private static AppendOutcome Append(SqliteSession db, ShardBatch batch, long nowUnixMs)
    {
        db.Get("SAVEPOINT batch").Run();
        var outcome = AppendOutcome.Unexpected;
        try
        {
            var raised = db.Get("UPDATE shard SET next_seq=next_seq+?1, last_batch=?2 WHERE shard_no=?3 AND epoch=?4 AND owner_inc=?5 AND next_seq=?6")
                .Bind(1, batch.Rows.Length).Bind(2, batch.BatchId).Bind(3, batch.Shard.Value).Bind(4, batch.Epoch.Value)
                .Bind(5, batch.Owner.Value).Bind(6, batch.ExpectedSeq).Run();
            if (raised == 1)
            {
                for (var i = 0; i < batch.Rows.Length; i++)
                {
                    Insert(db, batch.Shard, batch.ExpectedSeq + i, batch.Epoch, batch.Owner, batch.BatchId, batch.Rows[i], nowUnixMs);
                    foreach (var change in batch.Rows[i].Timers) SqliteTimers.Change(db, batch.Shard, batch.Rows[i].Entity, change);
                }
                outcome = AppendOutcome.Committed;
            }
        }
        catch (SqliteFailure e) when (e.IsConstraint)
        {
            db.Get("ROLLBACK TO batch").Run();
            outcome = HasAnyRow(db, batch) || HasTwins(batch) ? AppendOutcome.Unexpected : AppendOutcome.RepeatedCommand;
        }
        db.Get("RELEASE batch").Run();
        return outcome;
    }

    /// <summary>One row, without what it does to timers.</summary>
    public static void Insert(SqliteSession db, ShardNo shard, long shardSeq, Epoch epoch, Incarnation owner, Guid batchId, JournalRow row, long nowUnixMs)
    {
        var insert = db.Get(
            """
            INSERT INTO journal(shard_no, shard_seq, entity, entity_seq, epoch, owner_inc, batch_id, client_id, client_seq, kind, payload, result, at, has_result, stored_at)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
            """).Bind(1, shard.Value).Bind(2, shardSeq).Bind(3, row.Entity).Bind(4, row.EntitySeq).Bind(5, epoch.Value)
            .Bind(6, owner.Value).Bind(7, batchId).Bind(9, row.Command?.Sequence).Bind(10, row.Kind)
            .Bind(11, row.Payload.Span).Bind(12, row.Result.GetValueOrDefault().Span).Bind(13, row.AtUnixMs).Bind(14, row.Result is null ? 0 : 1).Bind(15, nowUnixMs);
        if (row.Command is { } command)
            insert.BindBigEndian(8, command.Client.Value);
        else
            insert.Bind(8, (long?)null);
        insert.Run();
    }

    private static bool HasAnyRow(SqliteSession db, ShardBatch batch)
    {
        foreach (var row in batch.Rows)
            if (db.Get("SELECT 1 FROM journal WHERE entity=?1 AND entity_seq=?2").Bind(1, row.Entity).Bind(2, row.EntitySeq).Scalar() is not null) return true;
        return false;
    }

    private static bool HasTwins(ShardBatch batch) => batch.Rows.DistinctBy(r => (r.Entity, r.EntitySeq)).Count() != batch.Rows.Length;

    private static EntitySnapshot? Verified(SqliteStatement read, string entity)
    {
        var snapshot = new EntitySnapshot(entity, read.GetLong(0), read.GetText(1), read.GetBlob(2));
        return Crc32C.Of(snapshot) == (uint)read.GetLong(3) ? snapshot : null;
    }

    public static bool Owns(SqliteSession db, ShardNo shard, Epoch epoch, Incarnation owner) =>
        db.Get("SELECT 1 FROM shard WHERE shard_no=?1 AND epoch=?2 AND owner_inc=?3")
            .Bind(1, shard.Value).Bind(2, epoch.Value).Bind(3, owner.Value).Scalar() is not null;

    public static StoreResult<T> Fenced<T>(ShardNo shard, Epoch epoch, Incarnation owner) =>
        StoreResult.Not<T>(StoreVerdict.Fenced, $"Shard {shard} is not owned by {owner} at epoch {epoch}.");
}
