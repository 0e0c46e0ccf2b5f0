using System.Diagnostics;

namespace ActorCluster.Bench.Yardsticks;

/// <summary>
/// One loop that inserts journal rows into a store of the product's own schema and settings, so many a commit, and raises the sequence of each shard once
/// a commit, as whoever writes this schema must.
/// </summary>
/// <remarks>Left out: callers and their replies, entities, the fence, batches that can be refused one by one, the turns that other processes would need.</remarks>
internal abstract class RawJournal(string[] rooms, long[] shardOf, byte[] payload) : IDisposable
{
    protected const long Owner = 1;

    private readonly long[] _entitySeqs = new long[rooms.Length];
    private readonly Dictionary<long, long> _shardSeqs = shardOf.Distinct().ToDictionary(s => s, _ => 1L);
    private long _done;

    protected byte[] Payload => payload;

    /// <summary>Inserts for a while.</summary>
    /// <param name="rowsPerCommit">1 or more.</param>
    /// <param name="seconds">How long.</param>
    public Window Run(int rowsPerCommit, double seconds)
    {
        var (close, started, rows) = (Window.Open(), Stopwatch.GetTimestamp(), 0L);
        var picked = new int[rowsPerCommit];
        while (Stopwatch.GetElapsedTime(started).TotalSeconds < seconds)
        {
            for (var i = 0; i < rowsPerCommit; i++) picked[i] = (int)(_done++ * 31 % rooms.Length);
            Array.Sort(picked, (a, b) => shardOf[a].CompareTo(shardOf[b]));
            Commit(picked, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
            rows += rowsPerCommit;
        }
        return close(rows);
    }

    public abstract void Dispose();

    /// <summary>Inserts a row into each room named, sorted by shard, and raises the shards.</summary>
    protected abstract void Commit(int[] picked, long at);

    protected string RoomAt(int index) => rooms[index];

    protected long ShardAt(int index) => shardOf[index];

    protected long NextOfRoom(int index) => ++_entitySeqs[index];

    protected long TakeOfShard(long shard) => _shardSeqs[shard]++;

    protected long NextOfShard(long shard) => _shardSeqs[shard];
}
