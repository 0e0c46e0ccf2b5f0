using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using ActorCluster.Bench.Nodes;
using ActorCluster.Entities;
using ActorCluster.Primitives;
using ActorCluster.Tests.Shared;

namespace ActorCluster.Bench.Rows;

/// <summary>SIGKILL of the node that has everything: how long from the commit of its eviction until its shards have new owners, and until each of its entities has answered again.</summary>
/// <remarks>The victim started first and alone, so that all hashed shards are its own; it has a thousand times the capacity of the others, so that nearly all individually placed entities are, too. Two survivors share them, of which one, in this process, asks. What is recorded is
/// read from the survivors' log lines: an acquire is logged once the store has answered it.</remarks>
internal static partial class Rehome
{
    private const int Callers = 1024;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(50);
    private static readonly Enter Command = new(new byte[100]);

    public static Task<Figure> SqliteAsync(BenchOptions options, TempFolder folder) => RunAsync("rehome", options, folder, () => null);

    public static async Task<Figure> PostgresAsync(BenchOptions options, TempFolder folder)
    {
        using var server = PostgresServer.Durable();
        var databases = 0;
        return await RunAsync("rehome-postgres", options, folder, () =>
        {
            var database = string.Create(CultureInfo.InvariantCulture, $"run{databases++}");
            server.Execute($"CREATE DATABASE {database}");
            return $"{server.ConnectionString};Database={database}";
        }).ConfigureAwait(false);
    }

    private static async Task<Figure> RunAsync(string name, BenchOptions options, TempFolder folder, Func<string?> newStore)
    {
        var (memory, journaled, placed, runs, close) = (new List<Measured>(), new List<Measured>(), new List<Measured>(), options.RunsOr(3), Window.Open());
        for (var run = 0; run < runs; run++)
        {
            memory.Add(await OneAsync(options, Folder($"memory{run}"), newStore(), AskCounter, AskCounter).ConfigureAwait(false));
            journaled.Add(await OneAsync(options, Folder($"journal{run}"), newStore(), EnterLedger, LookIntoLedger).ConfigureAwait(false));
            placed.Add(await OneAsync(options, Folder($"placed{run}"), newStore(), AskCall, AskCall, arePlaced: true).ConfigureAwait(false));
        }
        var window = close(1);
        return new Figure(name, Window.Median(memory.Concat(journaled).Select(m => m.RecordedMs)), "ms")
        {
            Steal = window.Steal,
            More = new Dictionary<string, double>
            {
                ["reachableMs"] = Window.Median(memory.Select(m => m.ReachableMs)),
                ["journaledReachableMs"] = Window.Median(journaled.Select(m => m.ReachableMs)),
                ["placedRecordedMs"] = Window.Median(placed.Select(m => m.RecordedMs)),
                ["placedReachableMs"] = Window.Median(placed.Select(m => m.ReachableMs)),
                ["placedCpuSeconds"] = Window.Median(placed.Select(m => m.CpuSeconds)),
            },
            Config = new Dictionary<string, JsonNode?>
            {
                ["nodes"] = 3,
                ["store"] = name == "rehome" ? "sqlite" : "postgres",
                ["entities"] = options.Entities,
                ["shards"] = memory[0].Shards,
                ["placed"] = placed[0].Shards - memory[0].Shards,
                ["runs"] = runs,
                ["recordedMs"] = new JsonArray([.. memory.Concat(journaled).Concat(placed).Select(m => (JsonNode)Math.Round(m.RecordedMs))]),
                ["committedMsAfterKill"] = new JsonArray([.. memory.Concat(journaled).Concat(placed).Select(m => (JsonNode)Math.Round(m.CommittedMs))]),
                ["halfReachableMs"] = new JsonArray([.. memory.Concat(journaled).Concat(placed).Select(m => (JsonNode)Math.Round(m.HalfReachableMs))]),
            },
        };

        string Folder(string of) => Directory.CreateDirectory(Path.Combine(folder.Path, of)).FullName;
    }

