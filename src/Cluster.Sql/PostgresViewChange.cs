using System.Diagnostics;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using Npgsql;

namespace ActorCluster.Sql;

/// <summary>The view change of the protocol, section 1: members first, then shards, then the view and its log, in one transaction.</summary>
internal static class PostgresViewChange
{
    /// <summary>Rows that one change revokes from a down member at most; the sweep goes on with the rest. Members that live on lose all of theirs.</summary>
    public static int RowsMax(ViewChange change) => Math.Max(change.Targets.Length, PostgresControl.SliceRows);

    /// <summary>Runs in a transaction of the caller, who undoes everything unless the verdict is Ok.</summary>
    public static StoreResult<long> Run(PostgresSession db, ViewChange change)
    {
        // The one row that every view change locks; all that follows reads what was committed by then.
        var current = db.Scalar<long>("SELECT view FROM cluster WHERE id=1 FOR UPDATE") ?? 0;
        if (PostgresControl.FindView(db, change.OpId).Value is > 0 and var committed) return StoreResult.Ok(committed);
        if (current != change.BasedOn) return Conflict($"Based on view {change.BasedOn}, but the view is {current}.");

        var view = current + 1;
        var downed = new List<Incarnation>();
        foreach (var step in change.Members)
            if (Apply(db, step, change.By, view, downed) is { } refusal) return Conflict(refusal);
        foreach (var seen in change.Releases)
        {
            if (Lease(db, seen.Inc) is not { } lease)
                return Conflict($"{seen.Inc} is not a live member, so its shards cannot be released from it.");
            if (lease != seen.LeaseSeq) return Conflict($"The lease of {seen.Inc} moved to {lease}.");
        }

        if (change.Settings is { } settings && PostgresSettings.Change(db, settings) is { } kept) return Conflict(kept);

        foreach (var inc in downed.Where(_ => !change.Heirs.IsEmpty)) db.Run("UPDATE member SET heirs=$2 WHERE inc=$1", inc.Value, HeirsText.Of(change.Heirs));
        foreach (var inc in downed) RevokeFromDown(db, inc, change);
        foreach (var seen in change.Releases) PostgresControl.Revoke(db, Its, "FOR UPDATE", change.Heirs, seen.Inc.Value);
        GiveTargets(db, change);
        db.Run("UPDATE cluster SET view=$1 WHERE id=1", view);
        db.Run(
            $"""
            INSERT INTO view_log(view, op_id, by_inc, reason, change, members, at)
            SELECT $1, $2, $3, $4, $5, coalesce(string_agg(inc || ':' || status, ',' ORDER BY inc), ''), {PostgresControl.NowMs} FROM member WHERE status<>'down'
            """, view, change.OpId, change.By.Value, Plain(change.Reason), Plain(ViewChangeText.Describe(change)));
        return StoreResult.Ok(view);
    }

    private const string Its = "owner_inc=$3 OR (target_inc=$3 AND state='free')";

    private static string? Apply(PostgresSession db, MemberChange step, Incarnation by, long view, List<Incarnation> downed)
    {
        switch (step)
        {
            case MemberChange.Join(var row):
                if (db.Scalar<long>("SELECT forgotten_inc FROM cluster WHERE forgotten_inc>=$1", row.Inc.Value) is not null) return $"{row.Inc} is not above the incarnations whose rows were pruned.";
                return Join(db, row)
                    ? null : $"{row.Inc} has joined before, or a live member has its name {row.Name} or its address {row.LinkAddress}.";
            case MemberChange.Up(var inc):
                return db.Run("UPDATE member SET status='up', up_view=$2 WHERE inc=$1 AND status='joining'", inc.Value, view) == 1
                    ? null : $"{inc} is not joining.";
            case MemberChange.Leave(var inc):
                return db.Run("UPDATE member SET status='leaving' WHERE inc=$1 AND status='up'", inc.Value) == 1
                    ? null : $"{inc} is not up.";
            case MemberChange.Down(var inc, var reason, var leaseSeen, var deadProof):
                if (Lease(db, inc) is not { } lease)
                    return db.Run("UPDATE member SET dead_proof=dead_proof OR $2 WHERE inc=$1", inc.Value, deadProof) == 0 ? $"{inc} is not a member." : null;
                if (leaseSeen is { } seen && seen != lease) return $"The lease of {inc} moved to {lease}.";
                db.Run(
                    $"UPDATE member SET status='down', down_view=$2, down_reason=$3, down_by=$4, down_at={PostgresControl.NowMs}, dead_proof=$5 WHERE inc=$1",
                    inc.Value, view, Plain(reason), by.Value, deadProof);
                downed.Add(inc);
                return null;
            default:
                throw new UnreachableException($"No rule for {step}.");
        }
    }

