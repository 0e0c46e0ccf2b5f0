using ActorCluster.Persistence;
using ActorCluster.Primitives;
using static ActorCluster.TestKit.StoreBench;

namespace ActorCluster.TestKit;

/// <summary>Cases on <see cref="IStoreRecovery"/>.</summary>
internal static class RecoveryConformance
{
    private const long PerGeneration = 1L << 32;

    public static IEnumerable<(string Name, Func<Func<Task<IClusterStore>>, Task> Run)> Cases =>
    [
        ("A recovery begins a generation in which no epoch and no incarnation of before is given again", open => RunAsync(open, async b =>
        {
            var first = await b.MemberAsync().ConfigureAwait(false);
            var second = await b.MemberAsync(up: false).ConfigureAwait(false);
            var shards = await b.AcquireAllAsync(first).ConfigureAwait(false);
            var batch = b.Batch(shards[0], first, 1, "room/a", 1, rows: 2);
            await b.AppendAsync(batch).ConfigureAwait(false);
            var before = (await b.ClusterAsync().ConfigureAwait(false)).Cluster;

            var after = Ok(await Recovery(b).RecoverAsync(b.NewId(), 0, "restored").ConfigureAwait(false), "RecoverAsync");
            Equal(before with { StoreGeneration = before.StoreGeneration + 1, View = before.View + 1 }, after, "One generation and one view more.");
            Equal(after, (await b.ClusterAsync().ConfigureAwait(false)).Cluster, "The row that is returned is the row that is read.");
            foreach (var inc in new[] { first, second })
            {
                var row = await b.MemberRowAsync(inc).ConfigureAwait(false);
                Equal((MemberStatus.Down, after.View, "restored"), (row.Status, row.DownView, row.DownReason), "Every member is down, and says why.");
                Verdict(StoreVerdict.Fenced, await b.Store.RenewAsync(inc).ConfigureAwait(false), "No lease of before lives.");
            }
            foreach (var row in await b.ShardsAsync().ConfigureAwait(false))
            {
                var was = shards.First(s => s.No == row.No);
                Equal(new ShardRow(row.No, row.Type, row.Key, new Epoch(was.Epoch.Value + PerGeneration), null, null, first, ShardState.Free, row.No == shards[0].No ? 3 : 1), row, "Every shard is free and far above its epochs of before; its rows stay.");
            }
            Equal(AppendOutcome.Unexpected, await b.AppendAsync(b.Batch(shards[0], first, 3, "room/a", 3)).ConfigureAwait(false), "Nobody of before writes.");

            var next = await b.MemberAsync().ConfigureAwait(false);
            Equal(second.Value + 1 + PerGeneration, next.Value, "The next incarnation is far above those of before.");
            var acquired = await b.AcquireAllAsync(next).ConfigureAwait(false);
            Equal(shards[0].Epoch.Value + PerGeneration + 1, acquired[0].Epoch.Value, "A shard goes on at the raised epoch.");
            Equal(AppendOutcome.Committed, await b.AppendAsync(b.Batch(acquired[0], next, 3, "room/a", 3)).ConfigureAwait(false), "The room goes on where the store was.");
        })),
        ("A recovery whose reply was lost is not made twice", open => RunAsync(open, async b =>
        {
            var id = b.NewId();
            var once = Ok(await Recovery(b).RecoverAsync(id, 0, "restored").ConfigureAwait(false), "RecoverAsync");
            Equal(once, Ok(await Recovery(b).RecoverAsync(id, 0, "restored").ConfigureAwait(false), "RecoverAsync"), "The same recovery changes nothing.");
            Equal(once.View, Ok(await b.Store.FindViewAsync(id).ConfigureAwait(false), "FindViewAsync"), "It is found by its id.");
            Equal(once.StoreGeneration + 1, Ok(await Recovery(b).RecoverAsync(b.NewId(), 0, "again").ConfigureAwait(false), "RecoverAsync").StoreGeneration, "Another one is another generation.");
        })),
        ("A recovery to a later generation raises by all between", open => RunAsync(open, async b =>
        {
            var inc = Ok(await b.Store.NextIncarnationAsync().ConfigureAwait(false), "NextIncarnationAsync");
            var after = Ok(await Recovery(b).RecoverAsync(b.NewId(), 4, "restored once more").ConfigureAwait(false), "RecoverAsync");
            Equal(4L, after.StoreGeneration, "The generation is the one asked for.");
            Equal(inc.Value + 1 + (3 * PerGeneration), Ok(await b.Store.NextIncarnationAsync().ConfigureAwait(false), "NextIncarnationAsync").Value, "As far above as three recoveries would have raised it.");
            foreach (var row in await b.ShardsAsync().ConfigureAwait(false)) Equal(3 * PerGeneration, row.Epoch.Value, "Epochs too.");
        })),
    ];

    private static IStoreRecovery Recovery(StoreBench bench) =>
        bench.Store as IStoreRecovery ?? throw new StoreConformanceException($"{bench.Store.Description} must be recoverable.");
}
