using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using Npgsql;

namespace ActorCluster.Sql;

/// <summary>The statements of <see cref="IControlStore"/> except the view change.</summary>
internal static class PostgresControl
{
    /// <summary>The store's time: the database's clock, so that nodes need none in common.</summary>
    public const string NowMs = "(extract(epoch FROM clock_timestamp())*1000)::bigint";

    private const string ClusterColumns = "c.uuid, c.store_gen, c.view, c.hash_ver, c.cfg_digest, c.forgotten_inc, c.settings_ver";

    private const string ShardColumns = "shard_no, type, key, epoch, owner_inc, target_inc, prev_inc, state, next_seq";

    public static async Task<ClusterRow> ReadClusterRowAsync(PostgresSession db) =>
        (await db.ReadAsync(ReadClusterRow, $"SELECT {ClusterColumns} FROM cluster c WHERE c.id=1").ConfigureAwait(false)) is [var row]
            ? row : throw new StoreUnusableException("The cluster row is missing; restore a backup.");

    public static async Task<StoreResult<int>> RegisterTypeAsync(PostgresSession db, string type, int shardCount, bool exclusive)
    {
        var first = await db.ScalarAsync<long>("SELECT next_shard FROM cluster WHERE id=1 FOR UPDATE").ConfigureAwait(false) ?? 1;
        var known = await db.ReadAsync(r => (Count: (int)r.GetInt64(0), Exclusive: r.GetBoolean(1)), "SELECT shard_count, exclusive FROM shard_type WHERE type=$1", type).ConfigureAwait(false);
        if (known is [var (count, isExclusive)])
            return isExclusive == exclusive ? StoreResult.Ok(count) : StoreResult.Not<int>(StoreVerdict.Conflict, $"{type} is {(exclusive ? "not " : "")}exclusive here.");
        await db.RunAsync("INSERT INTO shard_type(type, shard_count, exclusive) VALUES($1, $2, $3)", type, shardCount, exclusive).ConfigureAwait(false);
        await db.RunAsync(
            "INSERT INTO shard(shard_no, type, key, epoch, state, next_seq) SELECT $1+i, $2, i::text, 0, 'free', 1 FROM generate_series(0::bigint, $3-1) i",
            first, type, shardCount).ConfigureAwait(false);
        await db.RunAsync("UPDATE cluster SET next_shard=$1 WHERE id=1", first + shardCount).ConfigureAwait(false);
        return StoreResult.Ok(shardCount);
    }

    public static async Task<StoreResult<Incarnation>> NextIncarnationAsync(PostgresSession db) =>
        await db.ScalarAsync<long>("UPDATE cluster SET next_inc=next_inc+1 WHERE id=1 RETURNING next_inc-1").ConfigureAwait(false) is { } inc
            ? StoreResult.Ok(new Incarnation(inc)) : StoreResult.Not<Incarnation>(StoreVerdict.NotSent, "The cluster row is missing; restore a backup.");

    /// <summary>One statement, so that view and members are of one moment.</summary>
    public static async Task<StoreResult<ClusterSnapshot>> ReadClusterAsync(PostgresSession db)
    {
        var rows = await db.ReadAsync(
            r => (Cluster: ReadClusterRow(r), Member: r.IsDBNull(7) ? null : ReadMember(r)),
            $"""
            SELECT {ClusterColumns}, inc, name, host, link_address, client_url, roles, zone, weight, proto_min, proto_max, status, up_view, lease_seq,
                lock_path, lock_boot_id, lock_device, lock_inode, lock_nonce, dead_proof, down_view, down_reason, down_by, types
            FROM cluster c LEFT JOIN member ON true WHERE c.id=1 ORDER BY inc
            """).ConfigureAwait(false);
        return rows.Count == 0
            ? StoreResult.Not<ClusterSnapshot>(StoreVerdict.NotSent, "The cluster row is missing; restore a backup.")
            : StoreResult.Ok(new ClusterSnapshot(rows[0].Cluster, [.. rows.Select(r => r.Member).OfType<MemberRow>()]));
    }

    public static async Task<StoreResult<long>> FindViewAsync(PostgresSession db, Guid opId) =>
        StoreResult.Ok(await db.ScalarAsync<long>("SELECT view FROM view_log WHERE op_id=$1", opId).ConfigureAwait(false) ?? 0);

    public static async Task<StoreResult<Renewal>> RenewAsync(PostgresSession db, Incarnation inc)
    {
        var renewed = await db.ReadAsync(
            r => new Renewal(r.GetInt64(0), r.GetInt64(1)),
            $"""
            UPDATE member SET lease_seq=lease_seq+1, lease_at={NowMs} WHERE inc=$1 AND status<>'down'
            RETURNING lease_seq, (SELECT view FROM cluster WHERE id=1)
            """, inc.Value).ConfigureAwait(false);
        return renewed is [var renewal] ? StoreResult.Ok(renewal) : StoreResult.Not<Renewal>(StoreVerdict.Fenced, $"{inc} is not a live member.");
    }

