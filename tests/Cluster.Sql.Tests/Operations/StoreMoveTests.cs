using System.Diagnostics;
using System.Security.Cryptography;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sql.Operations;
using ActorCluster.Tests.Shared;
using Npgsql;

namespace ActorCluster.Sql.Tests.Operations;

public class StoreMoveTests(PostgresServer server)
{
    [Fact]
    public async Task A_stopped_cluster_goes_on_in_postgres_with_all_it_had()
    {
        using var folder = new TempFolder();
        var (schema, address) = Target();
        await using (var store = folder.Store())
        {
            var owner = await ClusterHistory.WriteAsync(store);
            var odd = owner.Batch(1, 3, rows: 3);
            await owner.AppendAsync(odd with
            {
                Rows =
                [
                    odd.Rows[0] with { Command = null, Result = null, Payload = ReadOnlyMemory<byte>.Empty },
                    odd.Rows[1] with { Result = ReadOnlyMemory<byte>.Empty, Kind = "größer.v1" },
                    odd.Rows[2] with { Command = new CommandId(new ClientId(UInt128.MaxValue), long.MaxValue) },
                ],
            });
            await store.RegisterTypeAsync("conference", 3, exclusive: true);
            await ClusterHistory.StopAsync(owner);
        }
        var before = HashOf(folder.File());

        var (code, said, error) = await StoreVerbsTests.Run("move", "--from", $"sqlite:{folder.File()}", "--to", address);
        Assert.Equal((0, ""), (code, error));
        Assert.Matches(@"journal +8 rows  [0-9a-f]{32}", said);
        Assert.Matches(@"timer +1 rows  [0-9a-f]{32}", said);
        Assert.Contains("of 10 tables; both sides have the same counts and hashes", said, StringComparison.Ordinal);
        Assert.Equal(before, HashOf(folder.File()));
        Assert.Equal(0, (await StoreVerbsTests.Run("check", "--store", address)).Code);

        await using var old = folder.Store();
        await using var moved = server.Store(schema);
        Assert.Equal(ClusterHistory.Ok(await old.OpenAsync(new StoreSeed("digest"), default)), ClusterHistory.Ok(await moved.OpenAsync(new StoreSeed("digest"), default)));
        Assert.Equal(ClusterHistory.Ok(await old.ReadShardsAsync()), ClusterHistory.Ok(await moved.ReadShardsAsync()));
        Assert.Equal(await Members(old), await Members(moved));
        foreach (var room in new[] { "room/1", "room/2" })
        {
            Assert.Equal(await Rows(old, room), await Rows(moved, room));
            Assert.Equal(await Snapshot(old, room), await Snapshot(moved, room));
            Assert.Equal(await Timers(old, room), await Timers(moved, room));
        }
        Assert.Equal(StoreVerdict.Conflict, (await moved.RegisterTypeAsync("conference", 3, exclusive: false)).Verdict);

        var next = await Owner.JoinAsync(moved, "type1");
        Assert.Equal((3, 4), (next.Inc.Value, next.Shards.Length));
        Assert.All(next.Shards, s => Assert.Equal(3, s.Epoch.Value));
        Assert.Equal(6, next.Shards[0].NextSeq);
        Assert.Equal(AppendOutcome.Committed, ClusterHistory.Ok(await next.AppendAsync(next.Batch(0, 6))));
        Assert.Equal(0, (await StoreVerbsTests.Run("check", "--store", address)).Code);
    }

    [Fact]
    public async Task A_cluster_that_runs_is_refused_and_nothing_is_written()
    {
        using var folder = new TempFolder();
        var (schema, address) = Target();
        await using var store = folder.Store();
        var owner = await Owner.OfAsync(store, shards: 2); // Has no lock file, so only its lease tells that it lives.
        using (var stop = new CancellationTokenSource())
        {
            var renewing = Task.Run(async () =>
            {
                while (!stop.IsCancellationRequested)
                {
                    await store.RenewAsync(owner.Inc);
                    await Task.Delay(50);
                }
            });
            await Refused(folder.File(), address, "n1#1 has renewed its lease");
            await stop.CancelAsync();
            await renewing;
        }
        using (var held = NodeLock.Take(folder.File("data"), "n9"))
        {
            await Owner.JoinAsync(store, "none", row => row with { LockFile = held.Proof });
            await Refused(folder.File(), address, "the process of n2#2 holds");
        }
        using (var writer = new SqliteTurnstile(folder.File() + ".turnstile"))
        {
            await ClusterHistory.StopAsync(owner);
            Assert.True(writer.TryEnter());
            await Refused(folder.File(), address, "(this one) holds"); // n2 is proved dead by its lock file, but somebody writes.
            writer.Leave();
        }
        Assert.Null(server.Execute($"SELECT 1 FROM pg_namespace WHERE nspname='{schema}'"));
        Assert.Equal(0, (await StoreVerbsTests.Run("move", "--from", $"sqlite:{folder.File()}", "--to", address)).Code);
    }

