using System.Collections.Concurrent;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

/// <summary>What racing clients were told, and whether a store's end state can be explained by it (protocol section 8: I1, I2, I4).</summary>
internal sealed class RacingHistory
{
    private readonly ConcurrentBag<(ShardNo Shard, Epoch Epoch, Incarnation Owner)> _acquired = [];
    private readonly ConcurrentBag<ShardBatch> _committed = [];
    private long _sequence;

    /// <summary>A command id that nobody had.</summary>
    public CommandId NewCommand() => new(new ClientId(77), Interlocked.Increment(ref _sequence));

    public void Acquired(ShardNo shard, Epoch epoch, Incarnation owner) => _acquired.Add((shard, epoch, owner));

    public void Committed(ShardBatch batch) => _committed.Add(batch);

    public async Task CheckAsync(IClusterStore store)
    {
        var owners = new Dictionary<(ShardNo, Epoch), Incarnation>();
        foreach (var (shard, epoch, owner) in _acquired)
            if (!owners.TryAdd((shard, epoch), owner)) Fail($"Epoch {epoch} of shard {shard} has two owners, {owners[(shard, epoch)]} and {owner} (I1).");

        var cluster = StoreBench.Ok(await store.ReadClusterAsync().ConfigureAwait(false), "ReadClusterAsync");
        foreach (var row in StoreBench.Ok(await store.ReadShardsAsync().ConfigureAwait(false), "ReadShardsAsync"))
        {
            if (row.Owner is { } owner && cluster.Find(owner) is not { IsLive: true }) Fail($"Shard {row.No} is owned by {owner}, which is down.");
            var acquires = _acquired.Where(a => a.Shard == row.No).ToArray();
            if (acquires.Length != row.Epoch.Value) Fail($"Shard {row.No} is at epoch {row.Epoch} after {acquires.Length} acquires.");
            await CheckShardAsync(store, row, owners).ConfigureAwait(false);
        }
    }

    private async Task CheckShardAsync(IClusterStore store, ShardRow row, Dictionary<(ShardNo, Epoch), Incarnation> owners)
    {
        var (next, epoch) = (1L, new Epoch(0));
        foreach (var batch in _committed.Where(b => b.Shard == row.No).OrderBy(b => b.ExpectedSeq))
        {
            if (batch.ExpectedSeq != next) Fail($"Shard {row.No} has a batch at {batch.ExpectedSeq} where {next} was next (I2).");
            if (batch.Epoch < epoch) Fail($"Shard {row.No} has epoch {batch.Epoch} behind {epoch} (I2).");
            if (!owners.TryGetValue((row.No, batch.Epoch), out var owner) || owner != batch.Owner) Fail($"{batch.Owner} wrote to shard {row.No} at epoch {batch.Epoch}, which it never acquired (I2).");
            (next, epoch) = (next + batch.Rows.Length, batch.Epoch);
        }
        if (row.NextSeq != next) Fail($"Shard {row.No} expects {row.NextSeq} next, after rows up to {next - 1}.");

        var rows = StoreBench.Ok(await store.ReadJournalAsync(RacingClient.EntityOf(row.No), 1, 10_000).ConfigureAwait(false), "ReadJournalAsync");
        var told = _committed.Where(b => b.Shard == row.No).OrderBy(b => b.ExpectedSeq).SelectMany(b => b.Rows).Select(StoreText.Of);
        StoreBench.Sequence(told, rows.Select(StoreText.Of), $"The journal of shard {row.No} is what was told to be committed (I3).");
        if (rows.DistinctBy(r => r.Command).Count() != rows.Length) Fail($"Shard {row.No} has a command twice (I4).");
    }

    private static void Fail(string message) => throw new StoreConformanceException(message);
}
