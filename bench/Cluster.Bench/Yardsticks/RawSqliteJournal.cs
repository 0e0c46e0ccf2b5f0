using ActorCluster.Persistence;
using ActorCluster.Sql;

namespace ActorCluster.Bench.Yardsticks;

/// <summary>Bare inserts into a file: write-ahead log, synchronous FULL, one prepared statement a row.</summary>
internal sealed class RawSqliteJournal : RawJournal
{
    private readonly SqliteSession _db;

    /// <param name="folder">Gets the file.</param>
    /// <param name="rooms">Store keys of the rooms.</param>
    /// <param name="shardOf">For each room the number of its shard, 1 upwards.</param>
    /// <param name="payload">Of every row.</param>
    public RawSqliteJournal(string folder, string[] rooms, long[] shardOf, byte[] payload)
        : base(rooms, shardOf, payload)
    {
        var options = new SqliteStoreOptions { Path = Path.Combine(folder, "raw.db") };
        _db = SqliteSession.Open(options.Path);
        SqliteSchema.Configure(_db, options.CheckpointPages);
        SqliteSchema.Prepare(_db, options, new StoreSeed(""));
        foreach (var shard in shardOf.Distinct())
        {
            _db.Get("INSERT INTO shard(shard_no, type, key, epoch, owner_inc, state, next_seq) VALUES(?1, 'ledger', ?2, 1, ?3, 'owned', 1)")
                .Bind(1, shard).Bind(2, shard).Bind(3, Owner).Run();
        }
    }

    public override void Dispose() => _db.Dispose();

    protected override void Commit(int[] picked, long at)
    {
        _db.Get("BEGIN IMMEDIATE").Run();
        for (var from = 0; from < picked.Length;)
        {
            var (shard, to, batch) = (ShardAt(picked[from]), from, Guid.NewGuid());
            while (to < picked.Length && ShardAt(picked[to]) == shard) Insert(picked[to++], shard, batch, at);
            _db.Get("UPDATE shard SET next_seq=?1, last_batch=?2 WHERE shard_no=?3").Bind(1, NextOfShard(shard)).Bind(2, batch).Bind(3, shard).Run();
            from = to;
        }
        _db.Get("COMMIT").Run();
    }

    private void Insert(int room, long shard, Guid batch, long at)
    {
        var seq = NextOfRoom(room);
        _db.Get(
            """
            INSERT INTO journal(shard_no, shard_seq, entity, entity_seq, epoch, owner_inc, batch_id, client_id, client_seq, kind, payload, result, at, has_result)
            VALUES(?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1)
            """).Bind(1, shard).Bind(2, TakeOfShard(shard)).Bind(3, RoomAt(room)).Bind(4, seq).Bind(5, Owner).Bind(6, batch)
            .BindBigEndian(7, (UInt128)room + 1).Bind(8, seq).Bind(9, Ledger.EntryKind).Bind(10, Payload).Bind(11, Payload.AsSpan(0, 8)).Bind(12, at).Run();
    }
}
