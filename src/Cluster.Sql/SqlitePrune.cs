using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sql;

/// <summary>The statements of <see cref="IControlStore.PruneAsync"/> and <see cref="IControlStore.PruneEndedAsync"/>, run inside a transaction that the caller opened.</summary>
internal static class SqlitePrune
{
    public static StoreResult<PrunedRows> Prune(SqliteSession db, TimeSpan logs, TimeSpan downMembers, int limit, LoggedEpoch? after, long nowUnixMs)
    {
        var current = db.Get("SELECT view FROM cluster WHERE id=1").Scalar() ?? 0;
        var firstYoung = db.Get("SELECT view FROM view_log WHERE at>?1 ORDER BY view LIMIT 1").Bind(1, nowUnixMs - (long)logs.TotalMilliseconds).Scalar() ?? current + 1;
        var members = Members(db, nowUnixMs - (long)downMembers.TotalMilliseconds, limit);
        var views = db.Get("DELETE FROM view_log WHERE view IN (SELECT view FROM view_log WHERE view<?1 ORDER BY view LIMIT ?2)")
            .Bind(1, Math.Min(firstYoung, current - PruneRules.ViewsKept + 1)).Bind(2, limit).Run();
        var (empty, next) = PruneRules.Judge(EpochsAfter(db, after, limit + 1), limit, firstYoung);
        foreach (var (shard, epoch) in empty) db.Get("DELETE FROM shard_log WHERE shard_no=?1 AND epoch=?2").Bind(1, shard.Value).Bind(2, epoch.Value).Run();
        return StoreResult.Ok(new PrunedRows(members, views, empty.Count, next));
    }

    private static List<(LoggedEpoch Place, long View, long? FirstSeq)> EpochsAfter(SqliteSession db, LoggedEpoch? after, int limit)
    {
        var page = new List<(LoggedEpoch, long, long?)>();
        var read = db.Get("SELECT shard_no, epoch, view, first_seq FROM shard_log WHERE (shard_no, epoch)>(?1, ?2) ORDER BY shard_no, epoch LIMIT ?3")
            .Bind(1, after?.Shard.Value ?? 0).Bind(2, after?.Epoch.Value ?? 0).Bind(3, limit);
        while (read.Step()) page.Add((new LoggedEpoch(new ShardNo(read.GetLong(0)), new Epoch(read.GetLong(1))), read.GetLong(2), read.GetNullableLong(3)));
        return page;
    }

    /// <summary>A row comes to name a down member as its previous owner only where it names it as its owner, so what is named by neither stays so.</summary>
    private static int Members(SqliteSession db, long downBefore, int limit)
    {
        var (count, highest) = (0, 0L);
        var gone = db.Get(
            """
            DELETE FROM member WHERE inc IN (SELECT inc FROM member m WHERE status='down' AND down_at<=?1
                AND NOT EXISTS (SELECT 1 FROM shard WHERE owner_inc=m.inc) AND NOT EXISTS (SELECT 1 FROM shard WHERE prev_inc=m.inc)
                ORDER BY inc LIMIT ?2) RETURNING inc
            """).Bind(1, downBefore).Bind(2, limit);
        while (gone.Step()) (count, highest) = (count + 1, Math.Max(highest, gone.GetLong(0)));
        if (count > 0) db.Get("UPDATE cluster SET forgotten_inc=max(forgotten_inc, ?1) WHERE id=1").Bind(1, highest).Run();
        return count;
    }

    /// <summary>Their rows go with the last of what they name, so that an entity that is half gone is still found as ended.</summary>
    public static StoreResult<int> Ended(SqliteSession db, TimeSpan age, long nowUnixMs)
    {
        var old = new List<(long No, string Entity)>();
        var read = db.Get("SELECT shard_no, type || '/' || key FROM shard WHERE ended_at<?1 AND state='ended' ORDER BY ended_at, shard_no LIMIT ?2")
            .Bind(1, nowUnixMs - (long)age.TotalMilliseconds).Bind(2, PruneRules.EndedShards);
        while (read.Step()) old.Add((read.GetLong(0), read.GetText(1)));
        var gone = 0;
        foreach (var (no, entity) in old.TakeWhile(_ => gone < PruneRules.EndedRows))
        {
            gone += db.Get("DELETE FROM journal WHERE row_id IN (SELECT row_id FROM journal WHERE entity=?1 ORDER BY entity_seq LIMIT ?2)")
                .Bind(1, entity).Bind(2, PruneRules.EndedRows - gone).Run();
            if (gone >= PruneRules.EndedRows) break; // There may be more of it.
            gone += db.Get("DELETE FROM snapshot WHERE entity=?1").Bind(1, entity).Run();
            foreach (var table in new[] { "timer", "shard_log", "shard" }) gone += db.Get($"DELETE FROM {table} WHERE shard_no=?1").Bind(1, no).Run();
        }
        return StoreResult.Ok(gone);
    }
}