    private static bool Join(PostgresSession db, MemberRow row) => db.Run(
        $"""
        INSERT INTO member(inc, name, host, link_address, client_url, roles, zone, weight, proto_min, proto_max, status, up_view, lease_seq, lease_at,
            lock_path, lock_boot_id, lock_device, lock_inode, lock_nonce, dead_proof, down_view, down_reason, down_by, down_at, started_at, types)
        VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'joining', 0, 0, {PostgresControl.NowMs}, $11, $12, $13, $14, $15, false, 0, '', 0, 0, {PostgresControl.NowMs}, $16)
        ON CONFLICT DO NOTHING
        """,
        row.Inc.Value, row.Name, row.Host, row.LinkAddress, row.ClientUrl, string.Join('\n', row.Roles), row.Zone, row.Weight, row.ProtoMin, row.ProtoMax,
        (row.LockFile?.Path).OrNull(), (row.LockFile?.BootId).OrNull(), (row.LockFile?.Device).OrNull(), (row.LockFile?.Inode).OrNull(), (row.LockFile?.Nonce).OrNull(),
        (row.Types is { } types ? $"\n{string.Join('\n', types)}\n" : null).OrNull()) == 1;

    /// <summary>
    /// Neither a row that somebody holds locked nor more rows than the call's time was made for may keep a dead member in: these are passed over
    /// and stay the dead member's until the sweep takes them, which is safe, since it can acquire nothing and the rows' epochs still fence.
    /// </summary>
    private static void RevokeFromDown(PostgresSession db, Incarnation inc, ViewChange change)
    {
        var rowsMax = RowsMax(change);
        db.Run("SAVEPOINT revoke");
        try
        {
            db.Run("SET LOCAL lock_timeout='300ms'");
            RevokeSlice("FOR UPDATE");
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            db.Run("ROLLBACK TO SAVEPOINT revoke");
            RevokeSlice("FOR UPDATE SKIP LOCKED");
        }

        // Those that the plan gives targets first, then as many of the placed ones as fit, but for those that heirs take by themselves: not even looked at, since there may be very many.
        void RevokeSlice(string locking)
        {
            var hashed = PostgresControl.Revoke(db, $"({Its}) AND type=ANY(ARRAY(SELECT type FROM shard_type WHERE shard_count>0))", $"LIMIT {rowsMax} {locking}", change.Heirs, inc.Value);
            var its = change.Heirs.IsEmpty ? Its : db.Scalar<bool>("SELECT true FROM shard_type WHERE shard_count=0 AND exclusive LIMIT 1") is true ? $"({Its}) AND (owner_inc IS NULL OR NOT type={PostgresControl.Inherited})" : "target_inc=$3 AND state='free'";
            PostgresControl.Revoke(db, $"({its}) AND type={PostgresControl.Placed}", $"LIMIT {Math.Max(0, PostgresControl.SliceRows - hashed)} {locking}", change.Heirs, inc.Value);
        }
    }

    /// <summary>Rows revoked just now have no target, so this gives them the plan's, and repairs those that were stranded before.
    /// Of several targets of one shard the first that is up counts, else the last, as if they were given one after the other.</summary>
    private static void GiveTargets(PostgresSession db, ViewChange change)
    {
        if (change.Targets.Length == 0) return;
        var shards = change.Targets.Select(t => t.Shard.Value).ToArray();
        db.Run("SELECT shard_no FROM shard WHERE shard_no=ANY($1) AND state='free' ORDER BY shard_no FOR UPDATE", shards);
        db.Run(
            """
            UPDATE shard s SET target_inc=t.inc FROM (
                SELECT DISTINCT ON (p.no) p.no, p.inc FROM unnest($1, $2) WITH ORDINALITY p(no, inc, i) LEFT JOIN member u ON u.inc=p.inc AND u.status='up'
                ORDER BY p.no, u.inc IS NULL, CASE WHEN u.inc IS NULL THEN -p.i ELSE p.i END) t
            WHERE s.shard_no=t.no AND s.state='free' AND NOT EXISTS (SELECT 1 FROM member m WHERE m.inc=s.target_inc AND m.status='up')
            """, shards, change.Targets.Select(t => t.Target.Value).ToArray());
    }

    private static long? Lease(PostgresSession db, Incarnation inc) =>
        db.Scalar<long>("SELECT lease_seq FROM member WHERE inc=$1 AND status<>'down' FOR UPDATE", inc.Value);

    /// <summary>Words for people: PostgreSQL's texts hold no NUL.</summary>
    private static string Plain(string text) => text.Replace('\0', ' ');

    private static StoreResult<long> Conflict(string reason) => StoreResult.Not<long>(StoreVerdict.Conflict, reason);
}
