using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sql;

/// <summary>The statements of <see cref="IControlStore"/> except the view change, each run inside a transaction that the caller opened.</summary>
internal static class SqliteControl
{
    /// <summary>Rows that one call moves at most, so that none takes long; a renewal waits for the call before it.</summary>
    public const int SliceRows = 4_096;

    /// <summary>The types whose entities are placed individually.</summary>
    public const string Placed = "(SELECT type FROM shard_type WHERE shard_count=0)";

    /// <summary>Those of them whose rows heirs take from an owner that is down.</summary>
    public const string Inherited = "(SELECT type FROM shard_type WHERE shard_count=0 AND exclusive=0)";

    public const string ShardColumns = "shard_no, type, key, epoch, owner_inc, target_inc, prev_inc, state, next_seq";

    private const string Hosted = "EXISTS (SELECT 1 FROM member WHERE inc=?1 AND (types IS NULL OR instr(types, char(10) || shard.type || char(10)) > 0))";

    public static ClusterRow ReadClusterRow(SqliteSession db)
    {
        var read = db.Get("SELECT uuid, store_gen, view, hash_ver, cfg_digest, forgotten_inc, settings_ver FROM cluster WHERE id=1");
        if (!read.Step()) throw new SqliteFailure(SQLitePCL.raw.SQLITE_CORRUPT, "The cluster row is missing; restore a backup.");
        var row = new ClusterRow(read.GetGuid(0), read.GetLong(1), read.GetLong(2), (int)read.GetLong(3), read.GetText(4), new Incarnation(read.GetLong(5)), read.GetLong(6));
        read.Reset();
        return row;
    }

    public static StoreResult<int> RegisterType(SqliteSession db, string type, int shardCount, bool exclusive)
    {
        if (db.Get("SELECT shard_count FROM shard_type WHERE type=?1").Bind(1, type).Scalar() is { } known)
        {
            return db.Get("SELECT exclusive FROM shard_type WHERE type=?1").Bind(1, type).Scalar() == (exclusive ? 1 : 0)
                ? StoreResult.Ok((int)known) : StoreResult.Not<int>(StoreVerdict.Conflict, $"{type} is {(exclusive ? "not " : "")}exclusive here.");
        }
        db.Get("INSERT INTO shard_type(type, shard_count, exclusive) VALUES(?1, ?2, ?3)").Bind(1, type).Bind(2, shardCount).Bind(3, exclusive ? 1 : 0).Run();
        var first = db.Get("SELECT next_shard FROM cluster WHERE id=1").Scalar() ?? 1;
        for (var i = 0; i < shardCount; i++)
        {
            db.Get("INSERT INTO shard(shard_no, type, key, epoch, state, next_seq) VALUES(?1, ?2, ?3, 0, 'free', 1)")
                .Bind(1, first + i).Bind(2, type).Bind(3, i.ToString(CultureInfo.InvariantCulture)).Run();
        }
        db.Get("UPDATE cluster SET next_shard=?1 WHERE id=1").Bind(1, first + shardCount).Run();
        return StoreResult.Ok(shardCount);
    }

    public static StoreResult<Incarnation> NextIncarnation(SqliteSession db) =>
        StoreResult.Ok(new Incarnation(db.Get("UPDATE cluster SET next_inc=next_inc+1 WHERE id=1 RETURNING next_inc-1").RunForScalar()
            ?? throw new SqliteFailure(SQLitePCL.raw.SQLITE_CORRUPT, "The cluster row is missing; restore a backup.")));

    public static StoreResult<ClusterSnapshot> ReadCluster(SqliteSession db)
    {
        var cluster = ReadClusterRow(db);
        var members = ImmutableArray.CreateBuilder<MemberRow>();
        var read = db.Get(
            """
            SELECT inc, name, host, link_address, client_url, roles, zone, weight, proto_min, proto_max, status, up_view, lease_seq,
                lock_path, lock_boot_id, lock_device, lock_inode, lock_nonce, dead_proof, down_view, down_reason, down_by, types
            FROM member ORDER BY inc
            """);
        while (read.Step()) members.Add(ReadMember(read));
        return StoreResult.Ok(new ClusterSnapshot(cluster, members.DrainToImmutable()));
    }

    public static StoreResult<long> FindView(SqliteSession db, Guid opId) =>
        StoreResult.Ok(db.Get("SELECT view FROM view_log WHERE op_id=?1").Bind(1, opId).Scalar() ?? 0);

