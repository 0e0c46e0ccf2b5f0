using System.Buffers.Binary;
using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sql;

/// <summary>The statements that give lost rows back (<see cref="IStoreRecovery.ReappendAsync"/>), run inside a transaction that the caller opened.</summary>
internal sealed class PostgresReappend : IReappendTarget
{
    private readonly PostgresSession _db;
    private readonly long _view;
    private readonly bool _isTrial;

    private PostgresReappend(PostgresSession db, long view, bool isTrial)
    {
        (_db, _view, _isTrial) = (db, view, isTrial);
        NextIncarnation = db.Scalar<long>("SELECT next_inc FROM cluster WHERE id=1") ?? 0;
    }

    public static StoreResult<ImmutableArray<Reappended>> Run(PostgresSession db, long generation, IReadOnlyList<LostRow> rows, ReappendTrial? trial)
    {
        if (trial is null) db.Run("SELECT 1 FROM cluster WHERE id=1 FOR UPDATE"); // Nobody joins until the commit.
        var cluster = PostgresControl.ReadClusterRow(db);
        var live = db.Read(r => r.GetString(0), "SELECT name FROM member WHERE status<>'down' LIMIT 1").FirstOrDefault();
        if (RecoveryRules.Refusal(cluster.StoreGeneration, generation, live) is { } refusal) return StoreResult.Not<ImmutableArray<Reappended>>(StoreVerdict.Conflict, refusal);
        var target = new PostgresReappend(db, cluster.View, trial is not null);
        return ReappendRules.Run(trial?.Over(target) ?? target, rows, RecoveryRules.RaiseSince(cluster.StoreGeneration, generation));
    }

    public long NextIncarnation { get; }

    public int? ShardCount(string type) => (int?)_db.Scalar<long>("SELECT shard_count FROM shard_type WHERE type=$1", type);

    public ShardRow? FindShard(string type, string key) => _db.Read(
        PostgresControl.ReadShard, $"SELECT {PostgresControl.ShardColumns} FROM shard WHERE type=$1 AND key=$2{(_isTrial ? "" : " FOR UPDATE")}", type, key).FirstOrDefault();

    public ShardRow MakeShard(string type, string key, Epoch epoch)
    {
        _db.Run("INSERT INTO shard(shard_no, type, key, epoch, state, next_seq) SELECT next_shard, $1, $2, $3, 'free', 1 FROM cluster WHERE id=1", type, key, epoch.Value);
        _db.Run("UPDATE cluster SET next_shard=next_shard+1 WHERE id=1");
        return FindShard(type, key)!;
    }

    public (Epoch Epoch, Incarnation Owner)? LastWriter(ShardRow shard) => _db.Read<(Epoch, Incarnation)?>(
        r => (new Epoch(r.GetInt64(0)), new Incarnation(r.GetInt64(1))),
        "SELECT epoch, owner_inc FROM shard_log WHERE shard_no=$1 AND (first_seq IS NULL OR first_seq<$2) ORDER BY epoch DESC LIMIT 1", shard.No.Value, shard.NextSeq).FirstOrDefault();

    public Incarnation? OwnerOf(ShardNo shard, Epoch epoch) =>
        _db.Scalar<long>("SELECT owner_inc FROM shard_log WHERE shard_no=$1 AND epoch=$2", shard.Value, epoch.Value) is { } owner ? new Incarnation(owner) : null;

    public long Head(string entity) => _db.Scalar<long>("SELECT max(entity_seq) FROM journal WHERE entity=$1", entity) ?? 0;

    public long First(string entity) => _db.Scalar<long>("SELECT min(entity_seq) FROM journal WHERE entity=$1", entity) ?? 0;

