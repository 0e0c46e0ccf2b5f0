using Npgsql;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>What the store's own rows must say of themselves: invariants I1, I2, I4 and the row of views, docs/protocol.md section 8.</summary>
internal static class StoreAudit
{
    private static readonly (string Invariant, string Sql)[] Checks =
    [
        ("a shard's epoch is below one it had before", "SELECT count(*) FROM shard s WHERE s.epoch < (SELECT max(l.epoch) FROM shard_log l WHERE l.shard_no=s.shard_no)"),
        ("a later epoch of a shard was acquired at an earlier view", "SELECT count(*) FROM (SELECT view, lag(view) OVER (PARTITION BY shard_no ORDER BY epoch) AS earlier FROM shard_log) l WHERE view < earlier"),
        ("a row was written in an epoch by another node than its owner",
            "SELECT count(*) FROM journal j LEFT JOIN shard_log l USING (shard_no, epoch) WHERE l.owner_inc IS DISTINCT FROM j.owner_inc"),
        ("a row follows one of a later epoch of its shard (a stale write)", "SELECT count(*) FROM (SELECT epoch, lag(epoch) OVER (PARTITION BY shard_no ORDER BY shard_seq) AS before FROM journal) j WHERE epoch < before"),
        ("a shard's rows have a gap", "SELECT count(*) FROM (SELECT shard_seq, coalesce(lag(shard_seq) OVER (PARTITION BY shard_no ORDER BY shard_seq), 0) AS before FROM journal) j WHERE shard_seq <> before+1"),
        ("a shard's next number is not that behind its last row", "SELECT count(*) FROM shard s WHERE s.next_seq <> 1+coalesce((SELECT max(shard_seq) FROM journal j WHERE j.shard_no=s.shard_no), 0)"),
        ("a command stands in the journal twice", "SELECT count(*) FROM (SELECT 1 FROM journal WHERE client_id IS NOT NULL GROUP BY entity, client_id, client_seq HAVING count(*) > 1) d"),
        ("a view is missing or comes twice", "SELECT count(*) FROM (SELECT view, lag(view) OVER (ORDER BY view) AS before FROM view_log) v WHERE view <> before+1"),
        ("the cluster row is not the one of the last view", "SELECT count(*) FROM cluster c WHERE c.view <> (SELECT max(view) FROM view_log)"),
        ("there is another generation of the store than the first", "SELECT count(*) FROM cluster WHERE store_gen <> 1"),
    ];

    /// <returns>Each invariant that does not hold, with the number of rows.</returns>
    public static async Task<IReadOnlyList<string>> RunAsync(NpgsqlConnection store)
    {
        var broken = new List<string>();
        foreach (var (invariant, sql) in Checks)
        {
            await using var command = new NpgsqlCommand(sql, store);
            if ((long)(await command.ExecuteScalarAsync())! is > 0 and var rows) broken.Add($"In the store, {invariant}: {rows} times.");
        }
        return broken;
    }
}
