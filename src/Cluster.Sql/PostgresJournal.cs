using System.Buffers.Binary;
using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using Npgsql;

namespace ActorCluster.Sql;

/// <summary>The statements of <see cref="IJournalStore"/>.</summary>
internal static class PostgresJournal
{
    /// <summary>All batches in one statement, which is its own commit; batches that meet a row that exists are then told apart in a transaction.</summary>
    public static StoreResult<AppendOutcome[]> Append(PostgresSession db, IReadOnlyList<ShardBatch> batches)
    {
        if (batches.DistinctBy(b => b.Shard).Count() == batches.Count)
        {
            try
            {
                var committed = AppendTogether(db, batches);
                return StoreResult.Ok(batches.Select(b => committed.Contains(b.Shard.Value) ? AppendOutcome.Committed : AppendOutcome.Unexpected).ToArray());
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
            {
                // Undone as a whole: now each by itself.
            }
        }
        return db.InTransaction(transaction =>
        {
            // Locked in the order in which all lock, then written in the order given.
            transaction.Run("SELECT 1 FROM shard WHERE shard_no=ANY($1) ORDER BY shard_no FOR UPDATE", batches.Select(b => b.Shard.Value).ToArray());
            var outcomes = new AppendOutcome[batches.Count];
            for (var i = 0; i < outcomes.Length; i++) outcomes[i] = AppendAlone(transaction, batches[i]);
            return StoreResult.Ok(outcomes);
        });
    }

    public static StoreResult<BatchResolution> Resolve(PostgresSession db, ShardBatch batch)
    {
        // Locked: behind any copy of the batch that is still under way.
        var rows = db.Read(
            r => (Epoch: r.GetInt64(0), Owner: r.IsDBNull(1) ? (long?)null : r.GetInt64(1), Next: r.GetInt64(2), Last: r.IsDBNull(3) ? Guid.Empty : r.GetGuid(3)),
            "SELECT epoch, owner_inc, next_seq, last_batch FROM shard WHERE shard_no=$1 FOR UPDATE", batch.Shard.Value);
        if (rows is not [var row]) return StoreResult.Ok(BatchResolution.Regressed);
        if (row.Epoch < batch.Epoch.Value) return StoreResult.Ok(BatchResolution.Regressed); // The caller was told of an epoch that the store forgot.
        if (row.Epoch != batch.Epoch.Value || row.Owner != batch.Owner.Value) return StoreResult.Ok(BatchResolution.Fenced);
        if (row.Next < batch.ExpectedSeq) return StoreResult.Ok(BatchResolution.Regressed);
        if (row.Next == batch.ExpectedSeq)
            return StoreResult.Ok(HasAnyRow(db, batch) ? BatchResolution.Broken : BatchResolution.NotCommitted);
        var mine = row.Next == batch.ExpectedSeq + batch.Rows.Length && row.Last == batch.BatchId;
        return StoreResult.Ok(mine ? BatchResolution.Committed : BatchResolution.Broken);
    }

    public static StoreResult<EntitySnapshot?> ReadSnapshot(PostgresSession db, string entity)
    {
        var kept = db.Read(
            r => Verified(r, entity), "SELECT entity_seq, schema, payload, crc32c FROM snapshot WHERE entity=$1 ORDER BY entity_seq DESC", entity);
        return StoreResult.Ok(kept.FirstOrDefault(s => s is not null));
    }

    public static StoreResult<ImmutableArray<JournalRow>> ReadJournal(PostgresSession db, string entity, long fromSeq, int limit)
    {
        var rows = db.Read(
            r => ReadRow(r, entity),
            """
            SELECT entity_seq, client_id, client_seq, kind, payload, result, at FROM journal
            WHERE entity=$1 AND entity_seq>=$2 ORDER BY entity_seq LIMIT $3
            """, entity, fromSeq, limit);
        return StoreResult.Ok(rows.ToImmutableArray());
    }

    /// <summary>Two statements for all of them.</summary>
    public static StoreResult<ImmutableArray<EntityRecord>> Load(PostgresSession db, IReadOnlyList<string> entities, int limit)
    {
        var snapshots = new Dictionary<string, EntitySnapshot>(StringComparer.Ordinal);
        db.Read(
            r => r.GetString(4) is var entity && Verified(r, entity) is { } sound && snapshots.TryAdd(entity, sound),
            "SELECT entity_seq, schema, payload, crc32c, entity FROM snapshot WHERE entity=ANY($1) ORDER BY entity, entity_seq DESC", (object)entities.ToArray());
        var rows = db.Read(
            r => (Place: (int)r.GetInt64(7) - 1, Row: ReadRow(r, entities[(int)r.GetInt64(7) - 1])),
            """
            SELECT j.entity_seq, j.client_id, j.client_seq, j.kind, j.payload, j.result, j.at, e.place
            FROM unnest($1, $2) WITH ORDINALITY e(entity, after, place) CROSS JOIN LATERAL
                (SELECT * FROM journal WHERE entity=e.entity AND entity_seq>e.after ORDER BY entity_seq LIMIT $3) j
            ORDER BY e.place, j.entity_seq
            """, entities.ToArray(), entities.Select(e => snapshots.TryGetValue(e, out var s) ? s.EntitySeq : 0).ToArray(), limit);
        var of = rows.ToLookup(r => r.Place, r => r.Row);
        return StoreResult.Ok(entities.Select((e, place) => new EntityRecord(snapshots.GetValueOrDefault(e), [.. of[place]])).ToImmutableArray());
    }

    public static StoreResult<bool> SaveSnapshot(PostgresSession db, ShardNo shard, Epoch epoch, Incarnation owner, EntitySnapshot snapshot)
    {
        if (!Owns(db, shard, epoch, owner)) return Fenced<bool>(shard, epoch, owner);
        db.Run(
            """
            INSERT INTO snapshot(entity, entity_seq, epoch, schema, payload, crc32c) VALUES($1, $2, $3, $4, $5, $6)
            ON CONFLICT (entity, entity_seq) DO UPDATE SET epoch=excluded.epoch, schema=excluded.schema, payload=excluded.payload, crc32c=excluded.crc32c
            """, snapshot.Entity, snapshot.EntitySeq, epoch.Value, snapshot.Schema, snapshot.Payload.ToArray(), (long)Crc32C.Of(snapshot));
        db.Run(
            """
            DELETE FROM snapshot WHERE entity=$1 AND entity_seq NOT IN
                (SELECT entity_seq FROM snapshot WHERE entity=$1 ORDER BY entity_seq DESC LIMIT 2)
            """, snapshot.Entity);
        var kept = db.Scalar<bool>("SELECT true FROM snapshot WHERE entity=$1 AND entity_seq=$2", snapshot.Entity, snapshot.EntitySeq);
        return StoreResult.Ok(kept is not null);
    }

    public static StoreResult<OldRows> FindOldRows(PostgresSession db, JournalLimits limits, string after, int limit)
    {
        var now = db.Scalar<long>($"SELECT {PostgresControl.NowMs}") ?? 0;
        var page = db.Read(
            r => (Entity: r.GetString(0), Shard: new ShardNo(r.GetInt64(1)), Old: r.GetInt64(2) < r.GetInt64(5) && limits.LetGo(r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), now)),
            """
            SELECT s.entity, j.shard_no, j.entity_seq, j.stored_at, (SELECT max(entity_seq) FROM journal WHERE entity=s.entity), s.older FROM
                (SELECT entity, min(entity_seq) AS older FROM snapshot WHERE entity>$1 GROUP BY entity HAVING count(*)>1 ORDER BY entity LIMIT $2) s
                JOIN journal j ON j.entity=s.entity AND j.entity_seq=(SELECT min(entity_seq) FROM journal WHERE entity=s.entity)
            ORDER BY s.entity
            """, after, limit);
        return StoreResult.Ok(new OldRows([.. page.Where(p => p.Old).Select(p => (p.Entity, p.Shard))], page.Count == limit ? page[^1].Entity : null));
    }

