using System.Text.Json.Nodes;
using ActorCluster.Bench.Nodes;
using ActorCluster.Bench.Yardsticks;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sql;
using ActorCluster.Tests.Shared;

namespace ActorCluster.Bench.Rows;

/// <summary>Commands to journaled entities, each answered after its commit, against bare inserts of as many rows a commit.</summary>
internal static class Persist
{
    private const int Rooms = 256;
    private const int PayloadBytes = 100;

    public static Task<Figure> SqliteAsync(BenchOptions options, TempFolder folder) => RunAsync(
        "persist-sqlite", options, folder, new JsonObject { ["synchronous"] = "FULL" },
        () => new SqliteStore(new SqliteStoreOptions { Path = Path.Combine(folder.Path, "cluster.db") }),
        (rooms, shardOf, payload) => Task.FromResult<RawJournal>(new RawSqliteJournal(folder.Path, rooms, shardOf, payload)));

    public static async Task<Figure> PostgresAsync(BenchOptions options, TempFolder folder)
    {
        using var server = PostgresServer.Durable();
        return await RunAsync(
            "persist-postgres", options, folder, new JsonObject { ["synchronous_commit"] = "on", ["fsync"] = "on", ["server"] = "one, on this machine" },
            () => new PostgresStore(new PostgresStoreOptions { ConnectionString = server.ConnectionString }),
            async (rooms, shardOf, payload) => await RawPostgresJournal.MakeAsync(server.ConnectionString, rooms, shardOf, payload).ConfigureAwait(false)).ConfigureAwait(false);
    }

    private static async Task<Figure> RunAsync(
        string name, BenchOptions options, TempFolder folder, JsonObject settings, Func<IClusterStore> open, Func<string[], long[], byte[], Task<RawJournal>> bare)
    {
        var callers = options.Callers > 0 ? options.Callers : 1_024;
        CountedStore? count = null;
        await using var node = await BenchNode.StartAsync(folder.Path, "node1", cluster => cluster
            .WithEntity<Ledger>("ledger", Ledger.Register, Ledger.Shards)
            .WithStore((_, _) =>
            {
                (var store, count) = CountedStore.Around(open());
                return store;
            })).ConfigureAwait(false);
        var ids = Enumerable.Range(0, Rooms).Select(i => $"room-{i}").ToArray();
        var keys = ids.Select(id => new EntityId("ledger", id)).ToArray();
        var regions = node.Engine.Life!.Regions;
        var payload = new byte[PayloadBytes];
        Random.Shared.NextBytes(payload);
        using var raw = await bare([.. keys.Select(k => k.StoreKey)], [.. keys.Select(k => regions.RouteOf(k).Shard.Value)], payload).ConfigureAwait(false);
        var (cluster, command, sequences) = (node.Cluster, new Enter(payload), new long[callers]);

        var (windows, yardsticks, p50, p99, perCommit) = (new List<Window>(), new List<Window>(), new List<double>(), new List<double>(), new List<double>());
        for (var run = -1; run < options.Runs; run++)
        {
            var seconds = run < 0 ? Math.Min(1, options.Seconds) : options.Seconds;
            var before = count!.Appends;
            var (window, ours) = await Callers.RunAsync(callers, seconds, timed: true, [], EnterAsync).ConfigureAwait(false);
            var rows = ours.Total / (double)Math.Max(1, count.Appends - before); // Counted to the last answer, as the commits are.
            var theirs = await Task.Factory.StartNew(() => raw.Run((int)Math.Max(1, Math.Round(rows)), seconds), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
            if (run < 0) continue; // Loads the entities and fills the caches.
            windows.Add(window);
            yardsticks.Add(theirs);
            perCommit.Add(rows);
            p50.Add(ours.Percentile(0.5));
            p99.Add(ours.Percentile(0.99));
        }
        return new Figure(name, Window.Median(windows.Select(w => w.Rate)), "commands/s")
        {
            P50Us = Window.Median(p50),
            P99Us = Window.Median(p99),
            Yardstick = Window.Median(yardsticks.Select(w => w.Rate)),
            Ratio = Window.Median(windows.Zip(yardsticks, (ours, theirs) => ours.Rate / theirs.Rate)),
            CpuUsPerOp = Window.Median(windows.Select(w => w.CpuUsPerOp)),
            Steal = windows.Concat(yardsticks).Average(w => w.Steal),
            More = new Dictionary<string, double> { ["rowsPerCommit"] = Window.Median(perCommit), ["yardstickCpuUsPerOp"] = Window.Median(yardsticks.Select(w => w.CpuUsPerOp)) },
            Config = new Dictionary<string, JsonNode?>
            {
                ["callers"] = callers,
                ["rooms"] = Rooms,
                ["shards"] = Ledger.Shards,
                ["payloadBytes"] = PayloadBytes,
                ["store"] = settings,
                ["seconds"] = options.Seconds,
                ["runs"] = options.Runs,
            },
        };

        ValueTask<int> EnterAsync(int caller, long done)
        {
            var sequence = ++sequences[caller];
            return CountedAsync(cluster.Entity<Ledger>(ids[(int)(((caller * 7919) + (sequence * 31)) % Rooms)]).AskAsync(command, new CommandId(new ClientId((UInt128)caller + 1), sequence)));
        }
    }

    private static async ValueTask<int> CountedAsync(ValueTask<Entered> answer) => (int)(await answer.ConfigureAwait(false)).Entries;
}
