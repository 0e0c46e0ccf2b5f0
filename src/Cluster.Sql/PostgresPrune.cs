using ActorCluster.Persistence;

namespace ActorCluster.Sql;

/// <summary>The statements of <see cref="IControlStore.PruneAsync"/>, run inside a transaction that the caller opened; locks in the order that all take.</summary>
internal static class PostgresPrune
{
    public static StoreResult<PrunedRows> Prune(PostgresSession db, TimeSpan logs, TimeSpan downMembers, int limit)
    {
        var current = db.Scalar<long>("SELECT view FROM cluster WHERE id=1 FOR UPDATE") ?? 0;
        var firstYoung = db.Scalar<long>(
            $"SELECT view FROM view_log WHERE at>{PostgresControl.NowMs}-$1 ORDER BY view LIMIT 1", (long)logs.TotalMilliseconds) ?? current + 1;
        var members = Members(db, downMembers, limit);
        var views = db.Run(
            "DELETE FROM view_log WHERE view IN (SELECT view FROM view_log WHERE view<$1 ORDER BY view LIMIT $2)",
            Math.Min(firstYoung, current - PruneRules.ViewsKept + 1), limit);
        // Acquired in view v is acquired before view v + 1 was logged. An epoch whose successor begins at the same row has none in the journal.
        var epochs = db.Run(
            """
            DELETE FROM shard_log WHERE (shard_no, epoch) IN (SELECT shard_no, epoch FROM
                (SELECT shard_no, epoch, view, first_seq, lead(first_seq) OVER (PARTITION BY shard_no ORDER BY epoch) AS next_first FROM shard_log) l
                WHERE view<$1 AND first_seq=next_first ORDER BY shard_no, epoch LIMIT $2)
            """, firstYoung - 1, limit);
        return StoreResult.Ok(new PrunedRows(members, views, epochs));
    }

    /// <summary>A row comes to name a down member as its previous owner only where it names it as its owner, so what is named by neither stays so: no shard is locked for it.</summary>
    private static int Members(PostgresSession db, TimeSpan downMembers, int limit)
    {
        var gone = db.Read(
            r => r.GetInt64(0),
            $"""
            DELETE FROM member WHERE inc IN (SELECT inc FROM member WHERE status='down' AND down_at<={PostgresControl.NowMs}-$1
                AND inc NOT IN (SELECT prev_inc FROM shard WHERE prev_inc IS NOT NULL UNION SELECT owner_inc FROM shard WHERE owner_inc IS NOT NULL)
                ORDER BY inc LIMIT $2) RETURNING inc
            """, (long)downMembers.TotalMilliseconds, limit);
        if (gone.Count > 0) db.Run("UPDATE cluster SET forgotten_inc=greatest(forgotten_inc, $1) WHERE id=1", gone.Max());
        return gone.Count;
    }

    /// <summary>Their rows go with the last of what they name, so that an entity that is half gone is still found as ended.</summary>
    public static StoreResult<int> Ended(PostgresSession db, TimeSpan age)
    {
        var old = db.Read(
            r => (No: r.GetInt64(0), Entity: r.GetString(1)),
            $"SELECT shard_no, type || '/' || key FROM shard WHERE ended_at<{PostgresControl.NowMs}-$1 AND state='ended' ORDER BY ended_at, shard_no LIMIT $2 FOR UPDATE",
            (long)age.TotalMilliseconds, PruneRules.EndedShards);
        var gone = 0;
        foreach (var (no, entity) in old.TakeWhile(_ => gone < PruneRules.EndedRows))
        {
            gone += db.Run(
                "DELETE FROM journal WHERE entity=$1 AND entity_seq IN (SELECT entity_seq FROM journal WHERE entity=$1 ORDER BY entity_seq LIMIT $2)", entity, PruneRules.EndedRows - gone);
            if (gone >= PruneRules.EndedRows) break; // There may be more of it.
            gone += db.Run("DELETE FROM snapshot WHERE entity=$1", entity) + db.Run("DELETE FROM timer WHERE shard_no=$1", no)
                + db.Run("DELETE FROM shard_log WHERE shard_no=$1", no) + db.Run("DELETE FROM shard WHERE shard_no=$1", no);
        }
        return StoreResult.Ok(gone);
    }
}
