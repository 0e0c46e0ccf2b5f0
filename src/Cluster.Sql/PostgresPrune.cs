using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sql;

/// <summary>The statements of <see cref="IControlStore.PruneAsync"/> and <see cref="IControlStore.PruneEndedAsync"/>, each run inside a transaction of its own.</summary>
internal static class PostgresPrune
{
    /// <summary>
    /// Looked for before the cluster row is locked, since view changes wait for that. A row comes to name a down member as its previous owner only where it names it as
    /// its owner, so what is named by neither stays so.
    /// </summary>
    public static StoreResult<int> Members(PostgresSession db, TimeSpan age, int limit)
    {
        var gone = db.Read(
            r => r.GetInt64(0),
            $"""
            SELECT inc FROM member m WHERE status='down' AND down_at<={PostgresControl.NowMs}-$1
                AND NOT EXISTS (SELECT 1 FROM shard WHERE owner_inc=m.inc) AND NOT EXISTS (SELECT 1 FROM shard WHERE prev_inc=m.inc) ORDER BY inc LIMIT $2
            """, (long)age.TotalMilliseconds, limit);
        if (gone.Count == 0) return StoreResult.Ok(0);
        db.Run("UPDATE cluster SET forgotten_inc=greatest(forgotten_inc, $1) WHERE id=1", gone.Max());
        return StoreResult.Ok(db.Run("DELETE FROM member WHERE inc=ANY($1)", (object)gone.ToArray()));
    }

    /// <summary>Needs no lock: views only grow, so what is beyond the last 32 stays so.</summary>
    public static StoreResult<int> Views(PostgresSession db, TimeSpan age, int limit) => StoreResult.Ok(db.Run(
        "DELETE FROM view_log WHERE view IN (SELECT view FROM view_log WHERE view<$1 ORDER BY view LIMIT $2)",
        Math.Min(FirstYoung(db, age), (db.Scalar<long>("SELECT view FROM cluster WHERE id=1") ?? 0) - PruneRules.ViewsKept + 1), limit));

    /// <summary>Needs no lock: what is acquired meanwhile only adds to the log.</summary>
    public static StoreResult<(int Gone, LoggedEpoch? Next)> Epochs(PostgresSession db, TimeSpan age, int limit, LoggedEpoch? after)
    {
        var firstYoung = FirstYoung(db, age);
        var page = db.Read(
            r => (new LoggedEpoch(new ShardNo(r.GetInt64(0)), new Epoch(r.GetInt64(1))), r.GetInt64(2), r.IsDBNull(3) ? (long?)null : r.GetInt64(3)),
            "SELECT shard_no, epoch, view, first_seq FROM shard_log WHERE (shard_no, epoch)>($1, $2) ORDER BY shard_no, epoch LIMIT $3",
            after?.Shard.Value ?? 0, after?.Epoch.Value ?? 0, limit + 1);
        var (empty, next) = PruneRules.Judge(page, limit, firstYoung);
        var gone = empty.Count == 0 ? 0 : db.Run(
            "DELETE FROM shard_log WHERE (shard_no, epoch) IN (SELECT * FROM unnest($1, $2))", empty.Select(e => e.Shard.Value).ToArray(), empty.Select(e => e.Epoch.Value).ToArray());
        return StoreResult.Ok((gone, next));
    }

    private static long FirstYoung(PostgresSession db, TimeSpan age) =>
        db.Scalar<long>($"SELECT view FROM view_log WHERE at>{PostgresControl.NowMs}-$1 ORDER BY view LIMIT 1", (long)age.TotalMilliseconds)
        ?? (db.Scalar<long>("SELECT view FROM cluster WHERE id=1") ?? 0) + 1;

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
