using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using static ActorCluster.TestKit.StoreBench;

namespace ActorCluster.TestKit;

/// <summary>Cases on <see cref="IStoreRecovery.ReappendAsync"/>.</summary>
internal static class ReappendConformance
{
    private const string A = TypeName + "/a";

    public static IEnumerable<(string Name, Func<Func<Task<IClusterStore>>, Task> Run)> Cases =>
    [
        ("Lost rows are given back by the writers and under the epochs of then, once, and the entity goes on behind them", open => RunAsync(open, async b =>
        {
            var (first, shard) = await OwnerOfAsync(b, A).ConfigureAwait(false);
            await b.AppendAsync(b.Batch(shard, first, 1, A, 1, rows: 2)).ConfigureAwait(false);
            // Lost: rows 3 and 4, a take-over by another member, its row 5.
            var (second, later) = (new Incarnation(first.Value + 1), new Epoch(shard.Epoch.Value + 1));
            var timer = new TimerChange("t", new DurableTimer("t", (4 * DurableTimer.PerEntityMax) + 1, 1_900_000_000_000, "remind.v1", new byte[] { 9 }));
            LostRow[] lost =
            [
                Lost(b, shard.Epoch, first, 2, 2), Lost(b, shard.Epoch, first, 3, 3),
                Lost(b, shard.Epoch, first, 4, 4) with { Row = JournalRowOf(A, 4) with { Timers = [timer, new TimerChange("gone", null)] } },
                Lost(b, later, second, 5, 5),
            ];
            Verdict(StoreVerdict.Conflict, await b.ReappendAsync(lost).ConfigureAwait(false), "In the generation of then nothing is given back.");
            await b.RecoverAsync().ConfigureAwait(false);
            ReappendFate[] would = [ReappendFate.Present, ReappendFate.Appended, ReappendFate.Appended, ReappendFate.Appended];
            Sequence(would, await FatesAsync(b, lost, new ReappendTrial()).ConfigureAwait(false), "It is said what would be done.");
            Equal(3L, (await b.ShardAsync(shard.No).ConfigureAwait(false)).NextSeq, "Nothing was written.");
            Sequence(would, await FatesAsync(b, lost).ConfigureAwait(false), "It is done.");
            Sequence(lost.Select(_ => ReappendFate.Present), await FatesAsync(b, lost).ConfigureAwait(false), "A second time nothing is left to do.");

            var rows = Ok(await b.Store.ReadJournalAsync(A, 1, 10).ConfigureAwait(false), "ReadJournalAsync");
            Sequence(Enumerable.Range(1, 5).Select(i => (long)i), rows.Select(r => r.EntitySeq), "The journal has no gap.");
            foreach (var row in rows) Equal(true, ReappendRules.IsSame(row, JournalRowOf(A, row.EntitySeq)), "Rows are as they were acknowledged.");
            Equal(6L, (await b.ShardAsync(shard.No).ConfigureAwait(false)).NextSeq, "The shard goes on behind them.");
            var timers = Ok(await b.Store.ReadTimersAsync(shard.No, A).ConfigureAwait(false), "ReadTimersAsync").Timers;
            Sequence([("t", timer.Timer!.No)], timers.Select(t => (t.Timer.Key, t.Timer.No)), "What they did to timers is done.");

            var next = await b.MemberAsync().ConfigureAwait(false);
            Verdict(StoreVerdict.Conflict, await b.ReappendAsync(lost).ConfigureAwait(false), "While a member is live nothing is given back.");
            var acquired = (await b.AcquireAllAsync(next).ConfigureAwait(false)).First(s => s.No == shard.No);
            Equal(6L, acquired.NextSeq, "Whoever acquires goes on there.");
            Equal(AppendOutcome.Committed, await b.AppendAsync(b.Batch(acquired, next, 6, A, 6)).ConfigureAwait(false), "And writes on.");
        })),
        ("A trial in slices says what giving back in slices does then", open => RunAsync(open, async b =>
        {
            var (owner, shard) = await OwnerOfAsync(b, A).ConfigureAwait(false);
            await b.AppendAsync(b.Batch(shard, owner, 1, A, 1)).ConfigureAwait(false);
            Ok(await b.Store.RegisterTypeAsync("rooms", 0).ConfigureAwait(false), "RegisterTypeAsync");
            await b.RecoverAsync().ConfigureAwait(false);
            var (second, later) = (new Incarnation(owner.Value + 1), new Epoch(shard.Epoch.Value + 1));
            LostRow Of(long seq) => Lost(b, later, second, seq, seq);
            LostRow Placed(long seq, long epoch, Incarnation by) => Lost(b, new Epoch(epoch), by, seq, seq) with { Row = JournalRowOf("rooms/x", seq) };
            (LostRow[] Rows, ReappendFate[] Fates)[] slices =
            [
                ([Lost(b, shard.Epoch, owner, 2, 2), Placed(1, 3, owner)], [ReappendFate.Appended, ReappendFate.Appended]),
                ([Of(3), Of(5)], [ReappendFate.Appended, ReappendFate.Missing]),
                ([Of(2), Of(4)], [ReappendFate.Present, ReappendFate.Appended]), // A row of a slice before.
                ([Placed(2, 3, second)], [ReappendFate.Conflicting]), // Another's under that epoch.
                ([Placed(2, 5, owner), Placed(3, 1L << 40, owner)], [ReappendFate.Appended, ReappendFate.Conflicting]), // Not below the epoch that its row was made with.
                ([Lost(b, shard.Epoch, owner, 5, 5)], [ReappendFate.Conflicting]), // Below that of the last row.
                ([Of(5) with { Row = JournalRowOf(A, 5, JournalRowOf(A, 3).Command) }], [ReappendFate.Conflicting]), // Its command took effect.
                ([Of(4) with { Row = JournalRowOf(A, 4) with { Payload = new byte[] { 7 } } }], [ReappendFate.Conflicting]),
            ];
            var trial = new ReappendTrial();
            for (var i = 0; i < slices.Length; i++)
            {
                var given = new ReappendTrial(trial);
                Verdict(StoreVerdict.Ok, await b.ReappendAsync([Of(3), Of(4)], given).ConfigureAwait(false), "A call that was given up is tried again with what was there before it.");
                Sequence(slices[i].Fates, await FatesAsync(b, slices[i].Rows, trial).ConfigureAwait(false), $"Slice {i + 1} is tried.");
            }
            Equal(2L, (await b.ShardAsync(shard.No).ConfigureAwait(false)).NextSeq, "Nothing was written.");
            for (var i = 0; i < slices.Length; i++) Sequence(slices[i].Fates, await FatesAsync(b, slices[i].Rows).ConfigureAwait(false), $"Slice {i + 1} is given back.");
        })),
        ("What does not continue the journal is left out, with what is behind it", open => RunAsync(open, async b =>
        {
            var (owner, shard) = await OwnerOfAsync(b, A).ConfigureAwait(false);
            await b.AppendAsync(b.Batch(shard, owner, 1, A, 1, rows: 2)).ConfigureAwait(false);
            await b.RecoverAsync().ConfigureAwait(false);
            LostRow Of(long seq) => Lost(b, shard.Epoch, owner, seq, seq);
            var other = Of(2) with { Row = JournalRowOf(A, 2) with { Payload = new byte[] { 7 } } };
            async Task Left(string why, ReappendFate[] fates, params LostRow[] rows) => Sequence(fates, await FatesAsync(b, rows).ConfigureAwait(false), why);

            await Left("Another content at a row that is there.", [ReappendFate.Conflicting, ReappendFate.Conflicting], other, Of(3)).ConfigureAwait(false);
            await Left("A gap.", [ReappendFate.Missing, ReappendFate.Missing], Of(4), Of(5)).ConfigureAwait(false);
            await Left("A command that took effect before.", [ReappendFate.Conflicting], Of(3) with { Row = JournalRowOf(A, 3, JournalRowOf(A, 1).Command) }).ConfigureAwait(false);
            await Left("An epoch that another acquired.", [ReappendFate.Conflicting], Of(3) with { Owner = new Incarnation(owner.Value + 7) }).ConfigureAwait(false);
            await Left("An epoch before that of the journal's last row.", [ReappendFate.Conflicting], Of(3) with { Epoch = new Epoch(0) }).ConfigureAwait(false);
            await Left("An epoch that is not below the shard's.", [ReappendFate.Conflicting], Of(3) with { Epoch = (await b.ShardAsync(shard.No).ConfigureAwait(false)).Epoch }).ConfigureAwait(false);
            await Left("A writer that was never given out.", [ReappendFate.Conflicting], Of(3) with { Epoch = new Epoch(shard.Epoch.Value + 1), Owner = new Incarnation(long.MaxValue) }).ConfigureAwait(false);
            foreach (var entity in new[] { "unknown/x", "noslash", "/x", TypeName + "/" })
                await Left("No shard is its entity's.", [ReappendFate.Homeless], Of(1) with { Row = JournalRowOf(entity, 1) }).ConfigureAwait(false);
            Equal(3L, (await b.ShardAsync(shard.No).ConfigureAwait(false)).NextSeq, "Nothing of it was written.");
            await Left("A command twice among the rows.", [ReappendFate.Appended, ReappendFate.Conflicting], Of(3), Of(4) with { Row = JournalRowOf(A, 4, JournalRowOf(A, 3).Command) }).ConfigureAwait(false);
            Equal(4L, (await b.ShardAsync(shard.No).ConfigureAwait(false)).NextSeq, "What was sound before it was.");
        })),
        ("A snapshot that was saved before the loss was noticed does not stand for the rows that are lost", open => RunAsync(open, async b =>
        {
            var (owner, shard) = await OwnerOfAsync(b, A).ConfigureAwait(false);
            await b.AppendAsync(b.Batch(shard, owner, 1, A, 1)).ConfigureAwait(false);
            Ok(await b.Store.SaveSnapshotAsync(shard.No, shard.Epoch, owner, new EntitySnapshot(A, 2, "state.v1", new byte[] { 2 })).ConfigureAwait(false), "SaveSnapshotAsync");
            await b.RecoverAsync().ConfigureAwait(false);
            Equal(null, Ok(await b.Store.ReadSnapshotAsync(A).ConfigureAwait(false), "ReadSnapshotAsync"), "The snapshot went with the rows that it stood for.");
            Sequence([ReappendFate.Appended, ReappendFate.Appended], await FatesAsync(b, [Lost(b, shard.Epoch, owner, 2, 2), Lost(b, shard.Epoch, owner, 3, 3)]).ConfigureAwait(false), "Rows 2 and 3 are lost.");
        })),
        ("Rows of before are not put behind what was written after the recovery", open => RunAsync(open, async b =>
        {
            var (owner, shard) = await OwnerOfAsync(b, A).ConfigureAwait(false);
            await b.AppendAsync(b.Batch(shard, owner, 1, A, 1)).ConfigureAwait(false);
            await b.RecoverAsync().ConfigureAwait(false);
            var next = await b.MemberAsync().ConfigureAwait(false);
            var acquired = (await b.AcquireAllAsync(next).ConfigureAwait(false)).First(s => s.No == shard.No);
            await b.AppendAsync(b.Batch(acquired, next, 2, A, 2)).ConfigureAwait(false);
            await b.RecoverAsync().ConfigureAwait(false);
            Sequence([ReappendFate.Conflicting], await FatesAsync(b, [Lost(b, shard.Epoch, owner, 3, 3)]).ConfigureAwait(false), "Row 3 of another history.");
        })),
        ("Shards that were acquired without a row after the recovery take lost rows back", open => RunAsync(open, async b =>
        {
            var (owner, shard) = await OwnerOfAsync(b, A).ConfigureAwait(false);
            await b.AppendAsync(b.Batch(shard, owner, 1, A, 1)).ConfigureAwait(false);
            await b.RecoverAsync().ConfigureAwait(false);
            await b.AcquireAllAsync(await b.MemberAsync().ConfigureAwait(false)).ConfigureAwait(false);
            await b.RecoverAsync().ConfigureAwait(false);
            Sequence([ReappendFate.Appended], await FatesAsync(b, [Lost(b, shard.Epoch, owner, 2, 2)]).ConfigureAwait(false), "Row 2 has still its place.");
            var next = await b.MemberAsync().ConfigureAwait(false);
            var acquired = (await b.AcquireAllAsync(next).ConfigureAwait(false)).First(s => s.No == shard.No);
            await b.AppendAsync(b.Batch(acquired, next, 3, A, 3)).ConfigureAwait(false);
            await b.RecoverAsync().ConfigureAwait(false);
            Ok(await b.Store.PruneAsync(TimeSpan.Zero, TimeSpan.Zero, 100).ConfigureAwait(false), "PruneAsync");
            Sequence([ReappendFate.Conflicting], await FatesAsync(b, [Lost(b, shard.Epoch, owner, 4, 4)]).ConfigureAwait(false), "Whoever wrote is known behind a prune too.");
        })),
        ("The row of an individually placed entity that was lost is made anew, far above its epochs of before", open => RunAsync(open, async b =>
        {
            Ok(await b.Store.RegisterTypeAsync("rooms", 0).ConfigureAwait(false), "RegisterTypeAsync");
            await b.RecoverAsync().ConfigureAwait(false);
            var lost = Lost(b, new Epoch(3), new Incarnation(1), 1, 1) with { Row = JournalRowOf("rooms/x", 1) };
            Sequence([ReappendFate.Appended], await FatesAsync(b, [lost], new ReappendTrial()).ConfigureAwait(false), "It would have a place.");
            Sequence([ReappendFate.Appended], await FatesAsync(b, [lost]).ConfigureAwait(false), "It has a place.");
            Sequence([ReappendFate.Present], await FatesAsync(b, [lost]).ConfigureAwait(false), "It is there.");
            var next = await b.MemberAsync().ConfigureAwait(false);
            var row = Ok(await b.Store.PlaceAsync([new ShardPlacement("rooms", "x", next)]).ConfigureAwait(false), "PlaceAsync")[0];
            Equal((3 + (1L << 32), 2L, ShardState.Free), (row.Epoch.Value, row.NextSeq, row.State), "Its row is as if it had been there at the recovery.");
        })),
    ];

