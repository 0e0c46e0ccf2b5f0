using ActorCluster.Persistence;

namespace ActorCluster.Sql;

/// <summary>The statements of <see cref="IStoreRecovery"/>, run inside a transaction that the caller opened; locks in the order that all take.</summary>
internal static class PostgresRecovery
{
    public static StoreResult<ClusterRow> Recover(PostgresSession db, Guid opId, long generation, string reason)
    {
        db.Run("SELECT 1 FROM cluster WHERE id=1 FOR UPDATE");
        var before = PostgresControl.ReadClusterRow(db);
        if (PostgresControl.FindView(db, opId).Value > 0) return StoreResult.Ok(before);
        var (next, raise) = RecoveryRules.After(before.StoreGeneration, generation);
        db.Run("SELECT inc FROM member WHERE status<>'down' ORDER BY inc FOR UPDATE");
        db.Run(
            $"UPDATE member SET status='down', down_view=$1, down_reason=$2, down_by=0, down_at={PostgresControl.NowMs}, dead_proof=false WHERE status<>'down'",
            before.View + 1, reason);
        db.Run("SELECT shard_no FROM shard ORDER BY shard_no FOR UPDATE");
        db.Run(
            """
            UPDATE shard SET epoch=epoch+$1, prev_inc=coalesce(owner_inc, prev_inc), owner_inc=NULL, target_inc=NULL,
                state=CASE state WHEN 'ended' THEN state ELSE 'free' END
            """, raise);
        // An owner that had not noticed the loss has saved them; the numbers of their rows will be given again.
        db.Run("DELETE FROM snapshot s WHERE s.entity_seq > coalesce((SELECT max(j.entity_seq) FROM journal j WHERE j.entity=s.entity), 0)");
        db.Run("UPDATE cluster SET store_gen=$1, view=view+1, next_inc=next_inc+$2 WHERE id=1", next, raise);
        db.Run(
            $"INSERT INTO view_log(view, op_id, by_inc, reason, change, members, at) VALUES($1, $2, 0, $3, $4, '', {PostgresControl.NowMs})",
            before.View + 1, opId, reason, $"recover to generation {next}");
        return StoreResult.Ok(PostgresControl.ReadClusterRow(db));
    }
}
