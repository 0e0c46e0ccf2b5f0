using ActorCluster.Persistence;

namespace ActorCluster.Sql;

/// <summary>The statements of <see cref="IStoreRecovery"/>, run inside a transaction that the caller opened; locks in the order that all take.</summary>
internal static class PostgresRecovery
{
    public static async Task<StoreResult<ClusterRow>> RecoverAsync(PostgresSession db, Guid opId, long generation, string reason)
    {
        await db.RunAsync("SELECT 1 FROM cluster WHERE id=1 FOR UPDATE").ConfigureAwait(false);
        var before = await PostgresControl.ReadClusterRowAsync(db).ConfigureAwait(false);
        if ((await PostgresControl.FindViewAsync(db, opId).ConfigureAwait(false)).Value > 0) return StoreResult.Ok(before);
        var (next, raise) = RecoveryRules.After(before.StoreGeneration, generation);
        await db.RunAsync("SELECT inc FROM member WHERE status<>'down' ORDER BY inc FOR UPDATE").ConfigureAwait(false);
        await db.RunAsync(
            $"UPDATE member SET status='down', down_view=$1, down_reason=$2, down_by=0, down_at={PostgresControl.NowMs}, dead_proof=false WHERE status<>'down'",
            before.View + 1, reason).ConfigureAwait(false);
        await db.RunAsync("SELECT shard_no FROM shard ORDER BY shard_no FOR UPDATE").ConfigureAwait(false);
        await db.RunAsync(
            """
            UPDATE shard SET epoch=epoch+$1, prev_inc=coalesce(owner_inc, prev_inc), owner_inc=NULL, target_inc=NULL,
                state=CASE state WHEN 'ended' THEN state ELSE 'free' END
            """, raise).ConfigureAwait(false);
        await db.RunAsync("UPDATE cluster SET store_gen=$1, view=view+1, next_inc=next_inc+$2 WHERE id=1", next, raise).ConfigureAwait(false);
        await db.RunAsync(
            $"INSERT INTO view_log(view, op_id, by_inc, reason, change, members, at) VALUES($1, $2, 0, $3, $4, '', {PostgresControl.NowMs})",
            before.View + 1, opId, reason, $"recover to generation {next}").ConfigureAwait(false);
        return StoreResult.Ok(await PostgresControl.ReadClusterRowAsync(db).ConfigureAwait(false));
    }
}