    public static StoreResult<Renewal> Renew(SqliteSession db, Incarnation inc, long nowUnixMs)
    {
        var lease = db.Get("UPDATE member SET lease_seq=lease_seq+1, lease_at=?2 WHERE inc=?1 AND status<>'down' RETURNING lease_seq")
            .Bind(1, inc.Value).Bind(2, nowUnixMs).RunForScalar();
        if (lease is not { } seq) return StoreResult.Not<Renewal>(StoreVerdict.Fenced, $"{inc} is not a live member.");
        return StoreResult.Ok(new Renewal(seq, db.Get("SELECT view FROM cluster WHERE id=1").Scalar() ?? 0));
    }

    public static StoreResult<ImmutableArray<AcquiredShard>> Acquire(SqliteSession db, Incarnation inc, IReadOnlyCollection<LeaseSeen> stale)
    {
        if (db.Get("SELECT 1 FROM member WHERE inc=?1 AND status='up'").Bind(1, inc.Value).Scalar() is null)
            return StoreResult.Not<ImmutableArray<AcquiredShard>>(StoreVerdict.Fenced, $"{inc} is not up.");
        var acquired = new List<AcquiredShard>();
        Take(
            """
            (prev_inc IS NULL OR EXISTS (SELECT 1 FROM shard_type t WHERE t.type=shard.type AND t.exclusive=0)
                OR EXISTS (SELECT 1 FROM member m WHERE m.inc=shard.prev_inc AND m.dead_proof=1)
                OR (EXISTS (SELECT 1 FROM member WHERE inc=?1 AND instr(types, char(10) || shard.type || '+crash' || char(10)) > 0)
                    AND EXISTS (SELECT 1 FROM member m WHERE m.inc=shard.prev_inc AND m.status='down' AND m.down_reason='crashed')))
            """, null);
        foreach (var seen in stale.TakeWhile(_ => acquired.Count < SliceRows)) Take("prev_inc=?2 AND EXISTS (SELECT 1 FROM member m WHERE m.inc=?2 AND m.lease_seq=?3)", seen);
        foreach (var (down, heirs) in acquired.Count > 0 ? [] : OrphanedBy(db))
        {
            if (acquired.Count > 0 || heirs is null || !heirs.Contains(inc.Value)) continue;
            Collect(db.Get(
                $"""
                UPDATE shard SET epoch=epoch+1, owner_inc=?1, target_inc=?1, prev_inc=NULL, state='owned' WHERE shard_no IN (
                    SELECT shard_no FROM shard WHERE owner_inc=?2 AND type IN {Inherited} AND {Hosted} AND json_extract(?3, '$[' || (shard_no % ?4) || ']')=?1 LIMIT {SliceRows})
                RETURNING shard_no, type, key, epoch, next_seq
                """).Bind(1, inc.Value).Bind(2, down).Bind(3, HeirsText.Of(heirs.Select(h => new Incarnation(h)))).Bind(4, heirs.Length));
        }
        foreach (var shard in acquired)
        {
            db.Get("INSERT INTO shard_log(shard_no, epoch, owner_inc, view, first_seq) SELECT ?1, ?2, ?3, view, ?4 FROM cluster WHERE id=1")
                .Bind(1, shard.No.Value).Bind(2, shard.Epoch.Value).Bind(3, inc.Value).Bind(4, shard.NextSeq).Run();
        }
        return StoreResult.Ok(acquired.OrderBy(s => s.No).ToImmutableArray()); // RETURNING promises no order.

        void Take(string where, LeaseSeen? previous)
        {
            var update = db.Get(
                $"""
                UPDATE shard SET epoch=epoch+1, owner_inc=?1, prev_inc=NULL, state='owned' WHERE shard_no IN (
                    SELECT shard_no FROM shard WHERE target_inc=?1 AND state='free' AND {Hosted} AND {where} LIMIT ?4)
                RETURNING shard_no, type, key, epoch, next_seq
                """).Bind(1, inc.Value).Bind(4, SliceRows - acquired.Count);
            if (previous is { } seen) update.Bind(2, seen.Inc.Value).Bind(3, seen.LeaseSeq);
            Collect(update);
        }

        void Collect(SqliteStatement update)
        {
            while (update.Step())
                acquired.Add(new AcquiredShard(new ShardNo(update.GetLong(0)), update.GetText(1), update.GetText(2), new Epoch(update.GetLong(3)), update.GetLong(4)));
        }
    }