    private static async Task<Measured> OneAsync(BenchOptions options, string folder, string? store, Func<BenchNode, int, Task> make, Func<BenchNode, int, Task> ask, bool arePlaced = false)
    {
        var hosts = new Hosted(store, options.Shards, TellsOfLoads: false, Balances: false, arePlaced ? "node3" : null);
        var mine = new ConcurrentQueue<Step>();
        await using var victim = await PeerProcess.StartAsync(folder, "node3", hosts).ConfigureAwait(false);
        await using var node = await BenchNode.StartAsync(folder, "node1", hosts.SetUp, new StepLog(mine.Enqueue)).ConfigureAwait(false);
        await using var survivor = await PeerProcess.StartAsync(folder, "node2", hosts).ConfigureAwait(false);
        await node.UntilAsync("three nodes, all shards at the victim", Limit, status =>
            status.Members.Count(m => m.Status == "up") == 3 && status.Shards.All(s => s.Owner == "node3")).ConfigureAwait(false);
        await AskAllAsync(options.Entities, i => make(node, i)).ConfigureAwait(false);
        var shards = await ShardsOfAsync(hosts, folder, node.Engine.Life!.Latest.Snapshot!.Members.Single(m => m.Name == "node3").Inc).ConfigureAwait(false);

        mine.Clear();
        survivor.Steps.Clear();
        var killed = Stopwatch.GetTimestamp();
        var clock = new CpuClock(store is null ? null : ServerPort().Match(store).Value);
        var before = clock.Read();
        victim.Kill();
        var answered = await AskAllAsync(options.Entities, i => ask(node, i)).ConfigureAwait(false);
        var cpuSeconds = clock.Since(before);
        await Task.Delay(200).ConfigureAwait(false); // The survivor's lines come through a pipe.

        Step[] steps = [.. mine.Concat(survivor.Steps).Where(s => s.At >= killed).OrderBy(s => s.At)];
        var committed = steps.FirstOrDefault(s => s.Event == 1007)?.At ?? throw new InvalidOperationException($"Nobody told of the eviction: {string.Join("; ", steps.TakeLast(20))}");
        var (started, recorded) = (0, 0L);
        foreach (var step in steps.Where(s => s.Event == 1004))
        {
            started += int.Parse(StartedShards().Match(step.Text).Value, CultureInfo.InvariantCulture);
            if (started >= shards && recorded == 0) recorded = step.At;
        }
        if (recorded == 0) throw new InvalidOperationException($"Of the victim's {shards} shards {started} were started elsewhere.");
        Array.Sort(answered);
        return new Measured(shards, Ms(killed, committed), Ms(committed, recorded), Ms(committed, answered[answered.Length / 2]), Ms(committed, answered[^1]), cpuSeconds);
    }

    private static async Task<int> ShardsOfAsync(Hosted hosts, string folder, Incarnation victim)
    {
        var store = await hosts.OpenStoreAsync(folder).ConfigureAwait(false);
        await using (store.ConfigureAwait(false))
        {
            var picture = (await store.ReadPictureAsync(victim).ConfigureAwait(false)).Value!;
            return (int)(picture.Own + picture.Rows.Count(r => r.Owner == victim));
        }
    }

    /// <summary>Asks each entity until it has answered; when each did.</summary>
    private static async Task<long[]> AskAllAsync(int entities, Func<int, Task> ask)
    {
        var (next, answered, until) = (-1, new long[entities], Stopwatch.GetTimestamp() + (long)(Limit.TotalSeconds * Stopwatch.Frequency));
        await Task.WhenAll(Enumerable.Range(0, Math.Min(Callers, entities)).Select(_ => Task.Run(CallAsync))).ConfigureAwait(false);
        return answered;

        async Task CallAsync()
        {
            while (Interlocked.Increment(ref next) is var i && i < entities)
            {
                while (answered[i] == 0)
                {
                    try
                    {
                        await ask(i).ConfigureAwait(false);
                        answered[i] = Stopwatch.GetTimestamp();
                    }
                    catch (EntityException failed)
                    {
                        if (Stopwatch.GetTimestamp() > until) throw new TimeoutException($"Entity {i} of {entities} does not answer within {Limit.TotalSeconds} s: {failed.Message}", failed);
                        await Task.Delay(20).ConfigureAwait(false); // Asked again soon.
                    }
                }
            }
        }
    }

    private static Task AskCounter(BenchNode node, int i) => node.Cluster.Entity<Counter>(IdOf(i)).AskAsync(new Increment(1)).AsTask();

    private static Task AskCall(BenchNode node, int i) => node.Cluster.Entity<Call>(IdOf(i)).AskAsync(new Increment(1)).AsTask();

    private static Task EnterLedger(BenchNode node, int i) => node.Cluster.Entity<Ledger>(IdOf(i)).AskAsync(Command).AsTask();

    private static Task LookIntoLedger(BenchNode node, int i) => node.Cluster.Entity<Ledger>(IdOf(i)).AskAsync(new Look()).AsTask();

    private static string IdOf(int i) => string.Create(CultureInfo.InvariantCulture, $"user-{i}");

    private static double Ms(long from, long to) => Math.Max(0, Stopwatch.GetElapsedTime(from, to).TotalMilliseconds);

    [GeneratedRegex("(?<=Port=)[0-9]+")]
    private static partial Regex ServerPort();

    [GeneratedRegex("^[0-9]+")]
    private static partial Regex StartedShards();

    private sealed record Measured(int Shards, double CommittedMs, double RecordedMs, double HalfReachableMs, double ReachableMs, double CpuSeconds);
}
