using System.Collections.Immutable;
using ActorCluster.Persistence;

namespace ActorCluster.Entities;

/// <summary>What the store has taken in the last seconds: all that can still be told of it, should the store forget it (protocol 4.6).</summary>
/// <remarks>Not thread-safe. Bounded by time and size; of more the newest is kept.</remarks>
internal sealed class AckedBatches
{
    /// <summary>Longer than it takes to notice that the store has forgotten something.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromSeconds(10);

    /// <summary>Of the file that they are written to.</summary>
    public const long BytesMax = 64 * 1024 * 1024;

    private readonly Queue<(TimeSpan At, long Bytes, ShardBatch Batch)> _batches = new();
    private long _bytes;

    public void Add(ShardBatch batch, TimeSpan now)
    {
        var bytes = SizeOf(batch);
        _batches.Enqueue((now, bytes, batch));
        _bytes += bytes;
        while (_batches.TryPeek(out var oldest) && (_bytes > BytesMax || now - oldest.At > Kept))
        {
            _batches.Dequeue();
            _bytes -= oldest.Bytes;
        }
    }

    /// <summary>Those of the last seconds, oldest first.</summary>
    public ImmutableArray<ShardBatch> Latest(TimeSpan now) => [.. _batches.Where(b => now - b.At <= Kept).Select(b => b.Batch)];

    /// <summary>As a line of the file each: base 64 takes four characters for three bytes.</summary>
    private static long SizeOf(ShardBatch batch)
    {
        long bytes = 0;
        foreach (var row in batch.Rows)
        {
            bytes += 500 + (6L * row.Entity.Length) + (((row.Payload.Length + (row.Result?.Length ?? 0)) / 3 + 2) * 4L);
            foreach (var change in row.Timers) bytes += 600 + ((change.Timer?.Payload.Length ?? 0) / 3 + 1) * 4L;
        }
        return bytes;
    }
}