    /// <summary>Members that are down and have rows, with the heirs that their evictions named.</summary>
    private static List<(long Inc, long[]? Heirs)> OrphanedBy(SqliteSession db)
    {
        var members = new List<(long, long[]?)>();
        var read = db.Get("SELECT inc, heirs FROM member m WHERE status='down' AND EXISTS (SELECT 1 FROM shard WHERE owner_inc=m.inc) ORDER BY inc");
        while (read.Step()) members.Add((read.GetLong(0), read.IsNull(1) ? null : HeirsText.Parse(read.GetText(1))));
        return members;
    }

    public static StoreResult<ImmutableArray<ShardRow>> ReadShards(SqliteSession db)
    {
        var rows = ImmutableArray.CreateBuilder<ShardRow>();
        var read = db.Get($"SELECT {ShardColumns} FROM shard ORDER BY shard_no");
        while (read.Step()) rows.Add(ReadShard(read));
        return StoreResult.Ok(rows.DrainToImmutable());
    }

    public static StoreResult<ShardPicture> ReadPicture(SqliteSession db, Incarnation self)
    {
        var rows = ImmutableArray.CreateBuilder<ShardRow>();
        var hashed = db.Get($"SELECT {ShardColumns} FROM shard WHERE type IN (SELECT type FROM shard_type WHERE shard_count>0)");
        while (hashed.Step()) rows.Add(ReadShard(hashed));
        var types = new List<string>();
        var placed = db.Get("SELECT type FROM shard_type WHERE shard_count=0");
        while (placed.Step()) types.Add(placed.GetText(0));
        foreach (var type in types)
        {
            var unsettled = db.Get($"SELECT {ShardColumns} FROM shard INDEXED BY shard_unsettled WHERE state IN ('free', 'handoff') AND +type=?1 ORDER BY shard_no LIMIT {ShardPicture.UnsettledMax}").Bind(1, type);
            while (unsettled.Step()) rows.Add(ReadShard(unsettled));
        }
        rows.Sort(static (a, b) => a.No.CompareTo(b.No));
        var own = db.Get($"SELECT count(*), coalesce(sum({ShardPicture.MarkSql}), 0) FROM shard WHERE owner_inc=?1 AND type IN {Placed}").Bind(1, self.Value);
        own.Step();
        var picture = new ShardPicture(rows.DrainToImmutable(), own.GetLong(0), own.GetLong(1));
        own.Reset();
        return StoreResult.Ok(picture);
    }

    public static StoreResult<ImmutableArray<ShardRow>> ReadOwn(SqliteSession db, Incarnation self)
    {
        var rows = ImmutableArray.CreateBuilder<ShardRow>();
        var read = db.Get($"SELECT {ShardColumns} FROM shard WHERE owner_inc=?1 AND type IN {Placed} ORDER BY shard_no").Bind(1, self.Value);
        while (read.Step()) rows.Add(ReadShard(read));
        return StoreResult.Ok(rows.DrainToImmutable());
    }

    /// <summary>The rows that are there, in order.</summary>
    public static StoreResult<ImmutableArray<ShardRow>> FindPlaced(SqliteSession db, IReadOnlyList<ShardPlacement> placements)
    {
        var rows = ImmutableArray.CreateBuilder<ShardRow>(placements.Count);
        foreach (var (type, key, _) in placements)
        {
            var read = db.Get($"SELECT {ShardColumns} FROM shard WHERE type=?1 AND key=?2 AND type IN {Placed}").Bind(1, type).Bind(2, key);
            if (!read.Step()) continue;
            rows.Add(ReadShard(read));
            read.Reset();
        }
        return StoreResult.Ok(rows.DrainToImmutable());
    }

    public static StoreResult<ImmutableArray<ShardRow>> Place(SqliteSession db, IReadOnlyList<ShardPlacement> placements)
    {
        foreach (var type in placements.Select(p => p.Type).Distinct())
        {
            if (db.Get("SELECT 1 FROM shard_type WHERE type=?1 AND shard_count=0").Bind(1, type).Scalar() is null)
                return StoreResult.Not<ImmutableArray<ShardRow>>(StoreVerdict.Conflict, $"{type} is not a type of individually placed entities here.");
        }
        var first = db.Get("SELECT next_shard FROM cluster WHERE id=1").Scalar() ?? 1;
        var next = first;
        foreach (var (type, key, target) in placements)
        {
            next += db.Get("INSERT INTO shard(shard_no, type, key, epoch, target_inc, state, next_seq) VALUES(?1, ?2, ?3, 0, ?4, 'free', 1) ON CONFLICT(type, key) DO NOTHING")
                .Bind(1, next).Bind(2, type).Bind(3, key).Bind(4, target.Value).Run();
        }
        if (next > first) db.Get("UPDATE cluster SET next_shard=?1 WHERE id=1").Bind(1, next).Run();
        return FindPlaced(db, placements);
    }

