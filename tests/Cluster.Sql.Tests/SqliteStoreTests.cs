using System.Diagnostics;
using ActorCluster.Persistence;

namespace ActorCluster.Sql.Tests;

public class SqliteStoreTests
{
    private static readonly StoreSeed Seed = new("digest");

    [Fact]
    public async Task Three_handles_under_load_share_the_file_evenly()
    {
        using var folder = new TempFolder();
        var owners = new List<Owner>();
        for (var i = 0; i < 3; i++) owners.Add(await Owner.OfAsync(folder.Store(), shards: 4));
        var limit = Stopwatch.GetTimestamp() + (2 * Stopwatch.Frequency); // Real time is the subject: who gets how much of it.
        var loads = await Task.WhenAll(owners.Select(owner => Task.Run(async () =>
        {
            var (count, slowest) = (0, TimeSpan.Zero);
            while (Stopwatch.GetTimestamp() < limit)
            {
                var started = Stopwatch.GetTimestamp();
                Assert.Equal(AppendOutcome.Committed, (await owner.AppendAsync(owner.Batch(0, 1 + count))).Value);
                if (Stopwatch.GetElapsedTime(started) is var took && took > slowest) slowest = took;
                count++;
            }
            return (Count: count, Slowest: slowest);
        })));
        Assert.All(loads, l => Assert.True(l.Count * 3 > loads.Max(o => o.Count), $"Uneven: {string.Join(", ", loads)}."));
        foreach (var owner in owners) await owner.Store.DisposeAsync();
    }