    [Fact]
    public async Task Nodes_that_were_killed_long_ago_do_not_stand_in_the_way()
    {
        using var folder = new TempFolder();
        var (schema, address) = Target();
        await using (var store = folder.Store()) await Owner.OfAsync(store, shards: 2);
        var target = ((StoreAddress.Postgres)StoreAddress.Parse(address)).Options;
        var moved = await new StoreMove(folder.File(), target, TimeSpan.FromSeconds(0.5)).RunAsync(_ => Task.CompletedTask, CancellationToken.None);
        Assert.Equal(1, moved.Single(t => t.Table == "member").Rows);
        Assert.Equal(1L, server.Execute($"SELECT count(*) FROM {schema}.member WHERE status='up'"));
    }

    [Fact]
    public async Task A_node_that_starts_on_the_file_meanwhile_cannot_write()
    {
        using var folder = new TempFolder();
        var (_, address) = Target();
        await using (var store = folder.Store()) await ClusterHistory.StopAsync(await ClusterHistory.WriteAsync(store));
        var target = ((StoreAddress.Postgres)StoreAddress.Parse(address)).Options;
        var verdicts = new List<StoreVerdict>();
        await new StoreMove(folder.File(), target, TimeSpan.Zero).RunAsync(
            async table =>
            {
                if (table.Table != "journal") return;
                await using var starting = folder.Store(callTimeout: TimeSpan.FromSeconds(0.3));
                verdicts.Add((await starting.OpenAsync(new StoreSeed("digest"), default)).Verdict);
            },
            CancellationToken.None);
        Assert.Equal([StoreVerdict.NotSent], verdicts);
    }

    [Fact]
    public async Task A_target_that_is_not_empty_is_refused_and_left_alone()
    {
        using var folder = new TempFolder();
        await using (var store = folder.Store()) await store.OpenAsync(new StoreSeed("digest"), default);
        var (schema, address) = Target();
        await using (var other = server.Store(schema)) await other.OpenAsync(new StoreSeed("digest"), default);
        var uuid = server.Execute($"SELECT uuid FROM {schema}.cluster");
        await Refused(folder.File(), address, $"The schema {schema} is not empty");
        Assert.Equal(uuid, server.Execute($"SELECT uuid FROM {schema}.cluster"));
    }

    [Fact]
    public async Task A_text_that_postgres_cannot_hold_is_named_and_nothing_is_written()
    {
        using var folder = new TempFolder();
        await using (var store = folder.Store()) await store.OpenAsync(new StoreSeed("digest"), default);
        using (var session = SqliteSession.Open(folder.File()))
            session.Execute("INSERT INTO snapshot VALUES(CAST(x'726F6F6D2F6100' AS TEXT), 1, 1, 's', x'00', 0)");
        var (schema, address) = Target();
        await Refused(folder.File(), address, @"A row of snapshot has a NUL in entity ('room/a\0')");
        Assert.Null(server.Execute($"SELECT 1 FROM pg_namespace WHERE nspname='{schema}'"));
    }