    public static StoreResult<ImmutableArray<ShardNo>> End(SqliteSession db, Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards, long nowUnixMs)
    {
        var ended = Changed(
            shards, s => s.Shard,
            s => db.Get($"UPDATE shard SET owner_inc=NULL, target_inc=NULL, prev_inc=NULL, state='ended', ended_at=?4 WHERE shard_no=?1 AND epoch=?2 AND owner_inc=?3 AND type IN {Placed}")
                .Bind(1, s.Shard.Value).Bind(2, s.Epoch.Value).Bind(3, owner.Value).Bind(4, nowUnixMs));
        foreach (var shard in ended.Value) db.Get("DELETE FROM timer WHERE shard_no=?1").Bind(1, shard.Value).Run();
        return ended;
    }

    public static StoreResult<ImmutableArray<ShardRow>> ReadShards(SqliteSession db, IReadOnlyCollection<ShardNo> shards)
    {
        var rows = ImmutableArray.CreateBuilder<ShardRow>();
        var read = db.Get($"SELECT {ShardColumns} FROM shard WHERE shard_no=?1");
        foreach (var no in shards.Distinct().Order())
        {
            if (!read.Bind(1, no.Value).Step()) continue;
            rows.Add(ReadShard(read));
            read.Reset();
        }
        return StoreResult.Ok(rows.DrainToImmutable());
    }

    public static StoreResult<ImmutableArray<ShardNo>> PlanHandoff(SqliteSession db, IReadOnlyCollection<ShardRetarget> plans) => Changed(
        plans, p => p.Shard,
        p => db.Get("UPDATE shard SET state='handoff', target_inc=?1 WHERE shard_no=?2 AND state='owned' AND epoch=?3 AND target_inc IS ?4")
            .Bind(1, p.Target.Value).Bind(2, p.Shard.Value).Bind(3, p.Epoch.Value).Bind(4, p.Seen?.Value));

    public static StoreResult<ImmutableArray<ShardNo>> RevertHandoff(
        SqliteSession db, Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) => Changed(
        shards, s => s.Shard,
        s => db.Get("UPDATE shard SET state='owned' WHERE shard_no=?1 AND state='handoff' AND epoch=?2 AND owner_inc=?3")
            .Bind(1, s.Shard.Value).Bind(2, s.Epoch.Value).Bind(3, owner.Value));

    public static StoreResult<ImmutableArray<ShardNo>> Release(SqliteSession db, Incarnation owner, IReadOnlyCollection<ShardRelease> releases) => Changed(
        releases, r => r.Shard,
        r => db.Get(
            """
            UPDATE shard SET owner_inc=NULL, prev_inc=NULL, state='free', target_inc=coalesce(?1, target_inc)
            WHERE shard_no=?2 AND epoch=?3 AND owner_inc=?4
            """).Bind(1, r.Target?.Value).Bind(2, r.Shard.Value).Bind(3, r.Epoch.Value).Bind(4, owner.Value));

    public static StoreResult<int> ClearPrevious(SqliteSession db, Incarnation previous, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards)
    {
        var changed = Changed(
            shards, s => s.Shard,
            s => db.Get("UPDATE shard SET prev_inc=NULL WHERE shard_no=?1 AND epoch=?2 AND prev_inc=?3")
                .Bind(1, s.Shard.Value).Bind(2, s.Epoch.Value).Bind(3, previous.Value));
        return StoreResult.Ok(changed.Value.Length);
    }

