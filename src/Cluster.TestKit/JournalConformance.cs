using ActorCluster.Persistence;
using ActorCluster.Primitives;
using static ActorCluster.TestKit.StoreBench;

namespace ActorCluster.TestKit;

/// <summary>Cases on appends, their resolution, reads, snapshots and truncation.</summary>
internal static class JournalConformance
{
    private const string Entity = "counter/x";

    public static IEnumerable<(string Name, Func<Func<Task<IClusterStore>>, Task> Run)> Cases =>
    [
        ("A committed batch is read back as it was written", open => RunAsync(open, async b =>
        {
            var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
            var rows = new[]
            {
                JournalRowOf(Entity, 1),
                new JournalRow(Entity, 2, null, "empty.v1", ReadOnlyMemory<byte>.Empty, ReadOnlyMemory<byte>.Empty, 5),
                JournalRowOf(Entity, 3, new CommandId(new ClientId(UInt128.MaxValue), long.MaxValue)),
                JournalRowOf("counter/Ünï", 1) with { Result = null },
            };
            var batch = new ShardBatch(shard.No, shard.Epoch, a, 1, b.NewId(), [.. rows]);
            Equal(AppendOutcome.Committed, await b.AppendAsync(batch).ConfigureAwait(false), "The owner appends.");
            Equal(5L, (await b.ShardAsync(shard.No).ConfigureAwait(false)).NextSeq, "The shard's sequence counts the rows.");
            Sequence(rows[..3].Select(StoreText.Of), (await ReadAsync(b, Entity).ConfigureAwait(false)).Select(StoreText.Of), "In order, nothing changed.");
            Sequence([StoreText.Of(rows[3])], (await ReadAsync(b, "counter/Ünï").ConfigureAwait(false)).Select(StoreText.Of), "By entity.");
            Sequence([2L], Ok(await b.Store.ReadJournalAsync(Entity, 2, 1).ConfigureAwait(false), "ReadJournalAsync").Select(r => r.EntitySeq), "From a sequence, up to a limit.");
            Equal(0, (await ReadAsync(b, "counter/X").ConfigureAwait(false)).Length, "Ids are case-sensitive.");
        })),
        ("An append is fenced by epoch, owner and next sequence", open => RunAsync(open, async b =>
        {
            var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
            var good = b.Batch(shard, a, 1, Entity, 1);
            foreach (var (bad, why) in new[]
            {
                (good with { Epoch = new Epoch(0) }, "an older epoch"), (good with { Epoch = new Epoch(2) }, "an epoch to come"),
                (good with { Owner = new Incarnation(99) }, "another owner"), (good with { ExpectedSeq = 2 }, "a gap"), (good with { ExpectedSeq = 0 }, "a sequence before"),
                (good with { Shard = new ShardNo(99) }, "a shard that does not exist"),
            })
                Equal(AppendOutcome.Unexpected, await b.AppendAsync(bad with { BatchId = b.NewId() }).ConfigureAwait(false), $"Refused for {why}.");
            Equal(0, (await ReadAsync(b, Entity).ConfigureAwait(false)).Length, "Nothing was written.");
            Equal(AppendOutcome.Committed, await b.AppendAsync(good).ConfigureAwait(false), "As the row says.");
        })),
        ("After a takeover the old owner's append writes nothing", open => RunAsync(open, async b =>
        {
            var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
            var c = await b.MemberAsync().ConfigureAwait(false);
            await b.AppendAsync(b.Batch(shard, a, 1, Entity, 1)).ConfigureAwait(false);
            await b.ViewAsync(new MemberChange.Down(a, "test")).ConfigureAwait(false);
            var late = b.Batch(shard, a, 2, Entity, 2);
            Equal(AppendOutcome.Unexpected, await b.AppendAsync(late).ConfigureAwait(false), "Revoked.");
            Equal(BatchResolution.Fenced, await b.ResolveAsync(late).ConfigureAwait(false), "Revoked.");
            var won = (await b.AcquireAllAsync(c).ConfigureAwait(false)).First(w => w.No == shard.No);
            Equal(2L, won.NextSeq, "The new owner goes on behind the last row.");
            Equal(AppendOutcome.Unexpected, await b.AppendAsync(late).ConfigureAwait(false), "Taken over.");
            Equal(AppendOutcome.Committed, await b.AppendAsync(b.Batch(won, c, 2, Entity, 2)).ConfigureAwait(false), "The new owner writes.");
        })),
        ("A fenced batch does not hurt the others of its commit", open => RunAsync(open, async b =>
        {
            var a = await b.MemberAsync().ConfigureAwait(false);
            var shards = await b.AcquireAllAsync(a).ConfigureAwait(false);
            var outcomes = Ok(await b.Store.AppendAsync(
            [
                b.Batch(shards[0], a, 1, "counter/p", 1, rows: 3), b.Batch(shards[1], a, 7, "counter/q", 1), b.Batch(shards[2], a, 1, "counter/r", 1),
                b.Batch(shards[3], a, 1, "counter/s", 1) with { Rows = [JournalRowOf("counter/s", 1), JournalRowOf("counter/p", 2)] },
            ]).ConfigureAwait(false), "AppendAsync");
            Sequence([AppendOutcome.Committed, AppendOutcome.Unexpected, AppendOutcome.Committed, AppendOutcome.Unexpected], outcomes, "One outcome per batch, in order.");
            Equal(0, (await ReadAsync(b, "counter/q").ConfigureAwait(false)).Length + (await ReadAsync(b, "counter/s").ConfigureAwait(false)).Length, "A refused batch leaves nothing, not even its sound rows.");
            Equal(1L, (await b.ShardAsync(shards[3].No).ConfigureAwait(false)).NextSeq, "Nor does it move the shard's sequence.");
            Equal(0, Ok(await b.Store.AppendAsync([]).ConfigureAwait(false), "AppendAsync").Length, "No batches, no outcomes.");
        })),
        ("Resolve tells committed, not committed, fenced, regressed and broken apart", open => RunAsync(open, async b =>
        {
            var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
            var first = b.Batch(shard, a, 1, Entity, 1, rows: 2);
            Equal(BatchResolution.NotCommitted, await b.ResolveAsync(first).ConfigureAwait(false), "It was never sent.");
            await b.AppendAsync(first).ConfigureAwait(false);
            Equal(BatchResolution.Committed, await b.ResolveAsync(first).ConfigureAwait(false), "It is there.");
            Equal(AppendOutcome.Unexpected, await b.AppendAsync(first).ConfigureAwait(false), "A repeat writes nothing.");
            Equal(BatchResolution.Committed, await b.ResolveAsync(first).ConfigureAwait(false), "It is still there, once.");
            Equal(2, (await ReadAsync(b, Entity).ConfigureAwait(false)).Length, "It is there once.");
            Equal(BatchResolution.Broken, await b.ResolveAsync(first with { BatchId = b.NewId() }).ConfigureAwait(false), "Somebody else's rows are in its place.");
            Equal(BatchResolution.Regressed, await b.ResolveAsync(first with { ExpectedSeq = 9 }).ConfigureAwait(false), "The store knows fewer rows than were committed.");
            Equal(BatchResolution.Regressed, await b.ResolveAsync(first with { Epoch = new Epoch(5) }).ConfigureAwait(false), "The store knows an older epoch than was acquired.");
            Equal(BatchResolution.Regressed, await b.ResolveAsync(first with { Shard = new ShardNo(99) }).ConfigureAwait(false), "The store lacks the shard.");
            Equal(BatchResolution.Fenced, await b.ResolveAsync(first with { Owner = new Incarnation(99) }).ConfigureAwait(false), "Another owner.");
            Equal(BatchResolution.Fenced, await b.ResolveAsync(first with { Epoch = new Epoch(0) }).ConfigureAwait(false), "A later epoch.");
            Equal(BatchResolution.Broken, await b.ResolveAsync(b.Batch(shard, a, 3, Entity, 2)).ConfigureAwait(false), "Its entity sequence is taken though its shard sequence is not.");
        })),
        ("A shard acquired again by the same owner fences its earlier epoch", open => RunAsync(open, async b =>
        {
            var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
            Ok(await b.Store.ReleaseAsync(a, [new ShardRelease(shard.No, shard.Epoch, a)]).ConfigureAwait(false), "ReleaseAsync");
            Ok(await b.Store.AcquireAsync(a).ConfigureAwait(false), "AcquireAsync");
            var late = b.Batch(shard, a, 1, Entity, 1);
            Equal(AppendOutcome.Unexpected, await b.AppendAsync(late).ConfigureAwait(false), "A batch of the earlier epoch.");
            Equal(BatchResolution.Fenced, await b.ResolveAsync(late).ConfigureAwait(false), "A batch of the earlier epoch.");
        })),
        ("Of identical batches sent at once one commits", open => RunAsync(open, async b =>
        {
            var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
            var other = await b.AnotherAsync().ConfigureAwait(false);
            for (var seq = 1; seq <= 10; seq++)
            {
                var batch = b.Batch(shard, a, seq, Entity, seq);
                var results = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Task.Run(async () =>
                    Ok(await (i % 2 == 0 ? b.Store : other).AppendAsync([batch]).ConfigureAwait(false), "AppendAsync")[0]))).ConfigureAwait(false);
                Equal(1, results.Count(r => r == AppendOutcome.Committed), "One copy commits.");
                Equal(BatchResolution.Committed, await b.ResolveAsync(batch).ConfigureAwait(false), "Whoever asks learns that it is there.");
            }
        })),
        ("Ownership is confirmed per shard and epoch", open => RunAsync(open, async b =>
        {
            var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
            var asked = new[] { (shard.No, shard.Epoch), (shard.No, new Epoch(0)), (new ShardNo(2), new Epoch(7)), (new ShardNo(99), new Epoch(1)) };
            Sequence([shard.No], Ok(await b.Store.ConfirmAsync(a, asked).ConfigureAwait(false), "ConfirmAsync"), "Only the pair that is so now.");
            Equal(0, Ok(await b.Store.ConfirmAsync(new Incarnation(99), asked).ConfigureAwait(false), "ConfirmAsync").Length, "Not for another.");
            var other = await b.AnotherAsync().ConfigureAwait(false);
            await b.ViewAsync(new MemberChange.Down(a, "test")).ConfigureAwait(false);
            Equal(0, Ok(await other.ConfirmAsync(a, asked).ConfigureAwait(false), "ConfirmAsync").Length, "Not after an eviction, on any handle.");
        })),
        ("Snapshots are fenced, and the two newest are kept", open => RunAsync(open, async b =>
        {
            var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
            await b.AppendAsync(b.Batch(shard, a, 1, Entity, 1, rows: 9)).ConfigureAwait(false);
            Equal<EntitySnapshot?>(null, Ok(await b.Store.ReadSnapshotAsync(Entity).ConfigureAwait(false), "ReadSnapshotAsync"), "None yet.");
            foreach (var seq in new[] { 3L, 6, 9, 9 })
                Equal(true, Ok(await SaveAsync(b, shard, a, seq).ConfigureAwait(false), "SaveSnapshotAsync"), "Kept.");
            Equal(false, Ok(await SaveAsync(b, shard, a, 2).ConfigureAwait(false), "SaveSnapshotAsync"), "Two newer ones are there.");
            var newest = Ok(await b.Store.ReadSnapshotAsync(Entity).ConfigureAwait(false), "ReadSnapshotAsync")!;
            Equal("counter/x@9 state.v1 09FF", StoreText.Of(newest), "The newest.");
            foreach (var refused in new[]
            {
                await SaveAsync(b, shard with { Epoch = new Epoch(0) }, a, 9).ConfigureAwait(false),
                await SaveAsync(b, shard, new Incarnation(99), 9).ConfigureAwait(false),
                await SaveAsync(b, shard with { No = new ShardNo(99) }, a, 9).ConfigureAwait(false),
            })
                Verdict(StoreVerdict.Fenced, refused, "Only the owner at its epoch writes snapshots.");
        })),
        ("Entities are loaded together, each from its newest sound snapshot and the rows after it", open => RunAsync(open, async b =>
        {
            var a = await b.MemberAsync().ConfigureAwait(false);
            var shards = await b.AcquireAllAsync(a).ConfigureAwait(false);
            foreach (var (shard, entity, rows) in new[] { (shards[0], "counter/x", 5), (shards[1], "counter/y", 2) })
                Equal(AppendOutcome.Committed, await b.AppendAsync(b.Batch(shard, a, 1, entity, 1) with { Rows = [.. Enumerable.Range(1, rows).Select(i => JournalRowOf(entity, i))] }).ConfigureAwait(false), "Appended.");
            Ok(await b.Store.SaveSnapshotAsync(shards[0].No, shards[0].Epoch, a, new EntitySnapshot("counter/x", 3, "state.v1", new byte[] { 3 })).ConfigureAwait(false), "SaveSnapshotAsync");
            var loaded = Ok(await b.Store.LoadAsync(["counter/y", "counter/none", "counter/x"], 10).ConfigureAwait(false), "LoadAsync");
            Sequence([(0L, "1,2"), (0L, ""), (3L, "4,5")], loaded.Select(l => (l.Snapshot?.EntitySeq ?? 0, string.Join(',', l.Rows.Select(r => r.EntitySeq)))), "In the order asked for.");
            Equal(StoreText.Of(JournalRowOf("counter/y", 2)), StoreText.Of(loaded[0].Rows[1]), "As written.");
            var few = Ok(await b.Store.LoadAsync(["counter/x", "counter/y"], 1).ConfigureAwait(false), "LoadAsync");
            Sequence(["4", "1"], few.Select(l => string.Join(',', l.Rows.Select(r => r.EntitySeq))), "No more of each than asked for.");
        })),
        ("Truncation stays below the older snapshot, in slices, and is fenced", open => RunAsync(open, async b =>
        {
            var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
            await b.AppendAsync(b.Batch(shard, a, 1, Entity, 1, rows: 1_200)).ConfigureAwait(false);
            Equal(0, Ok(await TruncateAsync(b, shard, a, KeepRows(0)).ConfigureAwait(false), "TruncateAsync"), "Nothing without a snapshot.");
            await SaveAsync(b, shard, a, 1_100).ConfigureAwait(false);
            Equal(0, Ok(await TruncateAsync(b, shard, a, KeepRows(0)).ConfigureAwait(false), "TruncateAsync"), "Nothing with only one.");
            await SaveAsync(b, shard, a, 1_150).ConfigureAwait(false);
            Equal(9, Ok(await TruncateAsync(b, shard, a, KeepRows(1_191)).ConfigureAwait(false), "TruncateAsync"), "Beyond the number given.");
            Equal(1_000, Ok(await TruncateAsync(b, shard, a, KeepRows(0)).ConfigureAwait(false), "TruncateAsync"), "A slice.");
            Equal(90, Ok(await TruncateAsync(b, shard, a, KeepRows(0)).ConfigureAwait(false), "TruncateAsync"), "The rest below the older snapshot.");
            Equal(0, Ok(await TruncateAsync(b, shard, a, KeepRows(0)).ConfigureAwait(false), "TruncateAsync"), "Nothing more.");
            Equal(1_100L, (await ReadAsync(b, Entity).ConfigureAwait(false))[0].EntitySeq, "The older snapshot's own row stays.");
            Verdict(StoreVerdict.Fenced, await TruncateAsync(b, shard with { Epoch = new Epoch(0) }, a, KeepRows(0)).ConfigureAwait(false), "An older epoch.");
            Verdict(StoreVerdict.Fenced, await TruncateAsync(b, shard, new Incarnation(99), KeepRows(0)).ConfigureAwait(false), "Another owner.");
            Equal(1_201L, (await b.ShardAsync(shard.No).ConfigureAwait(false)).NextSeq, "Truncation does not move the sequence.");
        })),
        ("Rows go by their age on the store's clock, and no young one goes for their number", open => RunAsync(open, async b =>
        {
            var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
            await b.AppendAsync(b.Batch(shard, a, 1, Entity, 1, rows: 20)).ConfigureAwait(false);
            await SaveAsync(b, shard, a, 9).ConfigureAwait(false);
            await SaveAsync(b, shard, a, 15).ConfigureAwait(false);
            foreach (var (kept, why) in new[]
            {
                (new JournalLimits(Hour, null, TimeSpan.Zero), "not as old as that"), (new JournalLimits(null, 0, Hour), "young"), (new JournalLimits(TimeSpan.Zero, 0, Hour), "young, whatever the limits"),
                (new JournalLimits(null, null, TimeSpan.Zero), "without a limit"), (new JournalLimits(Hour, 20, TimeSpan.Zero), "few enough"),
            })
            {
                Equal(0, (await FindAsync(b, kept).ConfigureAwait(false)).Entities.Length, $"Not found: {why}.");
                Equal(0, Ok(await TruncateAsync(b, shard, a, kept).ConfigureAwait(false), "TruncateAsync"), $"They are {why}.");
            }
            await Task.Delay(20).ConfigureAwait(false); // The store's own clock goes on; no wall clock of a caller counts.
            var old = new JournalLimits(TimeSpan.FromMilliseconds(5), null, TimeSpan.Zero);
            Sequence([(Entity, shard.No)], (await FindAsync(b, old).ConfigureAwait(false)).Entities, "Now it is old.");
            await b.AppendAsync(b.Batch(shard, a, 21, Entity, 21)).ConfigureAwait(false);
            Equal(8, Ok(await TruncateAsync(b, shard, a, old).ConfigureAwait(false), "TruncateAsync"), "All that is old, below the older snapshot.");
            Equal(0, (await FindAsync(b, old).ConfigureAwait(false)).Entities.Length, "Found no more.");
            Equal((9L, 13), ((await ReadAsync(b, Entity).ConfigureAwait(false))[0].EntitySeq, (await ReadAsync(b, Entity).ConfigureAwait(false)).Length), "The rest is without a gap.");
            var loaded = Ok(await b.Store.LoadAsync([Entity], 100).ConfigureAwait(false), "LoadAsync")[0];
            Equal((15L, 16L, 6), (loaded.Snapshot!.EntitySeq, loaded.Rows[0].EntitySeq, loaded.Rows.Length), "It is loaded as before.");
        })),
        ("Entities with rows to go are found by key, in pages, whoever owns them", open => RunAsync(open, async b =>
        {
            var a = await b.MemberAsync().ConfigureAwait(false);
            var shards = await b.AcquireAllAsync(a).ConfigureAwait(false);
            for (var i = 0; i < 4; i++)
            {
                var entity = $"counter/{"dAbC"[i]}";
                await b.AppendAsync(b.Batch(shards[i], a, 1, entity, 1, rows: 4)).ConfigureAwait(false);
                foreach (var seq in i == 3 ? [2L] : new[] { i == 2 ? 1L : 2, 4 })
                    Ok(await b.Store.SaveSnapshotAsync(shards[i].No, shards[i].Epoch, a, new EntitySnapshot(entity, seq, "s.v1", new byte[] { 1 })).ConfigureAwait(false), "SaveSnapshotAsync");
            }
            foreach (var limit in new[] { 1, 2, 3, 100 })
            {
                var found = new List<(string, ShardNo)>();
                for (string? after = ""; after is not null;)
                {
                    var page = Ok(await b.Store.FindOldRowsAsync(KeepRows(0), after, limit).ConfigureAwait(false), "FindOldRowsAsync");
                    found.AddRange(page.Entities);
                    after = page.Next;
                }
                Sequence([("counter/A", shards[1].No), ("counter/d", shards[0].No)], found, $"Byte by byte, by {limit}; not the one whose older snapshot holds one row, nor that with one snapshot.");
            }
        })),
    ];

    public static Task DamagedSnapshotAsync(Func<Task<IClusterStore>> open, Func<string, long, Task> damage) => RunAsync(open, async b =>
    {
        var (a, shard) = await OwnerAsync(b).ConfigureAwait(false);
        await b.AppendAsync(b.Batch(shard, a, 1, Entity, 1, rows: 9)).ConfigureAwait(false);
        await SaveAsync(b, shard, a, 3).ConfigureAwait(false);
        await SaveAsync(b, shard, a, 6).ConfigureAwait(false);
        await damage(Entity, 6).ConfigureAwait(false);
        Equal(3L, Ok(await b.Store.ReadSnapshotAsync(Entity).ConfigureAwait(false), "ReadSnapshotAsync")?.EntitySeq, "The older one, since the newer is damaged.");
        await damage(Entity, 3).ConfigureAwait(false);
        Equal<EntitySnapshot?>(null, Ok(await b.Store.ReadSnapshotAsync(Entity).ConfigureAwait(false), "ReadSnapshotAsync"), "None, since both are damaged.");
        Equal(0, Ok(await TruncateAsync(b, shard, a, KeepRows(0)).ConfigureAwait(false), "TruncateAsync"), "Nothing is cut away while the older snapshot is damaged.");
        Equal(9, (await ReadAsync(b, Entity).ConfigureAwait(false)).Length, "So all rows are there to rebuild from.");
    });

    private static async Task<(Incarnation Owner, AcquiredShard Shard)> OwnerAsync(StoreBench b)
    {
        var a = await b.MemberAsync().ConfigureAwait(false);
        return (a, (await b.AcquireAllAsync(a).ConfigureAwait(false))[0]);
    }

    private static async Task<System.Collections.Immutable.ImmutableArray<JournalRow>> ReadAsync(StoreBench b, string entity) =>
        Ok(await b.Store.ReadJournalAsync(entity, 1, 10_000).ConfigureAwait(false), "ReadJournalAsync");

    private static ValueTask<StoreResult<bool>> SaveAsync(StoreBench b, AcquiredShard shard, Incarnation owner, long seq) =>
        b.Store.SaveSnapshotAsync(shard.No, shard.Epoch, owner, new EntitySnapshot(Entity, seq, "state.v1", new byte[] { (byte)seq, 255 }));

    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private static JournalLimits KeepRows(long rows) => new(null, rows, TimeSpan.Zero);

    private static async Task<OldRows> FindAsync(StoreBench b, JournalLimits limits) => Ok(await b.Store.FindOldRowsAsync(limits, "", 10).ConfigureAwait(false), "FindOldRowsAsync");

    private static ValueTask<StoreResult<int>> TruncateAsync(StoreBench b, AcquiredShard shard, Incarnation owner, JournalLimits limits) =>
        b.Store.TruncateAsync(shard.No, shard.Epoch, owner, Entity, limits);
}
