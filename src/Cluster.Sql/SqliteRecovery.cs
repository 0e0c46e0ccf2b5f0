using ActorCluster.Persistence;

namespace ActorCluster.Sql;

/// <summary>The statements of <see cref="IStoreRecovery"/>, run inside a transaction that the caller opened.</summary>
internal static class SqliteRecovery
{
    public static StoreResult<ClusterRow> Recover(SqliteSession db, Guid opId, long generation, string reason, long nowUnixMs)
    {
        var before = SqliteControl.ReadClusterRow(db);
        if (SqliteControl.FindView(db, opId).Value > 0) return StoreResult.Ok(before);
        var (next, raise) = RecoveryRules.After(before.StoreGeneration, generation);
        db.Get("UPDATE member SET status='down', down_view=?1, down_reason=?2, down_by=0, down_at=?3, dead_proof=0 WHERE status<>'down'")
            .Bind(1, before.View + 1).Bind(2, reason).Bind(3, nowUnixMs).Run();
        db.Get(
            """
            UPDATE shard SET epoch=epoch+?1, prev_inc=coalesce(owner_inc, prev_inc), owner_inc=NULL, target_inc=NULL,
                state=CASE state WHEN 'ended' THEN state ELSE 'free' END
            """).Bind(1, raise).Run();
        // An owner that had not noticed the loss has saved them; the numbers of their rows will be given again.
        db.Get("DELETE FROM snapshot WHERE entity_seq > coalesce((SELECT max(j.entity_seq) FROM journal j WHERE j.entity=snapshot.entity), 0)").Run();
        db.Get("UPDATE cluster SET store_gen=?1, view=view+1, next_inc=next_inc+?2 WHERE id=1").Bind(1, next).Bind(2, raise).Run();
        db.Get("INSERT INTO view_log(view, op_id, by_inc, reason, change, members, at) VALUES(?1, ?2, 0, ?3, ?4, '', ?5)")
            .Bind(1, before.View + 1).Bind(2, opId).Bind(3, reason).Bind(4, $"recover to generation {next}").Bind(5, nowUnixMs).Run();
        return StoreResult.Ok(SqliteControl.ReadClusterRow(db));
    }
}
