using System.Diagnostics;
using System.Text;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sql;

/// <summary>The view change of the protocol, section 1: members first, then shards, then the view and its log, in one transaction.</summary>
internal static class SqliteViewChange
{
    /// <summary>Runs in a savepoint of the caller, who undoes everything unless the verdict is Ok.</summary>
    public static StoreResult<long> Run(SqliteSession db, ViewChange change, long nowUnixMs)
    {
        if (SqliteControl.FindView(db, change.OpId).Value is > 0 and var committed) return StoreResult.Ok(committed);
        // The transaction holds the only write lock, so the cluster row and all others are locked from here on.
        var current = db.Get("SELECT view FROM cluster WHERE id=1").Scalar() ?? 0;
        if (current != change.BasedOn) return Conflict($"Based on view {change.BasedOn}, but the view is {current}.");

        var view = current + 1;
        var revoked = new List<Incarnation>();
        foreach (var step in change.Members)
            if (Apply(db, step, change.By, view, nowUnixMs, revoked) is { } refusal) return Conflict(refusal);
        foreach (var seen in change.Releases)
        {
            if (Lease(db, seen.Inc) is not { } lease) return Conflict($"{seen.Inc} is not a live member, so its shards cannot be released from it.");
            if (lease != seen.LeaseSeq) return Conflict($"The lease of {seen.Inc} moved to {lease}.");
        }

        if (change.Settings is { } settings && SqliteSettings.Change(db, settings) is { } kept) return Conflict(kept);

        foreach (var inc in revoked)
        {
            // Those that the plan gives targets, and as many of the placed ones as fit, but for those that heirs take by themselves; the sweep goes on with the rest. A member that lives on loses all.
            SqliteControl.Revoke(db, $"({Its}) AND type NOT IN {SqliteControl.Placed}", inc, -1, []);
            if (!change.Heirs.IsEmpty) db.Get("UPDATE member SET heirs=?2 WHERE inc=?1").Bind(1, inc.Value).Bind(2, HeirsText.Of(change.Heirs)).Run();
            var left = change.Heirs.IsEmpty ? "" : $"AND (owner_inc IS NULL OR type NOT IN {SqliteControl.Inherited})";
            SqliteControl.Revoke(db, $"({Its}) AND type IN {SqliteControl.Placed} {left}", inc, SqliteControl.SliceRows, change.Heirs);
        }
        foreach (var seen in change.Releases) SqliteControl.Revoke(db, Its, seen.Inc, -1, change.Heirs);
        foreach (var target in change.Targets) GiveTarget(db, target);
        db.Get("UPDATE cluster SET view=?1 WHERE id=1").Bind(1, view).Run();
        db.Get("INSERT INTO view_log(view, op_id, by_inc, reason, change, members, at) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")
            .Bind(1, view).Bind(2, change.OpId).Bind(3, change.By.Value).Bind(4, change.Reason).Bind(5, ViewChangeText.Describe(change))
            .Bind(6, LiveMembers(db)).Bind(7, nowUnixMs).Run();
        return StoreResult.Ok(view);
    }

    private const string Its = "owner_inc=?1 OR (target_inc=?1 AND state='free')";