    public IReadOnlyDictionary<long, JournalRow> Stored(string entity, IReadOnlyCollection<long> seqs) => seqs.Count == 0 ? ImmutableDictionary<long, JournalRow>.Empty : _db.Read(
        r => PostgresJournal.ReadRow(r, entity),
        "SELECT entity_seq, client_id, client_seq, kind, payload, result, at FROM journal WHERE entity=$1 AND entity_seq=ANY($2)", entity, seqs.ToArray()).ToDictionary(r => r.EntitySeq);

    public IReadOnlySet<CommandId> Commands(string entity, long after, IReadOnlyCollection<CommandId> commands) => commands.Count == 0 ? ImmutableHashSet<CommandId>.Empty : _db.Read(
        r => new CommandId(new ClientId(BinaryPrimitives.ReadUInt128BigEndian(r.GetFieldValue<byte[]>(0))), r.GetInt64(1)),
        """
        SELECT client_id, client_seq FROM journal WHERE entity=$1 AND entity_seq>$2 AND (client_id, client_seq) IN (SELECT * FROM unnest($3, $4))
        """, entity, after, commands.Select(c => PostgresJournal.Bytes(c)).ToArray(), commands.Select(c => c.Sequence).ToArray()).ToHashSet();

    public void Append(ShardRow shard, IReadOnlyList<LostRow> rows)
    {
        for (var i = 0; i < rows.Count; i++)
        {
            if (i > 0 && rows[i].Epoch == rows[i - 1].Epoch) continue;
            // Of the view before which a later epoch was acquired, so that the log's views do not fall.
            _db.Run(
                """
                INSERT INTO shard_log(shard_no, epoch, owner_inc, view, first_seq)
                VALUES($1, $2, $3, coalesce((SELECT min(view) FROM shard_log WHERE shard_no=$1 AND epoch>$2), $4), $5) ON CONFLICT (shard_no, epoch) DO NOTHING
                """, shard.No.Value, rows[i].Epoch.Value, rows[i].Owner.Value, _view, shard.NextSeq + i);
        }
        _db.Run(
            $"""
            INSERT INTO journal(shard_no, shard_seq, entity, entity_seq, epoch, owner_inc, batch_id, client_id, client_seq, kind, payload, result, at, stored_at)
            SELECT $1, $2+r.i-1, r.entity, r.entity_seq, r.epoch, r.owner_inc, r.batch_id, r.client_id, r.client_seq, r.kind, r.payload, r.result, r.at, {PostgresControl.NowMs}
            FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) WITH ORDINALITY r(entity, entity_seq, epoch, owner_inc, batch_id, client_id, client_seq, kind, payload, result, at, i)
            """,
            shard.No.Value, shard.NextSeq, rows.Select(r => r.Row.Entity).ToArray(), rows.Select(r => r.Row.EntitySeq).ToArray(), rows.Select(r => r.Epoch.Value).ToArray(),
            rows.Select(r => r.Owner.Value).ToArray(), rows.Select(r => r.BatchId).ToArray(), rows.Select(r => PostgresJournal.Bytes(r.Row.Command)).ToArray(),
            rows.Select(r => r.Row.Command?.Sequence).ToArray(), rows.Select(r => r.Row.Kind).ToArray(), rows.Select(r => (byte[]?)r.Row.Payload.ToArray()).ToArray(),
            rows.Select(r => r.Row.Result?.ToArray()).ToArray(), rows.Select(r => r.Row.AtUnixMs).ToArray());
        foreach (var row in rows)
            foreach (var change in row.Row.Timers) PostgresTimers.Change(_db, shard.No, row.Row.Entity, change);
        var next = shard.NextSeq + rows.Count;
        // Nothing was written under later epochs: they begin behind these rows.
        _db.Run("UPDATE shard_log SET first_seq=$3 WHERE shard_no=$1 AND epoch>$2 AND first_seq IS NOT NULL", shard.No.Value, rows[^1].Epoch.Value, next);
        _db.Run("UPDATE shard SET next_seq=$2, last_batch=$3 WHERE shard_no=$1", shard.No.Value, next, rows[^1].BatchId);
    }
}
