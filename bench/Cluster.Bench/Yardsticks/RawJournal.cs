using System.Diagnostics;
using ActorCluster.Persistence;
using ActorCluster.Sql;

namespace ActorCluster.Bench.Yardsticks;

/// <summary>
/// One loop that inserts journal rows into a file of the product's own schema and settings (write-ahead log, synchronous FULL), so many a commit, and raises the
/// sequence of each shard once a commit, as whoever writes this schema must.
/// </summary>
/// <remarks>Left out: callers and their replies, entities, the fence and the savepoint of each batch, the turnstile that other processes would need.</remarks>
internal sealed class RawJournal : IDisposable
{
    private const long Owner = 1;

    private readonly SqliteSession _db;
    private readonly string[] _rooms;
    private readonly long[] _shardOf;
    private readonly long[] _entitySeqs;
    private readonly Dictionary<long, long> _shardSeqs = [];
    private readonly byte[] _payload;
    private long _done;

    /// <param name="folder">Gets the file.</param>
    /// <param name="rooms">Store keys of the rooms.</param>
    /// <param name="shardOf">For each room the number of its shard, 1 upwards.</param>
    /// <param name="payload">Of every row.</param>
    public RawJournal(string folder, string[] rooms, long[] shardOf, byte[] payload)
    {
        (_rooms, _shardOf, _payload, _entitySeqs) = (rooms, shardOf, payload, new long[rooms.Length]);
        var options = new SqliteStoreOptions { Path = Path.Combine(folder, "raw.db") };
        _db = SqliteSession.Open(options.Path);
        SqliteSchema.Configure(_db, options.CheckpointPages);
        SqliteSchema.Prepare(_db, options, new StoreSeed(""));
        foreach (var shard in shardOf.Distinct())
        {
            _shardSeqs[shard] = 1;
            _db.Get("INSERT INTO shard(shard_no, type, key, epoch, owner_inc, state, next_seq) VALUES(?1, 'ledger', ?2, 1, ?3, 'owned', 1)")
                .Bind(1, shard).Bind(2, shard).Bind(3, Owner).Run();
        }
    }

    /// <summary>Inserts for a while.</summary>
    /// <param name="rowsPerCommit">1 or more.</param>
    /// <param name="seconds">How long.</param>
    public Window Run(int rowsPerCommit, double seconds)
    {
        var (close, started, rows) = (Window.Open(), Stopwatch.GetTimestamp(), 0L);
        var picked = new int[rowsPerCommit];
        while (Stopwatch.GetElapsedTime(started).TotalSeconds < seconds)
        {
            for (var i = 0; i < rowsPerCommit; i++) picked[i] = (int)(_done++ * 31 % _rooms.Length);
            Array.Sort(picked, (a, b) => _shardOf[a].CompareTo(_shardOf[b]));
            Commit(picked);
            rows += rowsPerCommit;
        }
        return close(rows);
    }

    public void Dispose() => _db.Dispose();

    private void Commit(int[] picked)
    {
        var at = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        _db.Get("BEGIN IMMEDIATE").Run();
        for (var from = 0; from < picked.Length;)
        {
            var (shard, to, batch) = (_shardOf[picked[from]], from, Guid.NewGuid());
            while (to < picked.Length && _shardOf[picked[to]] == shard) Insert(picked[to++], shard, batch, at);
            _db.Get("UPDATE shard SET next_seq=?1, last_batch=?2 WHERE shard_no=?3").Bind(1, _shardSeqs[shard]).Bind(2, batch).Bind(3, shard).Run();
            from = to;
        }
        _db.Get("COMMIT").Run();
    }

    private void Insert(int room, long shard, Guid batch, long at)
    {
        var seq = ++_entitySeqs[room];
        _db.Get(
            """
            INSERT INTO journal(shard_no, shard_seq, entity, entity_seq, epoch, owner_inc, batch_id, client_id, client_seq, kind, payload, result, at, has_result)
            VALUES(?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1)
            """).Bind(1, shard).Bind(2, _shardSeqs[shard]++).Bind(3, _rooms[room]).Bind(4, seq).Bind(5, Owner).Bind(6, batch)
            .BindBigEndian(7, (UInt128)room + 1).Bind(8, seq).Bind(9, Ledger.EntryKind).Bind(10, _payload).Bind(11, _payload.AsSpan(0, 8)).Bind(12, at).Run();
    }
}
