using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sql;

/// <summary>The statements on timers, run inside a transaction that the caller opened.</summary>
internal static class SqliteTimers
{
    /// <summary>In the savepoint of the row's batch.</summary>
    public static void Change(SqliteSession db, ShardNo shard, string entity, TimerChange change)
    {
        if (change.Timer is { } timer)
            db.Get("INSERT OR REPLACE INTO timer(shard_no, entity, key, no, due_at, message, payload) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")
                .Bind(1, shard.Value).Bind(2, entity).Bind(3, change.Key).Bind(4, timer.No).Bind(5, timer.DueUnixMs).Bind(6, timer.Message).Bind(7, timer.Payload.Span).Run();
        else
            db.Get("DELETE FROM timer WHERE shard_no=?1 AND entity=?2 AND key=?3").Bind(1, shard.Value).Bind(2, entity).Bind(3, change.Key).Run();
    }

    public static StoreResult<TimerPage> Read(SqliteSession db, Incarnation owner, long dueBeforeUnixMs, TimerRow? after, int limit, long nowUnixMs) => Page(db.Get(
        """
        SELECT t.shard_no, t.entity, t.key, t.no, t.due_at, t.message, t.payload FROM timer t CROSS JOIN shard s ON s.shard_no=t.shard_no
        WHERE t.due_at<?2 AND (t.due_at, t.shard_no, t.entity, t.key)>(?3, ?4, ?5, ?6) AND s.owner_inc=?1
        ORDER BY t.due_at, t.shard_no, t.entity, t.key LIMIT ?7
        """).Bind(1, owner.Value).Bind(2, dueBeforeUnixMs).Bind(3, after?.Timer.DueUnixMs ?? long.MinValue).Bind(4, after?.Shard.Value ?? 0)
        .Bind(5, after?.Entity ?? "").Bind(6, after?.Timer.Key ?? "").Bind(7, limit), nowUnixMs);

    public static StoreResult<TimerPage> Read(SqliteSession db, ShardNo shard, string entity, long nowUnixMs) => Page(db.Get(
        "SELECT shard_no, entity, key, no, due_at, message, payload FROM timer WHERE shard_no=?1 AND entity=?2 ORDER BY key").Bind(1, shard.Value).Bind(2, entity), nowUnixMs);

    public static StoreResult<bool> Remove(SqliteSession db, ShardNo shard, Epoch epoch, Incarnation owner, string entity, long no) =>
        SqliteJournal.Owns(db, shard, epoch, owner)
            ? StoreResult.Ok(db.Get("DELETE FROM timer WHERE shard_no=?1 AND entity=?2 AND no=?3").Bind(1, shard.Value).Bind(2, entity).Bind(3, no).Run() > 0)
            : SqliteJournal.Fenced<bool>(shard, epoch, owner);

    private static StoreResult<TimerPage> Page(SqliteStatement read, long nowUnixMs)
    {
        var timers = ImmutableArray.CreateBuilder<TimerRow>();
        while (read.Step())
            timers.Add(new TimerRow(new ShardNo(read.GetLong(0)), read.GetText(1), new DurableTimer(read.GetText(2), read.GetLong(3), read.GetLong(4), read.GetText(5), read.GetBlob(6))));
        return StoreResult.Ok(new TimerPage(nowUnixMs, timers.DrainToImmutable()));
    }
}