    [Fact]
    public async Task A_move_that_is_killed_in_the_middle_leaves_nothing_and_can_be_made_again()
    {
        using var folder = new TempFolder();
        var (schema, address) = Target();
        await using (var store = folder.Store())
        {
            var owner = await ClusterHistory.WriteAsync(store);
            await ClusterHistory.StopAsync(owner);
        }
        using (var session = SqliteSession.Open(folder.File()))
        {
            session.Execute(
                """
                INSERT INTO journal(shard_no, shard_seq, entity, entity_seq, epoch, owner_inc, batch_id, kind, payload, result, at, has_result)
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<240000)
                SELECT 3, i, 'room/3', i, 2, 2, x'00112233445566778899AABBCCDDEEFF', 'said.v1', zeroblob(100), x'', 0, 0 FROM n;
                UPDATE shard SET next_seq=240001 WHERE shard_no=3
                """);
        }
        await using var watching = new NpgsqlConnection($"{server.ConnectionString};Pooling=false");
        await watching.OpenAsync();
        using (var moving = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "ActorCluster.Cli.dll"), "move", "--from", $"sqlite:{folder.File()}", "--to", address]) { RedirectStandardOutput = true })!)
        {
            // Stopped in the middle first, so that it is known where it was when it is killed.
            while (Copied() is null or < 1_000) Assert.False(moving.HasExited, "The move ended before it was seen.");
            Signal(moving, "STOP");
            Assert.InRange(Copied() ?? -1, 1_000, 239_999);
            Signal(moving, "KILL");
            await moving.WaitForExitAsync();
            Assert.Equal(137, moving.ExitCode);
        }
        var gone = Stopwatch.StartNew();
        while (Copied() is not null) Assert.True(gone.Elapsed < TimeSpan.FromSeconds(30), "The server still copies for a process that is dead.");
        Assert.Null(server.Execute($"SELECT 1 FROM pg_namespace WHERE nspname='{schema}'"));

        var (code, said, error) = await StoreVerbsTests.Run("move", "--from", $"sqlite:{folder.File()}", "--to", address);
        Assert.Equal((0, ""), (code, error));
        Assert.Matches(@"journal +240005 rows", said);
        Assert.Equal(0, (await StoreVerbsTests.Run("check", "--store", address)).Code);

        long? Copied()
        {
            using var command = new NpgsqlCommand("SELECT max(tuples_processed) FROM pg_stat_progress_copy", watching);
            return command.ExecuteScalar() as long?;
        }
    }

    [Fact]
    public async Task Both_schemas_have_the_same_tables_and_columns()
    {
        using var folder = new TempFolder();
        var (schema, _) = Target();
        using var session = SqliteSession.Open(folder.File());
        SqliteSchema.Prepare(session, new SqliteStoreOptions { Path = folder.File() }, new StoreSeed("digest"));
        var sqlite = new List<string>();
        var read = session.Get("SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type='table'");
        while (read.Step()) sqlite.Add(read.GetText(0));
        await using (var target = server.Store(schema)) await target.OpenAsync(new StoreSeed("digest"), default);
        var postgres = (string[])server.Execute(
            $"SELECT array_agg(table_name || '.' || column_name) FROM information_schema.columns WHERE table_schema='{schema}' AND table_name<>'schema_version'")!;
        Assert.Equal(postgres.Order(), sqlite.Except(["journal.row_id", "journal.has_result"]).Order());
    }

    [Theory]
    [InlineData("", "", "--from: '' names no store")]
    [InlineData("postgres:Host=x", "postgres:Host=x", "--from takes sqlite:FILE")]
    [InlineData("sqlite:a.db", "sqlite:b.db", "--to takes 'postgres:")]
    [InlineData("sqlite:/nowhere/a.db", "postgres:Host=x", "There is no file /nowhere/a.db")]
    public async Task What_cannot_be_moved_is_refused(string from, string to, string words)
    {
        var (code, _, error) = await StoreVerbsTests.Run("move", $"--from={from}", $"--to={to}");
        Assert.Equal(ExitCodes.Refused, code);
        Assert.Contains(words, error, StringComparison.Ordinal);
    }

    private static async Task<string[]> Timers(IClusterStore store, string room) =>
        [.. ClusterHistory.Ok(await store.ReadTimersAsync(new ShardNo(1), room)).Timers.Select(t => $"{t.Timer.Key} {t.Timer.No} {t.Timer.DueUnixMs} {t.Timer.Message} {Convert.ToHexString(t.Timer.Payload.Span)}")];

    private (string Schema, string Address) Target()
    {
        var schema = PostgresServer.NewSchema();
        return (schema, $"postgres:{server.ConnectionString};Search Path={schema}");
    }

    private static async Task Refused(string file, string address, string words)
    {
        var (code, _, error) = await StoreVerbsTests.Run("move", "--from", $"sqlite:{file}", "--to", address);
        Assert.Equal(ExitCodes.Refused, code);
        Assert.Contains(words, error, StringComparison.Ordinal);
    }

    private static async Task<IEnumerable<string>> Members(IClusterStore store) =>
        ClusterHistory.Ok(await store.ReadClusterAsync()).Members.Select(m => $"{m} {m.LinkAddress} {m.ClientUrl} {m.UpView} {m.DownView} {m.DownReason} {m.Weight} {m.DeadProof} {string.Join(',', m.Types ?? [])}");

    private static async Task<IEnumerable<string>> Rows(IClusterStore store, string entity) =>
        ClusterHistory.Ok(await store.ReadJournalAsync(entity, 1, 100)).Select(r => $"{r.EntitySeq} {r.Command} {r.Kind} {r.Payload.Length} {(r.Result is { } result ? Convert.ToHexString(result.Span) : "none")} {r.AtUnixMs}");

    private static async Task<string> Snapshot(IClusterStore store, string entity) =>
        (await store.ReadSnapshotAsync(entity)).Value is { } s ? $"{s.EntitySeq} {s.Schema} {Convert.ToHexString(s.Payload.Span)}" : "none";

    private static void Signal(Process process, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    private static string HashOf(string file) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)));
}
