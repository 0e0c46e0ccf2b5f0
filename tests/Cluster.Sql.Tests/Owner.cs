using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sql.Tests;

/// <summary>A member that is up and owns shards, and the batches it writes.</summary>
public sealed record Owner(IClusterStore Store, Incarnation Inc, ImmutableArray<AcquiredShard> Shards)
{
    public static async Task<Owner> OfAsync(IClusterStore store, int shards)
    {
        // As a node does: on a busy machine the tables of a new store may take longer than a short call time-out.
        for (var attempt = 1; await store.OpenAsync(new StoreSeed("digest"), CancellationToken.None) is { IsOk: false } refused; attempt++)
            Assert.True(attempt < 20, refused.Reason);
        var inc = (await store.NextIncarnationAsync()).Value;
        await store.RegisterTypeAsync($"type{inc.Value}", shards);
        return await JoinAsync(store, inc, $"type{inc.Value}", row => row);
    }

    /// <summary>A new member that takes over all free shards of a type.</summary>
    public static async Task<Owner> JoinAsync(IClusterStore store, string type, Func<MemberRow, MemberRow>? with = null) =>
        await JoinAsync(store, (await store.NextIncarnationAsync()).Value, type, with ?? (row => row));

    private static async Task<Owner> JoinAsync(IClusterStore store, Incarnation inc, string type, Func<MemberRow, MemberRow> with)
    {
        var row = with(new MemberRow { Inc = inc, Name = $"n{inc.Value}", Host = "h", LinkAddress = $"h:{inc.Value}", ClientUrl = "" });
        StoreResult<long> joined;
        do
        {
            var view = (await store.ReadClusterAsync()).Value!.Cluster.View;
            joined = await store.ChangeViewAsync(new ViewChange
            {
                OpId = Guid.NewGuid(),
                By = inc,
                BasedOn = view,
                Members = [new MemberChange.Join(row), new MemberChange.Up(inc)],
                Reason = "test",
            });
        }
        while (joined.Verdict == StoreVerdict.Conflict);
        var free = (await store.ReadShardsAsync()).Value.Where(r => r.Type == type);
        await store.RetargetAsync([.. free.Select(r => new ShardRetarget(r.No, r.Epoch, r.Target, inc))]);
        var acquired = ImmutableArray.CreateBuilder<AcquiredShard>();
        while ((await store.AcquireAsync(inc)).Value is { Length: > 0 } some) acquired.AddRange(some);
        return new Owner(store, inc, [.. acquired.OrderBy(s => s.No)]);
    }

    public ShardBatch Batch(int shard, long seq, int rows = 1, int payloadBytes = 100) => new(
        Shards[shard].No, Shards[shard].Epoch, Inc, seq, Guid.NewGuid(),
        [.. Enumerable.Range(0, rows).Select(i => new JournalRow(
            $"room/{Shards[shard].No.Value}", seq + i, new CommandId(new ClientId(5), seq + i), "said.v1", new byte[payloadBytes], new byte[8], 0))]);

    public async Task<StoreResult<AppendOutcome>> AppendAsync(ShardBatch batch)
    {
        var result = await Store.AppendAsync([batch]);
        return result.IsOk ? StoreResult.Ok(result.Value[0]) : StoreResult.Not<AppendOutcome>(result.Verdict, result.Reason!);
    }
}