    public static StoreResult<int> Truncate(PostgresSession db, ShardNo shard, Epoch epoch, Incarnation owner, string entity, JournalLimits limits)
    {
        if (!Owns(db, shard, epoch, owner)) return Fenced<int>(shard, epoch, owner);
        var older = db.Read(
            r => Verified(r, entity),
            "SELECT entity_seq, schema, payload, crc32c FROM snapshot WHERE entity=$1 ORDER BY entity_seq DESC LIMIT 1 OFFSET 1", entity);
        if (older is not [{ } verified]) return StoreResult.Ok(0); // Without a sound older snapshot, a damaged newest one would leave nothing to rebuild from.
        var now = db.Scalar<long>($"SELECT {PostgresControl.NowMs}") ?? 0;
        var last = db.Scalar<long>("SELECT max(entity_seq) FROM journal WHERE entity=$1", entity) ?? 0;
        // Up to the first that stays, whatever the clock did: an entity's rows have no gap.
        return StoreResult.Ok(db.Run(
            """
            WITH s AS MATERIALIZED (SELECT entity_seq, stored_at<=$3 OR (entity_seq<=$4 AND stored_at<=$5) AS goes FROM journal
                WHERE entity=$1 AND entity_seq<$2 ORDER BY entity_seq LIMIT $6)
            DELETE FROM journal WHERE entity=$1 AND entity_seq IN
                (SELECT entity_seq FROM s WHERE entity_seq<coalesce((SELECT min(entity_seq) FROM s WHERE NOT goes), $2))
            """, entity, verified.EntitySeq, limits.OldUpToMs(now), limits.SurplusUpTo(last), limits.YoungAfterMs(now), JournalLimits.SliceRows));
    }