    private static LostRow Lost(StoreBench bench, Epoch epoch, Incarnation owner, long shardSeq, long seq) => new(epoch, owner, shardSeq, bench.NewId(), JournalRowOf(A, seq));

    private static async Task<(Incarnation Owner, AcquiredShard Shard)> OwnerOfAsync(StoreBench bench, string entity)
    {
        var owner = await bench.MemberAsync().ConfigureAwait(false);
        var shards = await bench.AcquireAllAsync(owner).ConfigureAwait(false);
        var key = StableHash.ShardOf(new EntityId(TypeName, entity[(TypeName.Length + 1)..]), shards.Length).ToString(CultureInfo.InvariantCulture);
        return (owner, shards.First(s => s.Key == key));
    }

    private static async Task<IEnumerable<ReappendFate>> FatesAsync(StoreBench bench, LostRow[] rows, ReappendTrial? trial = null) =>
        Ok(await bench.ReappendAsync(rows, trial).ConfigureAwait(false), "ReappendAsync").Select(r => r.Fate);

    extension(StoreBench bench)
    {
        private IStoreRecovery Recovery => bench.Store as IStoreRecovery ?? throw new StoreConformanceException($"{bench.Store.Description} must be recoverable.");

        public async Task RecoverAsync() => Ok(await bench.Recovery.RecoverAsync(bench.NewId(), 0, "restored").ConfigureAwait(false), "RecoverAsync");

        public ValueTask<StoreResult<ImmutableArray<Reappended>>> ReappendAsync(LostRow[] rows, ReappendTrial? trial = null) => bench.Recovery.ReappendAsync(1, rows, trial);
    }
}
