using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using ActorCluster.Bench.Nodes;
using ActorCluster.Entities;
using ActorCluster.Primitives;
using ActorCluster.Tests.Shared;

namespace ActorCluster.Bench.Rows;

/// <summary>SIGKILL of one of three nodes: how long until a durable command to one of its entities, asked at a survivor, is answered, and where that time goes.</summary>
/// <remarks>The survivor that asks is the oldest node, in this process; the other survivor and the victim are processes of their own. Asks go out every 20 ms
/// and do not wait for each other, since one that was under way at the kill may never be answered.</remarks>
internal static class Failover
{
    private static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly Enter Command = new(new byte[100]);

    private static readonly (string Name, string What)[] Milestones =
    [
        ("linkReset", "a survivor sees the link break"),
        ("probeRefused", "nobody listens at the victim's link"),
        ("lockFree", "the victim's lock file is free"),
        ("decided", "the eviction is asked of the store"),
        ("committed", "the eviction is committed"),
        ("acquired", "the new owner has the shard"),
        ("loaded", "the entity is loaded"),
        ("answered", "the command is answered"),
    ];

    public static Task<Figure> SqliteAsync(BenchOptions options, TempFolder folder) => RunAsync("failover", options.RunsOr(10), folder, null);

    public static async Task<Figure> PostgresAsync(BenchOptions options, TempFolder folder)
    {
        using var server = PostgresServer.Durable();
        return await RunAsync("failover-postgres", options.RunsOr(20), folder, server.ConnectionString).ConfigureAwait(false);
    }

    private static async Task<Figure> RunAsync(string name, int runs, TempFolder folder, string? postgres)
    {
        var mine = new ConcurrentQueue<Step>();
        Ledger.Tell = mine.Enqueue;
        var hosts = new Hosted(postgres, Ledger.Shards, TellsOfLoads: true, Balances: true);
        await using var node = await BenchNode.StartAsync(folder.Path, "node1", hosts.SetUp, new StepLog(mine.Enqueue)).ConfigureAwait(false);
        await using var survivor = await PeerProcess.StartAsync(folder.Path, "node2", hosts).ConfigureAwait(false);
        var (times, all, close) = (new List<double>(), new List<Dictionary<string, double>>(), Window.Open(survivor.Id));
        for (var run = 0; run < runs; run++)
        {
            await using var victim = await PeerProcess.StartAsync(folder.Path, "node3", hosts).ConfigureAwait(false);
            var id = await EntityOfAsync(node, run).ConfigureAwait(false);
            mine.Clear();
            survivor.Steps.Clear();
            var killed = Stopwatch.GetTimestamp();
            victim.Kill();
            var answered = await FirstAnswerAsync(node, id).ConfigureAwait(false);
            await Task.Delay(200).ConfigureAwait(false); // The survivor's lines come through a pipe.
            var steps = StepsOf(id, killed, [.. mine], [.. survivor.Steps]);
            steps["answered"] = Ms(killed, answered);
            times.Add(steps["answered"]);
            all.Add(steps);
        }
        Ledger.Tell = null;
        var window = close(runs);
        var medians = Milestones.Select(m => (m.Name, m.What, Ms: Window.Median(all.Where(s => s.ContainsKey(m.Name)).Select(s => s[m.Name])), Seen: all.Count(s => s.ContainsKey(m.Name)))).ToList();
        Console.Error.WriteLine($"{name}: median ms after SIGKILL, {runs} runs");
        foreach (var (step, what, ms, seen) in medians) Console.Error.WriteLine($"  {ms,8:F1}  {step,-13} {what}{(seen < runs ? $" (seen in {seen})" : "")}");
        return new Figure(name, Window.Median(times), "ms")
        {
            Steal = window.Steal,
            More = new Dictionary<string, double> { ["max_ms"] = times.Max() },
            Config = new Dictionary<string, JsonNode?>
            {
                ["nodes"] = 3,
                ["store"] = postgres is null ? "sqlite" : "postgres",
                ["settings"] = "defaults, but shards move for balance after 1 s",
                ["runs"] = runs,
                ["runsMs"] = new JsonArray([.. times.Select(t => (JsonNode)Math.Round(t))]),
                ["stepsMs"] = new JsonObject(medians.Select(m => KeyValuePair.Create(m.Name, (JsonNode?)Math.Round(m.Ms, 1)))),
            },
        };
    }