    public static StoreResult<ImmutableArray<ShardNo>> Confirm(
        PostgresSession db, Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards)
    {
        var owned = db.Read(
            r => (new ShardNo(r.GetInt64(0)), new Epoch(r.GetInt64(1))),
            "SELECT shard_no, epoch FROM shard WHERE owner_inc=$1 AND shard_no=ANY($2)", owner.Value, shards.Select(s => s.Shard.Value).ToArray());
        var found = owned.ToHashSet();
        return StoreResult.Ok(shards.Where(found.Contains).Select(s => s.Shard).ToImmutableArray());
    }

    private static AppendOutcome AppendAlone(PostgresSession db, ShardBatch batch)
    {
        db.Run("SAVEPOINT batch");
        AppendOutcome outcome;
        try
        {
            var committed = AppendTogether(db, [batch]);
            outcome = committed.Count == 1 ? AppendOutcome.Committed : AppendOutcome.Unexpected;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            db.Run("ROLLBACK TO SAVEPOINT batch");
            var isUnexpected = HasAnyRow(db, batch) || HasTwins(batch);
            outcome = isUnexpected ? AppendOutcome.Unexpected : AppendOutcome.RepeatedCommand;
        }
        db.Run("RELEASE SAVEPOINT batch");
        return outcome;
    }

