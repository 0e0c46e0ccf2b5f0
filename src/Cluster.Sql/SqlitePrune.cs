using ActorCluster.Persistence;

namespace ActorCluster.Sql;

/// <summary>The statements of <see cref="IControlStore.PruneAsync"/>, run inside a transaction that the caller opened.</summary>
internal static class SqlitePrune
{
    public static StoreResult<PrunedRows> Prune(SqliteSession db, TimeSpan logs, TimeSpan downMembers, int limit, long nowUnixMs)
    {
        var logsBefore = nowUnixMs - (long)logs.TotalMilliseconds;
        var current = db.Get("SELECT view FROM cluster WHERE id=1").Scalar() ?? 0;
        var firstYoung = db.Get("SELECT view FROM view_log WHERE at>?1 ORDER BY view LIMIT 1").Bind(1, logsBefore).Scalar() ?? current + 1;
        return StoreResult.Ok(new PrunedRows(
            Members(db, nowUnixMs - (long)downMembers.TotalMilliseconds, limit),
            db.Get("DELETE FROM view_log WHERE view IN (SELECT view FROM view_log WHERE view<?1 ORDER BY view LIMIT ?2)")
                .Bind(1, Math.Min(firstYoung, current - PruneRules.ViewsKept + 1)).Bind(2, limit).Run(),
            // Acquired in view v is acquired before view v + 1 was logged. An epoch whose successor begins at the same row has none in the journal.
            db.Get(
                """
                DELETE FROM shard_log WHERE (shard_no, epoch) IN (SELECT l.shard_no, l.epoch FROM shard_log l WHERE l.view<?1 AND l.first_seq=
                    (SELECT n.first_seq FROM shard_log n WHERE n.shard_no=l.shard_no AND n.epoch>l.epoch ORDER BY n.epoch LIMIT 1)
                    ORDER BY l.shard_no, l.epoch LIMIT ?2)
                """).Bind(1, firstYoung - 1).Bind(2, limit).Run()));
    }

    /// <summary>A row comes to name a down member as its previous owner only where it names it as its owner, so what is named by neither stays so.</summary>
    private static int Members(SqliteSession db, long downBefore, int limit)
    {
        var (count, highest) = (0, 0L);
        var gone = db.Get(
            """
            DELETE FROM member WHERE inc IN (SELECT inc FROM member WHERE status='down' AND down_at<=?1
                AND inc NOT IN (SELECT prev_inc FROM shard WHERE prev_inc IS NOT NULL UNION SELECT owner_inc FROM shard WHERE owner_inc IS NOT NULL)
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
