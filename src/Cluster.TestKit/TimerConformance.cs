using ActorCluster.Persistence;
using ActorCluster.Primitives;
using static ActorCluster.TestKit.StoreBench;

namespace ActorCluster.TestKit;

/// <summary>Cases on timers: written by the rows that set and end them, read by the owner of their shard.</summary>
internal static class TimerConformance
{
    private const string Entity = "counter/x";

    public static IEnumerable<(string Name, Func<Func<Task<IClusterStore>>, Task> Run)> Cases =>
    [
        ("A timer is there if and only if the row that sets it is committed", open => RunAsync(open, async b =>
        {
            var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
            var sets = With(b.Batch(shard, a, 1, Entity, 1, rows: 2), 1, Set("k", 128, 500), Set("Ünï", 129, 100) with { Timer = TimerOf("Ünï", 129, 100) with { Payload = ReadOnlyMemory<byte>.Empty } });
            foreach (var refused in new[] { sets with { Epoch = new Epoch(0) }, sets with { Owner = new Incarnation(99) }, sets with { ExpectedSeq = 3 } })
                Equal(AppendOutcome.Unexpected, await b.AppendAsync(refused with { BatchId = b.NewId() }).ConfigureAwait(false), "A fenced batch.");
            Sequence([], await TextsAsync(b, shard.No).ConfigureAwait(false), "It leaves no timer.");
            Equal(AppendOutcome.Committed, await b.AppendAsync(sets).ConfigureAwait(false), "The owner's.");
            Sequence(["1 counter/x k 128 at 500 remind.v1 0708", "1 counter/x Ünï 129 at 100 remind.v1 "], await TextsAsync(b, shard.No).ConfigureAwait(false), "By key, as they were set.");
            Equal(0, (await b.Store.ReadTimersAsync(shard.No, "counter/X").ConfigureAwait(false)).Value!.Timers.Length, "Ids are case-sensitive.");
            var twin = With(b.Batch(shard, a, 3, Entity, 2), 0, Set("late", 130, 1));
            Equal(AppendOutcome.Unexpected, await b.AppendAsync(twin).ConfigureAwait(false), "A row that exists.");
            Equal(2, (await TextsAsync(b, shard.No).ConfigureAwait(false)).Length, "It takes its timer with it.");
        })),
        ("A row replaces and ends timers, and of one batch the last change stands", open => RunAsync(open, async b =>
        {
            var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
            await b.AppendAsync(With(b.Batch(shard, a, 1, Entity, 1), 0, Set("a", 64, 10), Set("b", 65, 20), Set("c", 66, 30))).ConfigureAwait(false);
            var batch = b.Batch(shard, a, 2, Entity, 2, rows: 3);
            batch = With(With(With(batch, 0, Set("a", 128, 11), Set("b", 129, 21), Ended("c"), Ended("none")), 1, Ended("b"), Set("d", 192, 40)), 2, Set("b", 256, 22), Ended("d"));
            Equal(AppendOutcome.Committed, await b.AppendAsync(batch).ConfigureAwait(false), "The owner's.");
            Sequence(["1 counter/x a 128 at 11 remind.v1 0708", "1 counter/x b 256 at 22 remind.v1 0708"], await TextsAsync(b, shard.No).ConfigureAwait(false), "What the last change of each has left.");
        })),
        ("An owner reads the timers of its shards by time, in pages, and nobody else's", open => RunAsync(open, async b =>
        {
            var a = await b.MemberAsync().ConfigureAwait(false);
            var shards = await b.AcquireAllAsync(a).ConfigureAwait(false);
            Ok(await b.Store.AppendAsync(
            [
                With(b.Batch(shards[1], a, 1, "counter/q", 1), 0, Set("k", 64, 20), Set("l", 65, 10)),
                With(b.Batch(shards[0], a, 1, "counter/p", 1), 0, Set("k", 64, 20), Set("j", 65, 20), Set("m", 66, 31)),
                With(b.Batch(shards[2], a, 1, "counter/r", 1), 0, Set("k", 64, 30)),
            ]).ConfigureAwait(false), "AppendAsync");
            string[] all = ["2 counter/q l 65 at 10", "1 counter/p j 65 at 20", "1 counter/p k 64 at 20", "2 counter/q k 64 at 20", "3 counter/r k 64 at 30", "1 counter/p m 66 at 31"];
            foreach (var limit in new[] { 1, 2, 4, 100 })
            {
                var found = new List<TimerRow>();
                while (Ok(await b.Store.ReadTimersAsync(a, 31, found.LastOrDefault(), limit).ConfigureAwait(false), "ReadTimersAsync").Timers is { Length: > 0 } page) found.AddRange(page);
                Sequence(all[..5].Select(t => t + " remind.v1 0708"), found.Select(StoreText.Of), $"Those due before a time, by {limit}.");
            }
            var clock = Ok(await b.Store.ReadTimersAsync(a, 0, null, 10).ConfigureAwait(false), "ReadTimersAsync");
            Equal((0, true), (clock.Timers.Length, clock.NowUnixMs > 1_600_000_000_000), "Without timers the store's clock is read.");
            Equal(0, Ok(await b.Store.ReadTimersAsync(new Incarnation(99), 100, null, 10).ConfigureAwait(false), "ReadTimersAsync").Timers.Length, "Another's shards are not the caller's.");

            var next = await b.MemberAsync().ConfigureAwait(false);
            await b.ViewAsync(new MemberChange.Down(a, "test")).ConfigureAwait(false);
            Equal(0, Ok(await b.Store.ReadTimersAsync(a, 100, null, 10).ConfigureAwait(false), "ReadTimersAsync").Timers.Length, "Nobody's while the shards are free.");
            await b.AcquireAllAsync(next).ConfigureAwait(false);
            Equal(6, Ok(await b.Store.ReadTimersAsync(next, 100, null, 10).ConfigureAwait(false), "ReadTimersAsync").Timers.Length, "The new owner finds all of them.");
        })),
        ("A timer that had no effect is removed by its number, and by its owner alone", open => RunAsync(open, async b =>
        {
            var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
            await b.AppendAsync(With(b.Batch(shard, a, 1, Entity, 1), 0, Set("k", 64, 10))).ConfigureAwait(false);
            Verdict(StoreVerdict.Fenced, await b.Store.RemoveTimerAsync(shard.No, new Epoch(0), a, Entity, 64).ConfigureAwait(false), "An older epoch.");
            Verdict(StoreVerdict.Fenced, await b.Store.RemoveTimerAsync(shard.No, shard.Epoch, new Incarnation(99), Entity, 64).ConfigureAwait(false), "Another owner.");
            Equal(false, Ok(await b.Store.RemoveTimerAsync(shard.No, shard.Epoch, a, Entity, 65).ConfigureAwait(false), "RemoveTimerAsync"), "A number that it has not any more.");
            Equal(1, (await TextsAsync(b, shard.No).ConfigureAwait(false)).Length, "So it is still there.");
            Equal(true, Ok(await b.Store.RemoveTimerAsync(shard.No, shard.Epoch, a, Entity, 64).ConfigureAwait(false), "RemoveTimerAsync"), "The one that is there.");
            Equal(false, Ok(await b.Store.RemoveTimerAsync(shard.No, shard.Epoch, a, Entity, 64).ConfigureAwait(false), "RemoveTimerAsync"), "It is gone.");
        })),
        ("A recovery keeps the timers", open => RunAsync(open, async b =>
        {
            var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
            await b.AppendAsync(With(b.Batch(shard, a, 1, Entity, 1), 0, Set("k", 64, 10))).ConfigureAwait(false);
            if (b.Store is not IStoreRecovery recovery) throw new StoreConformanceException("The store cannot be recovered.");
            Ok(await recovery.RecoverAsync(b.NewId(), 0, "restored").ConfigureAwait(false), "RecoverAsync");
            var next = await b.MemberAsync().ConfigureAwait(false);
            await b.AcquireAllAsync(next).ConfigureAwait(false);
            Sequence(["1 counter/x k 64 at 10 remind.v1 0708"], Ok(await b.Store.ReadTimersAsync(next, 100, null, 10).ConfigureAwait(false), "ReadTimersAsync").Timers.Select(StoreText.Of), "They are the next owner's.");
        })),
    ];

    public static TimerChange Set(string key, long no, long due) => new(key, TimerOf(key, no, due));

    public static TimerChange Ended(string key) => new(key, null);

    private static DurableTimer TimerOf(string key, long no, long due) => new(key, no, due, "remind.v1", new byte[] { 7, 8 });

    public static ShardBatch With(ShardBatch batch, int row, params TimerChange[] changes) =>
        batch with { Rows = batch.Rows.SetItem(row, batch.Rows[row] with { Timers = [.. changes] }) };

    private static async Task<(Incarnation Owner, AcquiredShard Shard)> OwnerAsync(StoreBench b)
    {
        var a = await b.MemberAsync().ConfigureAwait(false);
        return (a, (await b.AcquireAllAsync(a).ConfigureAwait(false))[0]);
    }

    private static async Task<string[]> TextsAsync(StoreBench b, ShardNo shard) =>
        [.. Ok(await b.Store.ReadTimersAsync(shard, Entity).ConfigureAwait(false), "ReadTimersAsync").Timers.Select(StoreText.Of)];
}