    /// <summary>
    /// Locks the shard rows in their order, raises those that are as expected and writes the rows of exactly these: a row that waited for
    /// its lock is compared as it is then. Returns the shards raised.
    /// </summary>
    /// <remarks>What a batch's rows have in common is found by subscript: the planner, which does not know how long arrays are, would join by nested loops. The clock is read once for all rows, when
    /// the locks are had, and whose shard was not raised is looked at only where one was not.</remarks>
    private static List<long> AppendTogether(PostgresSession db, IReadOnlyList<ShardBatch> batches)
    {
        var (shards, epochs, owners, expected, counts, ids) =
            (new long[batches.Count], new long[batches.Count], new long[batches.Count], new long[batches.Count], new long[batches.Count], new Guid[batches.Count]);
        for (var i = 0; i < batches.Count; i++)
        {
            var batch = batches[i];
            (shards[i], epochs[i], owners[i], expected[i], counts[i], ids[i]) =
                (batch.Shard.Value, batch.Epoch.Value, batch.Owner.Value, batch.ExpectedSeq, batch.Rows.Length, batch.BatchId);
        }
        var total = (int)counts.Sum();
        var (places, seqs, entities, entitySeqs, clients, clientSeqs) = (new int[total], new long[total], new string[total], new long[total], new byte[]?[total], new long?[total]);
        var (kinds, payloads, results, times) = (new string[total], new byte[]?[total], new byte[]?[total], new long[total]);
        var n = 0;
        for (var i = 0; i < batches.Count; i++)
        {
            var first = n;
            foreach (var row in batches[i].Rows)
            {
                (places[n], seqs[n], entities[n], entitySeqs[n]) = (i + 1, batches[i].ExpectedSeq + n - first, row.Entity, row.EntitySeq);
                (clients[n], clientSeqs[n], kinds[n], times[n]) = (Bytes(row.Command), row.Command?.Sequence, row.Kind, row.AtUnixMs);
                (payloads[n], results[n]) = (row.Payload.ToArray(), row.Result?.ToArray());
                n++;
            }
        }
        var timers = PostgresTimers.ChangesOf(batches);
        return db.Read(
            r => r.GetInt64(0),
            $"""
            WITH b AS (SELECT * FROM unnest($1, $2, $3, $4, $5, $6) b(shard_no, epoch, owner_inc, expected, rows, batch_id)),
            l AS MATERIALIZED (SELECT shard_no FROM shard WHERE shard_no=ANY($1) ORDER BY shard_no FOR UPDATE),
            f AS (
                UPDATE shard s SET next_seq=s.next_seq+b.rows, last_batch=b.batch_id FROM b JOIN l ON l.shard_no=b.shard_no
                WHERE s.shard_no=b.shard_no AND s.epoch=b.epoch AND s.owner_inc=b.owner_inc AND s.next_seq=b.expected
                RETURNING s.shard_no),
            j AS (
                INSERT INTO journal(shard_no, shard_seq, entity, entity_seq, epoch, owner_inc, batch_id, client_id, client_seq, kind, payload, result, at, stored_at)
                SELECT ($1)[r.i], r.shard_seq, r.entity, r.entity_seq, ($2)[r.i], ($3)[r.i], ($6)[r.i], r.client_id, r.client_seq, r.kind, r.payload, r.result, r.at, (SELECT {PostgresControl.NowMs})
                FROM unnest($7, $8, $9, $10, $11, $12, $13, $14, $15, $16) r(i, shard_seq, entity, entity_seq, client_id, client_seq, kind, payload, result, at)
                WHERE (SELECT count(*) FROM f)=cardinality($1) OR ($1)[r.i]=ANY(ARRAY(SELECT shard_no FROM f))){(timers.Length == 0 ? "" : PostgresTimers.ChangeThose)}
            SELECT shard_no FROM f
            """,
            [shards, epochs, owners, expected, counts, ids, places, seqs, entities, entitySeqs, clients, clientSeqs, kinds, payloads, results, times, .. timers]);
    }

    public static byte[]? Bytes(CommandId? command)
    {
        if (command is not { } known) return null;
        var bytes = new byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, known.Client.Value);
        return bytes;
    }

    private static bool HasAnyRow(PostgresSession db, ShardBatch batch) => db.Scalar<bool>(
        "SELECT true FROM journal j JOIN unnest($1, $2) r(entity, entity_seq) ON j.entity=r.entity AND j.entity_seq=r.entity_seq LIMIT 1",
        batch.Rows.Select(r => r.Entity).ToArray(), batch.Rows.Select(r => r.EntitySeq).ToArray()) is not null;

    private static bool HasTwins(ShardBatch batch) => batch.Rows.DistinctBy(r => (r.Entity, r.EntitySeq)).Count() != batch.Rows.Length;

    public static JournalRow ReadRow(NpgsqlDataReader read, string entity) => new(
        entity, read.GetInt64(0), read.IsDBNull(1) ? null : new CommandId(new ClientId(BinaryPrimitives.ReadUInt128BigEndian(read.GetFieldValue<byte[]>(1))), read.GetInt64(2)),
        read.GetString(3), read.GetFieldValue<byte[]>(4), read.IsDBNull(5) ? null : (ReadOnlyMemory<byte>?)read.GetFieldValue<byte[]>(5), read.GetInt64(6));

    private static EntitySnapshot? Verified(NpgsqlDataReader read, string entity)
    {
        var snapshot = new EntitySnapshot(entity, read.GetInt64(0), read.GetString(1), read.GetFieldValue<byte[]>(2));
        return Crc32C.Of(snapshot) == (uint)read.GetInt64(3) ? snapshot : null;
    }

    /// <summary>Holds the row until the commit, so that no other owner writes in between.</summary>
    public static bool Owns(PostgresSession db, ShardNo shard, Epoch epoch, Incarnation owner) => db.Scalar<bool>(
        "SELECT true FROM shard WHERE shard_no=$1 AND epoch=$2 AND owner_inc=$3 FOR SHARE", shard.Value, epoch.Value, owner.Value) is not null;

    public static StoreResult<T> Fenced<T>(ShardNo shard, Epoch epoch, Incarnation owner) =>
        StoreResult.Not<T>(StoreVerdict.Fenced, $"Shard {shard} is not owned by {owner} at epoch {epoch}.");
}