    public static StoreResult<int> RevokeOfDown(SqliteSession db, IReadOnlyCollection<Incarnation> heirs, IReadOnlyCollection<Incarnation> trusted)
    {
        foreach (var (down, named) in OrphanedBy(db))
        {
            var isLeftToHeirs = named?.All(h => trusted.Contains(new Incarnation(h))) == true;
            var owned = Revoke(db, isLeftToHeirs ? $"owner_inc=?1 AND type NOT IN {Inherited}" : "owner_inc=?1", new Incarnation(down), SliceRows, heirs);
            if (owned > 0) return StoreResult.Ok(owned);
        }
        return StoreResult.Ok(heirs.Count == 0 ? 0
            : Revoke(db, $"state='free' AND target_inc IN (SELECT inc FROM member WHERE status='down') AND type IN {Placed}", default, SliceRows, heirs));
    }

    /// <summary>Revokes by what the rows say now, never by a list read before: an acquire that committed meanwhile would keep its rows. Rows of placed types go to the heirs.</summary>
    /// <param name="db">In a transaction.</param>
    /// <param name="where">Which rows; ?1 is the member.</param>
    /// <param name="inc">The member.</param>
    /// <param name="limit">How many at most; below 0 all.</param>
    /// <param name="heirs">Each row to the one at its number; none for no target.</param>
    public static int Revoke(SqliteSession db, string where, Incarnation inc, int limit, IReadOnlyCollection<Incarnation> heirs) => db.Get(
        $"""
        UPDATE shard SET prev_inc=coalesce(owner_inc, prev_inc), owner_inc=NULL, state='free',
            target_inc=CASE WHEN type IN {Placed} THEN json_extract(?2, '$[' || (shard_no % ?3) || ']') END
        WHERE shard_no IN (SELECT shard_no FROM shard WHERE {where} LIMIT ?4)
        """).Bind(1, inc.Value).Bind(2, HeirsText.Of(heirs)).Bind(3, Math.Max(1, heirs.Count)).Bind(4, limit).Run();

    public static StoreResult<ImmutableArray<ShardNo>> Retarget(SqliteSession db, IReadOnlyCollection<ShardRetarget> retargets) => Changed(
        retargets, r => r.Shard,
        r => db.Get("UPDATE shard SET target_inc=?1 WHERE shard_no=?2 AND state='free' AND epoch=?3 AND target_inc IS ?4")
            .Bind(1, r.Target.Value).Bind(2, r.Shard.Value).Bind(3, r.Epoch.Value).Bind(4, r.Seen?.Value));

    private static StoreResult<ImmutableArray<ShardNo>> Changed<T>(
        IReadOnlyCollection<T> orders, Func<T, ShardNo> shardOf, Func<T, SqliteStatement> update)
    {
        var changed = ImmutableArray.CreateBuilder<ShardNo>();
        foreach (var order in orders)
            if (update(order).Run() == 1) changed.Add(shardOf(order));
        return StoreResult.Ok(changed.DrainToImmutable());
    }

    public static ShardRow ReadShard(SqliteStatement read) => new(
        new ShardNo(read.GetLong(0)), read.GetText(1), read.GetText(2), new Epoch(read.GetLong(3)),
        ReadIncarnation(read, 4), ReadIncarnation(read, 5), ReadIncarnation(read, 6),
        ShardStateText.Parse(read.GetText(7), read.GetLong(0)),
        read.GetLong(8));

    private static MemberRow ReadMember(SqliteStatement read) => new()
    {
        Inc = new Incarnation(read.GetLong(0)),
        Name = read.GetText(1),
        Host = read.GetText(2),
        LinkAddress = read.GetText(3),
        ClientUrl = read.GetText(4),
        Roles = [.. read.GetText(5).Split('\n', StringSplitOptions.RemoveEmptyEntries)],
        Zone = read.GetText(6),
        Weight = read.GetDouble(7),
        ProtoMin = (int)read.GetLong(8),
        ProtoMax = (int)read.GetLong(9),
        Status = MemberStatusText.Parse(read.GetText(10)),
        UpView = read.GetLong(11),
        LeaseSeq = read.GetLong(12),
        LockFile = read.IsNull(13) ? null : new NodeLockProof(read.GetText(13), read.GetText(14), read.GetLong(15), read.GetLong(16), read.GetText(17)),
        DeadProof = read.GetLong(18) != 0,
        DownView = read.GetLong(19),
        DownReason = read.GetText(20),
        DownBy = new Incarnation(read.GetLong(21)),
        Types = read.IsNull(22) ? null : [.. read.GetText(22).Split('\n', StringSplitOptions.RemoveEmptyEntries)],
    };

    private static Incarnation? ReadIncarnation(SqliteStatement read, int column) =>
        read.GetNullableLong(column) is { } value ? new Incarnation(value) : null;
}