    private static string? Apply(SqliteSession db, MemberChange step, Incarnation by, long view, long nowUnixMs, List<Incarnation> revoked)
    {
        switch (step)
        {
            case MemberChange.Join(var row):
                return Join(db, row, nowUnixMs);
            case MemberChange.Up(var inc):
                return db.Get("UPDATE member SET status='up', up_view=?2 WHERE inc=?1 AND status='joining'").Bind(1, inc.Value).Bind(2, view).Run() == 1
                    ? null : $"{inc} is not joining.";
            case MemberChange.Leave(var inc):
                return db.Get("UPDATE member SET status='leaving' WHERE inc=?1 AND status='up'").Bind(1, inc.Value).Run() == 1
                    ? null : $"{inc} is not up.";
            case MemberChange.Down(var inc, var reason, var leaseSeen, var deadProof):
                if (Lease(db, inc) is not { } lease)
                {
                    if (deadProof) db.Get("UPDATE member SET dead_proof=1 WHERE inc=?1").Bind(1, inc.Value).Run();
                    return db.Get("SELECT 1 FROM member WHERE inc=?1").Bind(1, inc.Value).Scalar() is null ? $"{inc} is not a member." : null;
                }
                if (leaseSeen is { } seen && seen != lease) return $"The lease of {inc} moved to {lease}.";
                db.Get("UPDATE member SET status='down', down_view=?2, down_reason=?3, down_by=?4, down_at=?5, dead_proof=?6 WHERE inc=?1")
                    .Bind(1, inc.Value).Bind(2, view).Bind(3, reason).Bind(4, by.Value).Bind(5, nowUnixMs).Bind(6, deadProof ? 1 : 0).Run();
                revoked.Add(inc);
                return null;
            default:
                throw new UnreachableException($"No rule for {step}.");
        }
    }

    private static string? Join(SqliteSession db, MemberRow row, long nowUnixMs)
    {
        if (db.Get("SELECT 1 FROM cluster WHERE forgotten_inc>=?1").Bind(1, row.Inc.Value).Scalar() is not null) return $"{row.Inc} is not above the incarnations whose rows were pruned.";
        try
        {
            db.Get(
                """
                INSERT INTO member(inc, name, host, link_address, client_url, roles, zone, weight, proto_min, proto_max, status, up_view, lease_seq, lease_at,
                    lock_path, lock_boot_id, lock_device, lock_inode, lock_nonce, dead_proof, down_view, down_reason, down_by, down_at, started_at, types)
                VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'joining', 0, 0, ?11, ?12, ?13, ?14, ?15, ?16, 0, 0, '', 0, 0, ?11, ?17)
                """).Bind(1, row.Inc.Value).Bind(2, row.Name).Bind(3, row.Host).Bind(4, row.LinkAddress).Bind(5, row.ClientUrl)
                .Bind(6, string.Join('\n', row.Roles)).Bind(7, row.Zone).Bind(8, row.Weight).Bind(9, row.ProtoMin).Bind(10, row.ProtoMax).Bind(11, nowUnixMs)
                .Bind(12, row.LockFile?.Path).Bind(13, row.LockFile?.BootId).Bind(14, row.LockFile?.Device).Bind(15, row.LockFile?.Inode)
                .Bind(16, row.LockFile?.Nonce).Bind(17, row.Types is { } types ? $"\n{string.Join('\n', types)}\n" : null).Run();
            return null;
        }
        catch (SqliteFailure e) when (e.IsConstraint)
        {
            return $"{row.Inc} has joined before, or a live member has its name {row.Name} or its address {row.LinkAddress}.";
        }
    }

    /// <summary>Rows revoked just now have no target, so this gives them the plan's, and repairs those that were stranded before.</summary>
    private static void GiveTarget(SqliteSession db, ShardTarget given) => db.Get(
        """
        UPDATE shard SET target_inc=?1 WHERE shard_no=?2 AND state='free'
            AND NOT EXISTS (SELECT 1 FROM member WHERE inc=shard.target_inc AND status='up')
        """).Bind(1, given.Target.Value).Bind(2, given.Shard.Value).Run();

    private static long? Lease(SqliteSession db, Incarnation inc) =>
        db.Get("SELECT lease_seq FROM member WHERE inc=?1 AND status<>'down'").Bind(1, inc.Value).Scalar();

    /// <summary>The live members after the change as <c>inc:status</c>, by incarnation; for audits.</summary>
    private static string LiveMembers(SqliteSession db)
    {
        var text = new StringBuilder();
        var read = db.Get("SELECT inc, status FROM member WHERE status<>'down' ORDER BY inc");
        while (read.Step()) text.Append(text.Length > 0 ? "," : "").Append(read.GetLong(0)).Append(':').Append(read.GetText(1));
        return text.ToString();
    }

    private static StoreResult<long> Conflict(string reason) => StoreResult.Not<long>(StoreVerdict.Conflict, reason);
}