    /// <summary>
    /// The member row stays locked until the commit, so an eviction comes wholly before or wholly after, and sees the rows taken; so do the rows
    /// of members whose leases are said to be stale, so that none moves meanwhile.
    /// </summary>
    public static async Task<StoreResult<ImmutableArray<AcquiredShard>>> AcquireAsync(PostgresSession db, Incarnation inc, IReadOnlyCollection<LeaseSeen> stale)
    {
        var members = await db.ReadAsync(
            r => (Lease: new LeaseSeen(new Incarnation(r.GetInt64(0)), r.GetInt64(1)), IsUp: r.GetString(2) == "up"),
            "SELECT inc, lease_seq, status FROM member WHERE inc=ANY($1) ORDER BY inc FOR SHARE", stale.Select(s => s.Inc.Value).Append(inc.Value).ToArray()).ConfigureAwait(false);
        if (!members.Exists(m => m.Lease.Inc == inc && m.IsUp))
            return StoreResult.Not<ImmutableArray<AcquiredShard>>(StoreVerdict.Fenced, $"{inc} is not up.");
        // Locked in the order of numbers, as every transaction does, so that none waits in a ring.
        await db.RunAsync("SELECT shard_no FROM shard WHERE target_inc=$1 AND state='free' ORDER BY shard_no FOR UPDATE", inc.Value).ConfigureAwait(false);
        var acquired = await db.ReadAsync(
            r => new AcquiredShard(new ShardNo(r.GetInt64(0)), r.GetString(1), r.GetString(2), new Epoch(r.GetInt64(3)), r.GetInt64(4)),
            """
            UPDATE shard SET epoch=epoch+1, owner_inc=$1, prev_inc=NULL, state='owned' WHERE target_inc=$1 AND state='free'
                AND EXISTS (SELECT 1 FROM member WHERE inc=$1 AND (types IS NULL OR strpos(types, E'\n' || shard.type || E'\n') > 0))
                AND (prev_inc IS NULL OR prev_inc=ANY($2) OR EXISTS (SELECT 1 FROM shard_type t WHERE t.type=shard.type AND NOT t.exclusive)
                    OR EXISTS (SELECT 1 FROM member m WHERE m.inc=shard.prev_inc AND m.dead_proof))
            RETURNING shard_no, type, key, epoch, next_seq
            """, inc.Value, members.Select(m => m.Lease).Intersect(stale).Select(s => s.Inc.Value).ToArray()).ConfigureAwait(false);
        if (acquired.Count > 0)
        {
            await db.RunAsync(
                "INSERT INTO shard_log(shard_no, epoch, owner_inc, view, first_seq) SELECT s.no, s.epoch, $3, c.view, s.first FROM unnest($1, $2, $4) s(no, epoch, first), cluster c WHERE c.id=1",
                acquired.Select(s => s.No.Value).ToArray(), acquired.Select(s => s.Epoch.Value).ToArray(), inc.Value, acquired.Select(s => s.NextSeq).ToArray()).ConfigureAwait(false);
        }
        return StoreResult.Ok(acquired.OrderBy(s => s.No).ToImmutableArray()); // RETURNING promises no order.
    }

    public static async Task<StoreResult<ImmutableArray<ShardRow>>> ReadShardsAsync(PostgresSession db) =>
        StoreResult.Ok((await db.ReadAsync(ReadShard, $"SELECT {ShardColumns} FROM shard ORDER BY shard_no").ConfigureAwait(false)).ToImmutableArray());

    public static async Task<StoreResult<ImmutableArray<ShardRow>>> ReadShardsAsync(PostgresSession db, long[] shards) => StoreResult.Ok(
        (await db.ReadAsync(ReadShard, $"SELECT {ShardColumns} FROM shard WHERE shard_no=ANY($1) ORDER BY shard_no", shards).ConfigureAwait(false)).ToImmutableArray());

    public static Task<StoreResult<ImmutableArray<ShardNo>>> PlanHandoffAsync(PostgresSession db, IReadOnlyCollection<ShardRetarget> plans) => ChangeAsync(
        db, plans, p => p.Shard,
        "UPDATE shard SET state='handoff', target_inc=$1 WHERE shard_no=$2 AND state='owned' AND epoch=$3 AND target_inc IS NOT DISTINCT FROM $4",
        p => [p.Target.Value, p.Shard.Value, p.Epoch.Value, (p.Seen?.Value).OrNull()]);

    public static Task<StoreResult<ImmutableArray<ShardNo>>> RevertHandoffAsync(
        PostgresSession db, Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) => ChangeAsync(
        db, shards, s => s.Shard,
        "UPDATE shard SET state='owned' WHERE shard_no=$1 AND state='handoff' AND epoch=$2 AND owner_inc=$3",
        s => [s.Shard.Value, s.Epoch.Value, owner.Value]);

    public static Task<StoreResult<ImmutableArray<ShardNo>>> ReleaseAsync(PostgresSession db, Incarnation owner, IReadOnlyCollection<ShardRelease> releases) => ChangeAsync(
        db, releases, r => r.Shard,
        "UPDATE shard SET owner_inc=NULL, prev_inc=NULL, state='free', target_inc=coalesce($1, target_inc) WHERE shard_no=$2 AND epoch=$3 AND owner_inc=$4",
        r => [(r.Target?.Value).OrNull(), r.Shard.Value, r.Epoch.Value, owner.Value]);

