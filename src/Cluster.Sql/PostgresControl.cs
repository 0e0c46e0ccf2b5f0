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

    /// <summary>Any type whose entities are placed individually; behind an equals sign. An array, so that the planner looks its members up by an index.</summary>
    public const string Placed = "ANY(ARRAY(SELECT type FROM shard_type WHERE shard_count=0))";

    /// <summary>Any type whose rows heirs take from an owner that is down; behind an equals sign.</summary>
    public const string Inherited = "ANY(ARRAY(SELECT type FROM shard_type WHERE shard_count=0 AND NOT exclusive))";

    /// <summary>Shards that one call acquires or revokes at most.</summary>
    public const int SliceRows = 8_192;

    /// <summary>Key of the advisory lock that member $1 holds with its lease session.</summary>
    private const string SessionLock = "(SELECT hashtextextended(uuid::text || '#' || $1::text, 0) FROM cluster WHERE id=1)";

    /// <summary>After a restart of the server nobody has its session back before it has renewed its lease; until then none may judge another's.</summary>
    private static readonly TimeSpan JudgesAfter = TimeSpan.FromSeconds(3);

    private const string ClusterColumns = "c.uuid, c.store_gen, c.view, c.hash_ver, c.cfg_digest, c.forgotten_inc, c.settings_ver";

    private const string Hosted = @"EXISTS (SELECT 1 FROM member WHERE inc=$1 AND (types IS NULL OR strpos(types, E'\n' || shard.type || E'\n') > 0))";

    /// <summary>Rows of the member $3, which is down, that the member $1, which is up, inherits; $4 are the heirs.</summary>
    private const string ToInherit = $"owner_inc=$3 AND ($4)[1 + shard_no % $5]=$1 AND type={Inherited} AND {Hosted}";

    /// <summary>Rows that member $1, which is up, may take; $3 are the stale leases that have not moved.</summary>
    private const string Takable =
        $"""
        target_inc=$1 AND state='free' AND {Hosted}
            AND (prev_inc IS NULL OR prev_inc=ANY($3) OR EXISTS (SELECT 1 FROM shard_type t WHERE t.type=shard.type AND NOT t.exclusive)
                OR EXISTS (SELECT 1 FROM member m WHERE m.inc=shard.prev_inc AND m.dead_proof)
                OR (EXISTS (SELECT 1 FROM member WHERE inc=$1 AND strpos(types, E'\n' || shard.type || E'+crash\n') > 0)
                    AND EXISTS (SELECT 1 FROM member m WHERE m.inc=shard.prev_inc AND m.status='down' AND m.down_reason='crashed')))
        """;

    public const string ShardColumns = "shard_no, type, key, epoch, owner_inc, target_inc, prev_inc, state, next_seq";

    public static ClusterRow ReadClusterRow(PostgresSession db) =>
        (db.Read(ReadClusterRow, $"SELECT {ClusterColumns} FROM cluster c WHERE c.id=1")) is [var row]
            ? row : throw new StoreUnusableException("The cluster row is missing; restore a backup.");

    public static StoreResult<int> RegisterType(PostgresSession db, string type, int shardCount, bool exclusive)
    {
        var first = db.Scalar<long>("SELECT next_shard FROM cluster WHERE id=1 FOR UPDATE") ?? 1;
        var known = db.Read(r => (Count: (int)r.GetInt64(0), Exclusive: r.GetBoolean(1)), "SELECT shard_count, exclusive FROM shard_type WHERE type=$1", type);
        if (known is [var (count, isExclusive)])
            return isExclusive == exclusive ? StoreResult.Ok(count) : StoreResult.Not<int>(StoreVerdict.Conflict, $"{type} is {(exclusive ? "not " : "")}exclusive here.");
        db.Run("INSERT INTO shard_type(type, shard_count, exclusive) VALUES($1, $2, $3)", type, shardCount, exclusive);
        db.Run(
            "INSERT INTO shard(shard_no, type, key, epoch, state, next_seq) SELECT $1+i, $2, i::text, 0, 'free', 1 FROM generate_series(0::bigint, $3-1) i",
            first, type, shardCount);
        db.Run("UPDATE cluster SET next_shard=$1 WHERE id=1", first + shardCount);
        return StoreResult.Ok(shardCount);
    }

    public static StoreResult<Incarnation> NextIncarnation(PostgresSession db) =>
        db.Scalar<long>("UPDATE cluster SET next_inc=next_inc+1 WHERE id=1 RETURNING next_inc-1") is { } inc
            ? StoreResult.Ok(new Incarnation(inc)) : StoreResult.Not<Incarnation>(StoreVerdict.NotSent, "The cluster row is missing; restore a backup.");

    /// <summary>One statement, so that view and members are of one moment.</summary>
    public static StoreResult<ClusterSnapshot> ReadCluster(PostgresSession db)
    {
        var rows = db.Read(
            r => (Cluster: ReadClusterRow(r), Member: r.IsDBNull(7) ? null : ReadMember(r)),
            $"""
            SELECT {ClusterColumns}, inc, name, host, link_address, client_url, roles, zone, weight, proto_min, proto_max, status, up_view, lease_seq,
                lock_path, lock_boot_id, lock_device, lock_inode, lock_nonce, dead_proof, down_view, down_reason, down_by, types
            FROM cluster c LEFT JOIN member ON true WHERE c.id=1 ORDER BY inc
            """);
        return rows.Count == 0
            ? StoreResult.Not<ClusterSnapshot>(StoreVerdict.NotSent, "The cluster row is missing; restore a backup.")
            : StoreResult.Ok(new ClusterSnapshot(rows[0].Cluster, [.. rows.Select(r => r.Member).OfType<MemberRow>()]));
    }

    public static StoreResult<long> FindView(PostgresSession db, Guid opId) =>
        StoreResult.Ok(db.Scalar<long>("SELECT view FROM view_log WHERE op_id=$1", opId) ?? 0);

    public static StoreResult<Renewal> Renew(PostgresSession db, Incarnation inc)
    {
        var renewed = db.Read(
            r => new Renewal(r.GetInt64(0), r.GetInt64(1)),
            $"""
            UPDATE member SET lease_seq=lease_seq+1, lease_at={NowMs} WHERE inc=$1 AND status<>'down'
            RETURNING lease_seq, (SELECT view FROM cluster WHERE id=1)
            """, inc.Value);
        return renewed is [var renewal] ? StoreResult.Ok(renewal) : StoreResult.Not<Renewal>(StoreVerdict.Fenced, $"{inc} is not a live member.");
    }

    /// <summary>
    /// Takes the lock that shows the session, before the renewal: whoever renews has it. In shared form, since a connection of this member that was left behind may have it still; a try
    /// in exclusive form would fail while that stands, and leave a member that lives without any when it falls.
    /// </summary>
    public static void HoldSession(PostgresSession db, Incarnation inc)
    {
        if (db.Member == inc) return;
        if (db.Member is { } former) db.Scalar<bool>($"SELECT pg_advisory_unlock_shared({SessionLock})", former.Value); // An earlier life of this process.
        db.Member = null;
        db.Run($"SELECT pg_advisory_lock_shared({SessionLock})", inc.Value); // Waits for no more than the statement of somebody who asks.
        db.Member = inc;
    }

    /// <summary>Tried in exclusive form, which nobody has for longer than this statement: of two who ask at once one may be told no, and asks again.</summary>
    public static StoreResult<bool> IsSessionGone(PostgresSession db, Incarnation inc) => StoreResult.Ok(
        db.Age >= JudgesAfter && db.Scalar<bool>($"SELECT pg_try_advisory_xact_lock({SessionLock}) FROM member WHERE inc=$1 AND lease_seq>0", inc.Value) is true);

    /// <summary>
    /// The member row stays locked until the commit, so an eviction comes wholly before or wholly after, and sees the rows taken; so do the rows
    /// of members whose leases are said to be stale, so that none moves meanwhile.
    /// </summary>
    public static StoreResult<ImmutableArray<AcquiredShard>> Acquire(PostgresSession db, Incarnation inc, IReadOnlyCollection<LeaseSeen> stale)
    {
        var members = db.Read(
            r => (Lease: new LeaseSeen(new Incarnation(r.GetInt64(0)), r.GetInt64(1)), IsUp: r.GetString(2) == "up"),
            "SELECT inc, lease_seq, status FROM member WHERE inc=ANY($1) ORDER BY inc FOR SHARE", stale.Select(s => s.Inc.Value).Append(inc.Value).ToArray());
        if (!members.Exists(m => m.Lease.Inc == inc && m.IsUp))
            return StoreResult.Not<ImmutableArray<AcquiredShard>>(StoreVerdict.Fenced, $"{inc} is not up.");
        var unmoved = members.Select(m => m.Lease).Intersect(stale).Select(s => s.Inc.Value).ToArray();
        var acquired = Take(db, Takable, inc, unmoved);
        if (acquired.Count > 0) return StoreResult.Ok(acquired.ToImmutableArray()); // Only one of the two ways in a transaction, so that the order of locks is that of numbers.
        foreach (var (down, heirs) in OrphanedBy(db))
        {
            if (heirs is null || !heirs.Contains(inc.Value)) continue;
            acquired = Take(db, ToInherit, inc, down, heirs, heirs.Length);
            if (acquired.Count > 0) break;
        }
        return StoreResult.Ok(acquired.ToImmutableArray());
    }

    /// <summary>Members that are down and have rows, with the heirs that their evictions named; a member's heirs never change.</summary>
    private static List<(long Inc, long[]? Heirs)> OrphanedBy(PostgresSession db) => db.Read(
        r => (r.GetInt64(0), r.IsDBNull(1) ? null : HeirsText.Parse(r.GetString(1))),
        "SELECT inc, heirs FROM member m WHERE status='down' AND EXISTS (SELECT 1 FROM shard WHERE owner_inc=m.inc) ORDER BY inc");

    /// <summary>One statement, since there may be very many. Locked in the order of numbers, as every transaction does, so that none waits in a ring.</summary>
    private static List<AcquiredShard> Take(PostgresSession db, string where, Incarnation inc, params object[] values) => db.Read(
        r => new AcquiredShard(new ShardNo(r.GetInt64(0)), r.GetString(1), r.GetString(2), new Epoch(r.GetInt64(3)), r.GetInt64(4)),
        $"""
        WITH free AS MATERIALIZED (SELECT shard_no FROM shard WHERE {where} ORDER BY shard_no LIMIT $2 FOR UPDATE),
        taken AS (
            UPDATE shard s SET epoch=s.epoch+1, owner_inc=$1, target_inc=$1, prev_inc=NULL, state='owned' FROM free WHERE s.shard_no=free.shard_no
            RETURNING s.shard_no, s.type, s.key, s.epoch, s.next_seq),
        logged AS (
            INSERT INTO shard_log(shard_no, epoch, owner_inc, view, first_seq)
            SELECT t.shard_no, t.epoch, $1, c.view, t.next_seq FROM taken t, cluster c WHERE c.id=1)
        SELECT shard_no, type, key, epoch, next_seq FROM taken ORDER BY shard_no
        """, [inc.Value, SliceRows, .. values]);

    public static StoreResult<ImmutableArray<ShardRow>> ReadShards(PostgresSession db) =>
        StoreResult.Ok((db.Read(ReadShard, $"SELECT {ShardColumns} FROM shard ORDER BY shard_no")).ToImmutableArray());

    public static StoreResult<ShardPicture> ReadPicture(PostgresSession db, Incarnation self)
    {
        var hashed = db.Read(ReadShard, $"SELECT {ShardColumns} FROM shard WHERE type=ANY(ARRAY(SELECT type FROM shard_type WHERE shard_count>0))");
        if (db.Scalar<bool>("SELECT true FROM shard_type WHERE shard_count=0 LIMIT 1") is null) return StoreResult.Ok(new ShardPicture([.. hashed.OrderBy(r => r.No)], 0, 0));
        var unsettled = db.Read(
            ReadShard,
            $"""
            SELECT u.* FROM shard_type t, LATERAL (
                SELECT {ShardColumns} FROM shard s WHERE s.type=t.type AND s.state IN ('free', 'handoff') ORDER BY shard_no LIMIT $1) u
            WHERE t.shard_count=0
            """, ShardPicture.UnsettledMax);
        var (own, marks) = db.Read(
            r => (r.GetInt64(0), r.GetInt64(1)), $"SELECT count(*), coalesce(sum({ShardPicture.MarkSql}), 0)::bigint FROM shard WHERE owner_inc=$1 AND type={Placed}", self.Value)[0];
        return StoreResult.Ok(new ShardPicture([.. hashed.Concat(unsettled).OrderBy(r => r.No)], own, marks));
    }

    public static StoreResult<ImmutableArray<ShardRow>> ReadOwn(PostgresSession db, Incarnation self) => StoreResult.Ok(
        (db.Read(ReadShard, $"SELECT {ShardColumns} FROM shard WHERE owner_inc=$1 AND type={Placed} ORDER BY shard_no", self.Value)).ToImmutableArray());

    /// <summary>The rows that are there, in order.</summary>
    public static StoreResult<ImmutableArray<ShardRow>> FindPlaced(PostgresSession db, IReadOnlyList<ShardPlacement> placements) => StoreResult.Ok(Find(db, placements).Select(f => f.Row).ToImmutableArray());

    public static StoreResult<ImmutableArray<ShardRow>> Place(PostgresSession db, IReadOnlyList<ShardPlacement> placements)
    {
        if (db.Read(r => r.GetString(0), $"SELECT t FROM unnest($1) t WHERE NOT t={Placed} LIMIT 1", (object)placements.Select(p => p.Type).Distinct().ToArray()) is [var other])
            return StoreResult.Not<ImmutableArray<ShardRow>>(StoreVerdict.Conflict, $"{other} is not a type of individually placed entities here.");
        // Locked first: whoever else makes rows has committed, and numbers are given once.
        var first = db.Scalar<long>("SELECT next_shard FROM cluster WHERE id=1 FOR UPDATE") ?? 1;
        var known = Find(db, placements).Select(f => f.Place).ToHashSet();
        var missing = placements.Where((_, i) => !known.Contains(i)).DistinctBy(p => (p.Type, p.Key)).ToArray();
        db.Run(
            """
            INSERT INTO shard(shard_no, type, key, epoch, target_inc, state, next_seq)
            SELECT $1+p.i-1, p.type, p.key, 0, p.target, 'free', 1 FROM unnest($2, $3, $4) WITH ORDINALITY p(type, key, target, i)
            """, first, missing.Select(p => p.Type).ToArray(), missing.Select(p => p.Key).ToArray(), missing.Select(p => p.Target.Value).ToArray());
        db.Run("UPDATE cluster SET next_shard=$1 WHERE id=1", first + missing.Length);
        return FindPlaced(db, placements);
    }

    private static List<(int Place, ShardRow Row)> Find(PostgresSession db, IReadOnlyList<ShardPlacement> placements) => db.Read(
        r => ((int)r.GetInt64(9) - 1, ReadShard(r)),
        // One look-up by key for each, whatever the planner believes to know of the table.
        $"SELECT {ShardColumns}, p.i FROM unnest($1, $2) WITH ORDINALITY p(t, k, i), LATERAL (SELECT * FROM shard WHERE type=p.t AND key=p.k LIMIT 1) s WHERE type={Placed} ORDER BY p.i",
        placements.Select(p => p.Type).ToArray(), placements.Select(p => p.Key).ToArray());

    public static StoreResult<ImmutableArray<ShardNo>> End(PostgresSession db, Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards)
    {
        var ended = Change(
            db, [.. shards.Select(s => new Order(s.Shard, s.Epoch, owner, null))],
            $"owner_inc=NULL, target_inc=NULL, prev_inc=NULL, state='ended', ended_at={NowMs}", $"s.owner_inc=o.first AND s.type={Placed}");
        if (ended.Value.Length > 0) db.Run("DELETE FROM timer WHERE shard_no=ANY($1)", (object)ended.Value.Select(s => s.Value).ToArray());
        return ended;
    }

    public static StoreResult<ImmutableArray<ShardRow>> ReadShards(PostgresSession db, long[] shards) => StoreResult.Ok(
        (db.Read(ReadShard, $"SELECT {ShardColumns} FROM shard WHERE shard_no=ANY($1) ORDER BY shard_no", shards)).ToImmutableArray());

    public static StoreResult<ImmutableArray<ShardNo>> PlanHandoff(PostgresSession db, IReadOnlyCollection<ShardRetarget> plans) => Change(
        db, [.. plans.Select(p => new Order(p.Shard, p.Epoch, p.Target, p.Seen))],
        "state='handoff', target_inc=o.first", "s.state='owned' AND s.target_inc IS NOT DISTINCT FROM o.second");

    public static StoreResult<ImmutableArray<ShardNo>> RevertHandoff(
        PostgresSession db, Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) => Change(
        db, [.. shards.Select(s => new Order(s.Shard, s.Epoch, owner, null))], "state='owned'", "s.state='handoff' AND s.owner_inc=o.first");

    public static StoreResult<ImmutableArray<ShardNo>> Release(PostgresSession db, Incarnation owner, IReadOnlyCollection<ShardRelease> releases) => Change(
        db, [.. releases.Select(r => new Order(r.Shard, r.Epoch, owner, r.Target))],
        "owner_inc=NULL, prev_inc=NULL, state='free', target_inc=coalesce(o.second, s.target_inc)", "s.owner_inc=o.first");

    public static StoreResult<int> ClearPrevious(
        PostgresSession db, Incarnation previous, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards)
    {
        var changed = Change(
            db, [.. shards.Select(s => new Order(s.Shard, s.Epoch, previous, null))], "prev_inc=NULL", "s.prev_inc=o.first");
        return StoreResult.Ok(changed.Value.Length);
    }

    public static StoreResult<int> RevokeOfDown(PostgresSession db, IReadOnlyCollection<Incarnation> heirs, IReadOnlyCollection<Incarnation> trusted)
    {
        foreach (var (down, named) in OrphanedBy(db))
        {
            var isLeftToHeirs = named?.All(h => trusted.Contains(new Incarnation(h))) == true;
            var owned = Revoke(db, isLeftToHeirs ? $"owner_inc=$3 AND NOT type={Inherited}" : "owner_inc=$3", $"LIMIT {SliceRows} FOR UPDATE", heirs, down);
            if (owned > 0) return StoreResult.Ok(owned);
        }
        if (heirs.Count == 0) return StoreResult.Ok(0);
        var aimed = $"state='free' AND type={Placed}";
        var target = $"(SELECT inc FROM member m WHERE status='down' AND EXISTS (SELECT 1 FROM shard s WHERE s.target_inc=m.inc AND {aimed}) ORDER BY inc LIMIT 1)";
        return StoreResult.Ok(Revoke(db, $"target_inc={target} AND {aimed}", $"LIMIT {SliceRows} FOR UPDATE", heirs));
    }

    /// <summary>Revokes by what the rows say once locked, never by a list read before: an acquire that committed meanwhile would keep its rows. Rows of placed types go to the heirs.</summary>
    /// <param name="db">In a transaction.</param>
    /// <param name="where">Which rows; may use the values, of which $1 and $2 are the heirs.</param>
    /// <param name="which">How many, and how they are locked.</param>
    /// <param name="heirs">Each row to the one at its number; none for no target.</param>
    /// <param name="values">From $3 on.</param>
    public static int Revoke(PostgresSession db, string where, string which, IReadOnlyCollection<Incarnation> heirs, params object[] values) => db.Run(
        $"""
        WITH lost AS MATERIALIZED (SELECT shard_no FROM shard WHERE {where} ORDER BY shard_no {which})
        UPDATE shard s SET prev_inc=coalesce(owner_inc, prev_inc), owner_inc=NULL, state='free', target_inc=CASE WHEN type={Placed} THEN ($1)[1 + s.shard_no % $2] END
        FROM lost WHERE s.shard_no=lost.shard_no
        """, [heirs.Select(h => h.Value).ToArray(), Math.Max(1, heirs.Count), .. values]);

    public static StoreResult<ImmutableArray<ShardNo>> Retarget(PostgresSession db, IReadOnlyCollection<ShardRetarget> retargets) => Change(
        db, [.. retargets.Select(r => new Order(r.Shard, r.Epoch, r.Target, r.Seen))],
        "target_inc=o.first", "s.state='free' AND s.target_inc IS NOT DISTINCT FROM o.second");

    /// <summary>Changes the rows that are at their order's epoch and as the condition says. Several orders of one row are obeyed in turn.</summary>
    private static StoreResult<ImmutableArray<ShardNo>> Change(PostgresSession db, Order[] orders, string set, string where)
    {
        if (orders.Length == 0) return StoreResult.Ok(ImmutableArray<ShardNo>.Empty);
        var shards = orders.Select(o => o.Shard.Value).ToArray();
        db.Run("SELECT 1 FROM shard WHERE shard_no=ANY($1) ORDER BY shard_no FOR UPDATE", shards);
        var (turns, turnOf) = (new Dictionary<ShardNo, int>(), new int[orders.Length]);
        for (var i = 0; i < orders.Length; i++) turnOf[i] = turns[orders[i].Shard] = turns.GetValueOrDefault(orders[i].Shard) + 1;
        var done = new bool[orders.Length];
        for (var turn = 1; turn <= turns.Values.Max(); turn++)
        {
            var places = Enumerable.Range(0, orders.Length).Where(i => turnOf[i] == turn).ToArray();
            var changed = db.Read(
                r => (int)r.GetInt64(0),
                $"""
                UPDATE shard s SET {set} FROM unnest($1, $2, $3, $4, $5) o(place, shard_no, epoch, first, second)
                WHERE s.shard_no=o.shard_no AND s.epoch=o.epoch AND {where} RETURNING o.place
                """,
                places.Select(i => (long)i).ToArray(), places.Select(i => shards[i]).ToArray(), places.Select(i => orders[i].Epoch.Value).ToArray(),
                places.Select(i => orders[i].First?.Value).ToArray(), places.Select(i => orders[i].Second?.Value).ToArray());
            foreach (var place in changed) done[place] = true;
        }
        return StoreResult.Ok(orders.Where((_, i) => done[i]).Select(o => o.Shard).ToImmutableArray());
    }

    private static ClusterRow ReadClusterRow(NpgsqlDataReader read) =>
        new(read.GetGuid(0), read.GetInt64(1), read.GetInt64(2), (int)read.GetInt64(3), read.GetString(4), new Incarnation(read.GetInt64(5)), read.GetInt64(6));

    public static ShardRow ReadShard(NpgsqlDataReader read) => new(
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

    /// <summary>A change of one row, with what its condition and its new values need.</summary>
    private readonly record struct Order(ShardNo Shard, Epoch Epoch, Incarnation? First, Incarnation? Second);
}
