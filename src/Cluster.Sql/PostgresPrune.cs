using ActorCluster.Persistence;

namespace ActorCluster.Sql;

/// <summary>The statements of <see cref="IControlStore.PruneAsync"/>, run inside a transaction that the caller opened; locks in the order that all take.</summary>
internal static class PostgresPrune
{
    public static async Task<StoreResult<PrunedRows>> PruneAsync(PostgresSession db, TimeSpan logs, TimeSpan downMembers, int limit)
    {
        var current = await db.ScalarAsync<long>("SELECT view FROM cluster WHERE id=1 FOR UPDATE").ConfigureAwait(false) ?? 0;
        var firstYoung = await db.ScalarAsync<long>(
            $"SELECT view FROM view_log WHERE at>{PostgresControl.NowMs}-$1 ORDER BY view LIMIT 1", (long)logs.TotalMilliseconds).ConfigureAwait(false) ?? current + 1;
        var members = await MembersAsync(db, downMembers, limit).ConfigureAwait(false);
        var views = await db.RunAsync(
            "DELETE FROM view_log WHERE view IN (SELECT view FROM view_log WHERE view<$1 ORDER BY view LIMIT $2)",
            Math.Min(firstYoung, current - PruneRules.ViewsKept + 1), limit).ConfigureAwait(false);
        // Acquired in view v is acquired before view v + 1 was logged. An epoch whose successor begins at the same row has none in the journal.
        var epochs = await db.RunAsync(
            """
            DELETE FROM shard_log WHERE (shard_no, epoch) IN (SELECT shard_no, epoch FROM
                (SELECT shard_no, epoch, view, first_seq, lead(first_seq) OVER (PARTITION BY shard_no ORDER BY epoch) AS next_first FROM shard_log) l
                WHERE view<$1 AND first_seq=next_first ORDER BY shard_no, epoch LIMIT $2)
            """, firstYoung - 1, limit).ConfigureAwait(false);
        return StoreResult.Ok(new PrunedRows(members, views, epochs));
    }

    /// <summary>A row comes to name a down member as its previous owner only where it names it as its owner, so what is named by neither stays so: no shard is locked for it.</summary>
    private static async Task<int> MembersAsync(PostgresSession db, TimeSpan downMembers, int limit)
    {
        var gone = await db.ReadAsync(
            r => r.GetInt64(0),
            $"""
            DELETE FROM member WHERE inc IN (SELECT inc FROM member WHERE status='down' AND down_at<={PostgresControl.NowMs}-$1
                AND inc NOT IN (SELECT prev_inc FROM shard WHERE prev_inc IS NOT NULL UNION SELECT owner_inc FROM shard WHERE owner_inc IS NOT NULL)
                ORDER BY inc LIMIT $2) RETURNING inc
            """, (long)downMembers.TotalMilliseconds, limit).ConfigureAwait(false);
        if (gone.Count > 0) await db.RunAsync("UPDATE cluster SET forgotten_inc=greatest(forgotten_inc, $1) WHERE id=1", gone.Max()).ConfigureAwait(false);
        return gone.Count;
    }
}