    [Fact]
    public async Task A_write_that_never_gets_the_turnstile_is_not_sent_and_not_run_later()
    {
        using var folder = new TempFolder();
        await using var store = folder.Store(callTimeout: TimeSpan.FromMilliseconds(300));
        var owner = await Owner.OfAsync(store, shards: 1);
        var batch = owner.Batch(0, 1);
        using (var other = new SqliteTurnstile(folder.File() + ".turnstile"))
        {
            other.Enter();
            var started = Stopwatch.GetTimestamp();
            Assert.Equal(StoreVerdict.NotSent, (await owner.AppendAsync(batch)).Verdict);
            Assert.Equal(StoreVerdict.NotSent, (await store.RenewAsync(owner.Inc)).Verdict);
            Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.FromMilliseconds(300), TimeSpan.FromSeconds(5));
            Assert.True((await store.ReadShardsAsync()).IsOk, "Reads do not wait for writers.");
            other.Leave();
        }
        Assert.Equal(BatchResolution.NotCommitted, (await ResolveUntilSentAsync(store, batch)).Value);
        Assert.Equal(1, (await store.RenewAsync(owner.Inc)).Value!.LeaseSeq);
    }

    [Fact]
    public async Task A_writer_outside_the_turnstile_delays_a_write_until_its_time_out()
    {
        using var folder = new TempFolder();
        await using var store = folder.Store(callTimeout: TimeSpan.FromMilliseconds(300));
        var owner = await Owner.OfAsync(store, shards: 1);
        using (var other = SqliteSession.Open(folder.File()))
        {
            other.Execute("BEGIN IMMEDIATE");
            Assert.Equal(StoreVerdict.NotSent, (await owner.AppendAsync(owner.Batch(0, 1))).Verdict);
            other.Execute("ROLLBACK");
        }
        Assert.Equal(BatchResolution.NotCommitted, (await ResolveUntilSentAsync(store, owner.Batch(0, 1))).Value);
        Assert.Equal(AppendOutcome.Committed, (await owner.AppendAsync(owner.Batch(0, 1))).Value);
    }

    [Fact]
    public async Task Closing_is_bounded_while_somebody_holds_the_turnstile()
    {
        using var folder = new TempFolder();
        var store = folder.Store(callTimeout: TimeSpan.FromMilliseconds(200));
        await store.OpenAsync(Seed, CancellationToken.None);
        using var other = new SqliteTurnstile(folder.File() + ".turnstile");
        other.Enter();
        var waiting = store.NextIncarnationAsync().AsTask();
        var started = Stopwatch.GetTimestamp();
        await store.DisposeAsync();
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(3), "Closing waits for a few call time-outs at most.");
        Assert.Equal(StoreVerdict.NotSent, (await waiting).Verdict);
    }

    [Fact]
    public async Task A_full_database_refuses_a_write_and_keeps_the_small_ones_going()
    {
        using var folder = new TempFolder();
        await using var store = folder.Store();
        var owner = await Owner.OfAsync(store, shards: 2);
        await store.DisposeAsync();
        using var session = SqliteSession.Open(folder.File());
        SqliteSchema.Configure(session, 1_000);
        session.Execute($"PRAGMA max_page_count={session.Get("PRAGMA page_count").Scalar() + 2}"); // Holds for this connection alone.
        using var writer = new SqliteWriter(() => session, new SqliteTurnstile(folder.File() + ".turnstile"), TimeSpan.FromSeconds(10));
        var (large, small) = (owner.Batch(0, 1, rows: 50, payloadBytes: 4_000), owner.Batch(1, 1));
        var refused = writer.SubmitAsync(db => SqliteJournal.Append(db, [large], 0), urgent: false, takesSavepoint: false);
        var taken = writer.SubmitAsync(db => SqliteJournal.Append(db, [small], 0), urgent: false, takesSavepoint: false);
        Assert.Equal(StoreVerdict.NotSent, (await refused).Verdict);
        Assert.Contains("full", (await refused).Reason, StringComparison.Ordinal);
        Assert.Equal(AppendOutcome.Committed, (await taken).Value[0]);
        var resolved = await writer.SubmitAsync(db => SqliteJournal.Resolve(db, large), urgent: false, takesSavepoint: true);
        Assert.Equal(BatchResolution.NotCommitted, resolved.Value);
    }

    [Fact]
    public async Task With_the_client_index_a_repeated_command_is_refused_and_nothing_of_its_batch_is_written()
    {
        using var folder = new TempFolder();
        await using var store = folder.Store(clientIndex: true);
        var owner = await Owner.OfAsync(store, shards: 1);
        var first = owner.Batch(0, 1);
        await owner.AppendAsync(first);
        var repeat = owner.Batch(0, 2, rows: 2);
        repeat = repeat with { Rows = repeat.Rows.SetItem(1, repeat.Rows[1] with { Command = first.Rows[0].Command }) };
        Assert.Equal(AppendOutcome.RepeatedCommand, (await owner.AppendAsync(repeat)).Value);
        Assert.Equal(BatchResolution.NotCommitted, (await store.ResolveAsync(repeat)).Value);
        Assert.Equal(AppendOutcome.Committed, (await owner.AppendAsync(owner.Batch(0, 2))).Value);
    }

    [Fact]
    public async Task A_closed_store_opens_again_with_all_that_was_committed()
    {
        using var folder = new TempFolder();
        Guid uuid;
        await using (var store = folder.Store())
        {
            uuid = (await store.OpenAsync(Seed, CancellationToken.None)).Value!.Uuid;
            var owner = await Owner.OfAsync(store, shards: 3);
            Assert.Equal(AppendOutcome.Committed, (await owner.AppendAsync(owner.Batch(2, 1, rows: 5))).Value);
        }
        await using var again = folder.Store();
        Assert.Equal(uuid, (await again.OpenAsync(Seed, CancellationToken.None)).Value!.Uuid);
        Assert.Equal(5, (await again.ReadJournalAsync("room/3", 1, 100)).Value.Length);
    }

    [Fact]
    public void The_check_value_is_crc_32c() => Assert.Equal(0xE3069283u, Crc32C.Of("123456789"u8)); // RFC 3720's usual check string.

    private static async Task<StoreResult<BatchResolution>> ResolveUntilSentAsync(SqliteStore store, ShardBatch batch)
    {
        for (var attempt = 1; ; attempt++)
        {
            var result = await store.ResolveAsync(batch);
            if (result.IsOk || attempt == 20) return result;
        }
    }
}