    public static async Task<StoreResult<int>> ClearPreviousAsync(
        PostgresSession db, Incarnation previous, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards)
    {
        var changed = await ChangeAsync(
            db, shards, s => s.Shard,
            "UPDATE shard SET prev_inc=NULL WHERE shard_no=$1 AND epoch=$2 AND prev_inc=$3",
            s => [s.Shard.Value, s.Epoch.Value, previous.Value]).ConfigureAwait(false);
        return StoreResult.Ok(changed.Value.Length);
    }

    public static async Task<StoreResult<int>> RevokeOfDownAsync(PostgresSession db)
    {
        await db.RunAsync("SELECT shard_no FROM shard WHERE owner_inc IN (SELECT inc FROM member WHERE status='down') ORDER BY shard_no FOR UPDATE").ConfigureAwait(false);
        return StoreResult.Ok(await db.RunAsync(
            """
            UPDATE shard SET prev_inc=owner_inc, owner_inc=NULL, target_inc=NULL, state='free'
            WHERE owner_inc IN (SELECT inc FROM member WHERE status='down')
            """).ConfigureAwait(false));
    }

    public static Task<StoreResult<ImmutableArray<ShardNo>>> RetargetAsync(PostgresSession db, IReadOnlyCollection<ShardRetarget> retargets) => ChangeAsync(
        db, retargets, r => r.Shard,
        "UPDATE shard SET target_inc=$1 WHERE shard_no=$2 AND state='free' AND epoch=$3 AND target_inc IS NOT DISTINCT FROM $4",
        r => [r.Target.Value, r.Shard.Value, r.Epoch.Value, (r.Seen?.Value).OrNull()]);

    /// <summary>One round trip, rows in the order of numbers; the answer in the order of the orders.</summary>
    private static async Task<StoreResult<ImmutableArray<ShardNo>>> ChangeAsync<T>(
        PostgresSession db, IReadOnlyCollection<T> orders, Func<T, ShardNo> shardOf, string sql, Func<T, object[]> values)
    {
        if (orders.Count == 0) return StoreResult.Ok(ImmutableArray<ShardNo>.Empty);
        var sorted = orders.Select((order, index) => (Order: order, Index: index)).OrderBy(o => shardOf(o.Order)).ToArray(); // Stable.
        var batch = new NpgsqlBatch(db.Connection);
        await using (batch.ConfigureAwait(false))
        {
            foreach (var (order, _) in sorted) batch.BatchCommands.Add(new NpgsqlBatchCommand(sql).With(values(order)));
            await batch.ExecuteNonQueryAsync().ConfigureAwait(false);
            return StoreResult.Ok(sorted.Where((_, i) => batch.BatchCommands[i].RecordsAffected == 1)
                .OrderBy(o => o.Index).Select(o => shardOf(o.Order)).ToImmutableArray());
        }
    }

    private static ClusterRow ReadClusterRow(NpgsqlDataReader read) =>
        new(read.GetGuid(0), read.GetInt64(1), read.GetInt64(2), (int)read.GetInt64(3), read.GetString(4), new Incarnation(read.GetInt64(5)), read.GetInt64(6));

    private static ShardRow ReadShard(NpgsqlDataReader read) => new(
        new ShardNo(read.GetInt64(0)), read.GetString(1), read.GetString(2), new Epoch(read.GetInt64(3)),
        ReadIncarnation(read, 4), ReadIncarnation(read, 5), ReadIncarnation(read, 6), ShardStateText.Parse(read.GetString(7), read.GetInt64(0)), read.GetInt64(8));

    private static MemberRow ReadMember(NpgsqlDataReader read) => new()
    {
        Inc = new Incarnation(read.GetInt64(7)),
        Name = read.GetString(8),
        Host = read.GetString(9),
        LinkAddress = read.GetString(10),
        ClientUrl = read.GetString(11),
        Roles = [.. read.GetString(12).Split('\n', StringSplitOptions.RemoveEmptyEntries)],
        Zone = read.GetString(13),
        Weight = read.GetDouble(14),
        ProtoMin = (int)read.GetInt64(15),
        ProtoMax = (int)read.GetInt64(16),
        Status = MemberStatusText.Parse(read.GetString(17)),
        UpView = read.GetInt64(18),
        LeaseSeq = read.GetInt64(19),
        LockFile = read.IsDBNull(20) ? null : new NodeLockProof(read.GetString(20), read.GetString(21), read.GetInt64(22), read.GetInt64(23), read.GetString(24)),
        DeadProof = read.GetBoolean(25),
        DownView = read.GetInt64(26),
        DownReason = read.GetString(27),
        DownBy = new Incarnation(read.GetInt64(28)),
        Types = read.IsDBNull(29) ? null : [.. read.GetString(29).Split('\n', StringSplitOptions.RemoveEmptyEntries)],
    };

    private static Incarnation? ReadIncarnation(NpgsqlDataReader read, int column) => read.IsDBNull(column) ? null : new Incarnation(read.GetInt64(column));
}