    /// <summary>An entity of the third node, loaded there, once all three share the shards.</summary>
    private static async Task<string> EntityOfAsync(BenchNode node, int run)
    {
        await node.UntilAsync("three nodes share the shards", TimeSpan.FromSeconds(60), status =>
            status.Members.Count(m => m.Status == "up") == 3 && status.Shards.Where(s => s.Type == "ledger").Count(s => s.Owner.Length > 0 && s.Count >= Ledger.Shards / 4) == 3).ConfigureAwait(false);
        await Task.Delay(500).ConfigureAwait(false); // The last hand-offs settle.
        var life = node.Engine.Life!;
        var victim = life.Latest.Snapshot!.Members.Single(m => m.Name == "node3" && m.IsLive).Inc;
        for (var i = 0; ; i++)
        {
            var id = $"room-{run}-{i}";
            if (life.Regions.RouteOf(new EntityId("ledger", id)).Owner != victim) continue;
            await node.Cluster.Entity<Ledger>(id).AskAsync(Command).ConfigureAwait(false);
            return id;
        }
    }

    private static async Task<long> FirstAnswerAsync(BenchNode node, string id)
    {
        var first = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var every = new PeriodicTimer(AskEvery);
        var started = Stopwatch.GetTimestamp();
        while (!first.Task.IsCompleted)
        {
            _ = AskAsync();
            await Task.WhenAny(first.Task, every.WaitForNextTickAsync().AsTask()).ConfigureAwait(false);
            if (Stopwatch.GetElapsedTime(started) > Limit) throw new TimeoutException($"Entity {id} of the killed node did not answer within {Limit.TotalSeconds} s. {node.Cluster.Status()}");
        }
        return await first.Task.ConfigureAwait(false);

        async Task AskAsync()
        {
            try
            {
                await node.Cluster.Entity<Ledger>(id).AskAsync(Command).ConfigureAwait(false);
                first.TrySetResult(Stopwatch.GetTimestamp());
            }
            catch (EntityException)
            {
                // Asked again soon.
            }
        }
    }

    /// <summary>When each step was first seen, by ids of log lines (Hosting/HostingLog.cs, Links/LinkLog.cs).</summary>
    private static Dictionary<string, double> StepsOf(string id, long killed, Step[] mine, Step[] theirs)
    {
        var steps = new Dictionary<string, double>();
        Step[] both = [.. mine.Concat(theirs).Where(s => s.At >= killed).OrderBy(s => s.At)];
        Note("linkReset", both.FirstOrDefault(s => s.Event == 1102));
        Note("probeRefused", both.FirstOrDefault(s => s.Event == 1016));
        Note("lockFree", both.FirstOrDefault(s => s.Event == 1017));
        Note("decided", both.FirstOrDefault(s => s.Event == 1018));
        Note("committed", both.FirstOrDefault(s => s.Event == 1007));
        var loaded = both.FirstOrDefault(s => s.Event == 0 && s.Text == id);
        Note("loaded", loaded);
        if (loaded is not null) Note("acquired", (theirs.Contains(loaded) ? theirs : mine).LastOrDefault(s => s.Event == 1004 && s.At >= killed && s.At <= loaded.At));
        return steps;

        void Note(string name, Step? step)
        {
            if (step is not null) steps[name] = Ms(killed, step.At);
        }
    }

    private static double Ms(long from, long to) => Stopwatch.GetElapsedTime(from, to).TotalMilliseconds;
}
