using ActorCluster.Persistence;
using ActorCluster.Primitives;
using Npgsql;

namespace ActorCluster.Sql;

/// <summary>The statements on timers.</summary>
internal static class PostgresTimers
{
    /// <summary>Goes on from the shards that an append has raised (<c>f</c>), with the values that <see cref="ChangesOf"/> gives behind the append's sixteen.</summary>
    public const string ChangeThose =
        """
        ,
            c AS (
                SELECT * FROM unnest($17, $18, $19, $20, $21, $22, $23) c(shard_no, entity, key, no, due_at, message, payload) WHERE shard_no IN (SELECT shard_no FROM f)),
            timers_set AS (
                INSERT INTO timer(shard_no, entity, key, no, due_at, message, payload) SELECT * FROM c WHERE no IS NOT NULL
                ON CONFLICT (shard_no, entity, key) DO UPDATE SET no=excluded.no, due_at=excluded.due_at, message=excluded.message, payload=excluded.payload),
            timers_gone AS (
                DELETE FROM timer t USING c WHERE c.no IS NULL AND t.shard_no=c.shard_no AND t.entity=c.entity AND t.key=c.key)
        """;

    /// <summary>What becomes of each timer that the batches name, as arrays; empty when they name none. One statement changes a row once, so the last change of each stands.</summary>
    public static object?[] ChangesOf(IReadOnlyList<ShardBatch> batches)
    {
        Dictionary<(long Shard, string Entity, string Key), DurableTimer?>? last = null;
        foreach (var batch in batches)
            foreach (var row in batch.Rows)
                foreach (var change in row.Timers)
                    (last ??= [])[(batch.Shard.Value, row.Entity, change.Key)] = change.Timer;
        if (last is null) return [];
        var changes = last.ToArray();
        return
        [
            changes.Select(c => c.Key.Shard).ToArray(), changes.Select(c => c.Key.Entity).ToArray(), changes.Select(c => c.Key.Key).ToArray(), changes.Select(c => c.Value?.No).ToArray(),
            changes.Select(c => c.Value?.DueUnixMs).ToArray(), changes.Select(c => c.Value?.Message).ToArray(), changes.Select(c => c.Value?.Payload.ToArray()).ToArray(),
        ];
    }

    /// <summary>One change, in a statement of its own.</summary>
    public static void Change(PostgresSession db, ShardNo shard, string entity, TimerChange change)
    {
        if (change.Timer is { } timer)
            db.Run(
                """
                INSERT INTO timer(shard_no, entity, key, no, due_at, message, payload) VALUES($1, $2, $3, $4, $5, $6, $7)
                ON CONFLICT (shard_no, entity, key) DO UPDATE SET no=excluded.no, due_at=excluded.due_at, message=excluded.message, payload=excluded.payload
                """, shard.Value, entity, change.Key, timer.No, timer.DueUnixMs, timer.Message, timer.Payload.ToArray());
        else
            db.Run("DELETE FROM timer WHERE shard_no=$1 AND entity=$2 AND key=$3", shard.Value, entity, change.Key);
    }

    public static StoreResult<TimerPage> Read(PostgresSession db, Incarnation owner, long dueBeforeUnixMs, TimerRow? after, int limit) => Page(db.Read(
        Row,
        $"""
        SELECT n.now, t.shard_no, t.entity, t.key, t.no, t.due_at, t.message, t.payload FROM (SELECT {PostgresControl.NowMs} AS now) n LEFT JOIN LATERAL (
            SELECT t.* FROM timer t JOIN shard s ON s.shard_no=t.shard_no
            WHERE t.due_at<$2 AND (t.due_at, t.shard_no, t.entity, t.key)>($3, $4, $5, $6) AND s.owner_inc=$1
            ORDER BY t.due_at, t.shard_no, t.entity, t.key LIMIT $7) t ON true
        ORDER BY t.due_at, t.shard_no, t.entity, t.key
        """,
        owner.Value, dueBeforeUnixMs, after?.Timer.DueUnixMs ?? long.MinValue, after?.Shard.Value ?? 0, after?.Entity ?? "", after?.Timer.Key ?? "", limit));

    public static StoreResult<TimerPage> Read(PostgresSession db, ShardNo shard, string entity) => Page(db.Read(
        Row,
        $"""
        SELECT n.now, t.shard_no, t.entity, t.key, t.no, t.due_at, t.message, t.payload FROM (SELECT {PostgresControl.NowMs} AS now) n
        LEFT JOIN timer t ON t.shard_no=$1 AND t.entity=$2 ORDER BY t.key
        """,
        shard.Value, entity));

    public static StoreResult<bool> Remove(PostgresSession db, ShardNo shard, Epoch epoch, Incarnation owner, string entity, long no) =>
        PostgresJournal.Owns(db, shard, epoch, owner)
            ? StoreResult.Ok(db.Run("DELETE FROM timer WHERE shard_no=$1 AND entity=$2 AND no=$3", shard.Value, entity, no) > 0)
            : PostgresJournal.Fenced<bool>(shard, epoch, owner);

    private static (long Now, TimerRow? Timer) Row(NpgsqlDataReader read) => (read.GetInt64(0), read.IsDBNull(1) ? null : new TimerRow(
        new ShardNo(read.GetInt64(1)), read.GetString(2), new DurableTimer(read.GetString(3), read.GetInt64(4), read.GetInt64(5), read.GetString(6), read.GetFieldValue<byte[]>(7))));

    /// <summary>The server's clock comes also where there is no timer.</summary>
    private static StoreResult<TimerPage> Page(List<(long Now, TimerRow? Timer)> rows) =>
        StoreResult.Ok(new TimerPage(rows[0].Now, [.. rows.Select(r => r.Timer).OfType<TimerRow>()]));
}
