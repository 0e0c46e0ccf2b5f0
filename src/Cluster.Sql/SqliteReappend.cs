using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sql;

/// <summary>The statements that give lost rows back (<see cref="IStoreRecovery.ReappendAsync"/>), run inside a transaction that the caller opened.</summary>
internal sealed class SqliteReappend : IReappendTarget
{
    private readonly SqliteSession _db;
    private readonly long _view;
    private readonly long _nowUnixMs;

    private SqliteReappend(SqliteSession db, long view, long nowUnixMs)
    {
        (_db, _view, _nowUnixMs) = (db, view, nowUnixMs);
        NextIncarnation = db.Get("SELECT next_inc FROM cluster WHERE id=1").Scalar() ?? 0;
    }

    public static StoreResult<ImmutableArray<Reappended>> Run(SqliteSession db, long generation, IReadOnlyList<LostRow> rows, ReappendTrial? trial, long nowUnixMs)
    {
        var cluster = SqliteControl.ReadClusterRow(db);
        var members = db.Get("SELECT name FROM member WHERE status<>'down' LIMIT 1");
        var live = members.Step() ? members.GetText(0) : null;
        members.Reset();
        if (RecoveryRules.Refusal(cluster.StoreGeneration, generation, live) is { } refusal) return StoreResult.Not<ImmutableArray<Reappended>>(StoreVerdict.Conflict, refusal);
        var target = new SqliteReappend(db, cluster.View, nowUnixMs);
        return ReappendRules.Run(trial?.Over(target) ?? target, rows, RecoveryRules.RaiseSince(cluster.StoreGeneration, generation));
    }

    public long NextIncarnation { get; }

    public int? ShardCount(string type) => (int?)_db.Get("SELECT shard_count FROM shard_type WHERE type=?1").Bind(1, type).Scalar();

    public ShardRow? FindShard(string type, string key)
    {
        var read = _db.Get($"SELECT {SqliteControl.ShardColumns} FROM shard WHERE type=?1 AND key=?2").Bind(1, type).Bind(2, key);
        var row = read.Step() ? SqliteControl.ReadShard(read) : null;
        read.Reset();
        return row;
    }

    public ShardRow MakeShard(string type, string key, Epoch epoch)
    {
        _db.Get("INSERT INTO shard(shard_no, type, key, epoch, state, next_seq) SELECT next_shard, ?1, ?2, ?3, 'free', 1 FROM cluster WHERE id=1").Bind(1, type).Bind(2, key).Bind(3, epoch.Value).Run();
        _db.Get("UPDATE cluster SET next_shard=next_shard+1 WHERE id=1").Run();
        return FindShard(type, key)!;
    }

    public (Epoch Epoch, Incarnation Owner)? LastWriter(ShardRow shard)
    {
        var read = _db.Get("SELECT epoch, owner_inc FROM shard_log WHERE shard_no=?1 AND (first_seq IS NULL OR first_seq<?2) ORDER BY epoch DESC LIMIT 1")
            .Bind(1, shard.No.Value).Bind(2, shard.NextSeq);
        (Epoch, Incarnation)? last = read.Step() ? (new Epoch(read.GetLong(0)), new Incarnation(read.GetLong(1))) : null;
        read.Reset();
        return last;
    }

    public Incarnation? OwnerOf(ShardNo shard, Epoch epoch) =>
        _db.Get("SELECT owner_inc FROM shard_log WHERE shard_no=?1 AND epoch=?2").Bind(1, shard.Value).Bind(2, epoch.Value).Scalar() is { } owner ? new Incarnation(owner) : null;

    public long Head(string entity) => _db.Get("SELECT max(entity_seq) FROM journal WHERE entity=?1").Bind(1, entity).Scalar() ?? 0;

    public long First(string entity) => _db.Get("SELECT min(entity_seq) FROM journal WHERE entity=?1").Bind(1, entity).Scalar() ?? 0;

    public IReadOnlyDictionary<long, JournalRow> Stored(string entity, IReadOnlyCollection<long> seqs)
    {
        var found = new Dictionary<long, JournalRow>();
        foreach (var seq in seqs)
            if (SqliteJournal.ReadJournal(_db, entity, seq, 1).Value is [var row] && row.EntitySeq == seq) found[seq] = row;
        return found;
    }

    public IReadOnlySet<CommandId> Commands(string entity, long after, IReadOnlyCollection<CommandId> commands)
    {
        var (wanted, found) = (commands.ToHashSet(), new HashSet<CommandId>());
        if (wanted.Count == 0) return found;
        var read = _db.Get("SELECT client_id, client_seq FROM journal WHERE entity=?1 AND entity_seq>?2 AND client_id IS NOT NULL").Bind(1, entity).Bind(2, after);
        while (read.Step())
            if (new CommandId(new ClientId(read.GetUInt128(0)), read.GetLong(1)) is var command && wanted.Contains(command)) found.Add(command);
        return found;
    }

    public void Append(ShardRow shard, IReadOnlyList<LostRow> rows)
    {
        for (var i = 0; i < rows.Count; i++)
        {
            var (seq, row) = (shard.NextSeq + i, rows[i]);
            // Of the view before which a later epoch was acquired, so that the log's views do not fall.
            if (i == 0 || row.Epoch != rows[i - 1].Epoch)
                _db.Get(
                    """
                    INSERT INTO shard_log(shard_no, epoch, owner_inc, view, first_seq)
                    VALUES(?1, ?2, ?3, coalesce((SELECT min(view) FROM shard_log WHERE shard_no=?1 AND epoch>?2), ?4), ?5) ON CONFLICT(shard_no, epoch) DO NOTHING
                    """).Bind(1, shard.No.Value).Bind(2, row.Epoch.Value).Bind(3, row.Owner.Value).Bind(4, _view).Bind(5, seq).Run();
            SqliteJournal.Insert(_db, shard.No, seq, row.Epoch, row.Owner, row.BatchId, row.Row, _nowUnixMs);
            foreach (var change in row.Row.Timers) SqliteTimers.Change(_db, shard.No, row.Row.Entity, change);
        }
        var next = shard.NextSeq + rows.Count;
        // Nothing was written under later epochs: they begin behind these rows.
        _db.Get("UPDATE shard_log SET first_seq=?3 WHERE shard_no=?1 AND epoch>?2 AND first_seq IS NOT NULL").Bind(1, shard.No.Value).Bind(2, rows[^1].Epoch.Value).Bind(3, next).Run();
        _db.Get("UPDATE shard SET next_seq=?2, last_batch=?3 WHERE shard_no=?1").Bind(1, shard.No.Value).Bind(2, next).Bind(3, rows[^1].BatchId).Run();
    }
}
