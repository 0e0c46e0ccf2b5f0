using System.Diagnostics;
using System.Text.Json.Nodes;
using ActorCluster.Bench.Nodes;
using ActorCluster.Bench.Yardsticks;
using ActorCluster.Primitives;

namespace ActorCluster.Bench.Rows;

/// <summary>Asks to entities of another process, against a raw socket on which each caller awaits its reply, and against one that is only kept full.</summary>
internal static class AskRemote
{
    private const int Entities = 1_000;

    public static async Task<Figure> RunAsync(BenchOptions options, TempFolder folder)
    {
        var callers = options.Callers > 0 ? options.Callers : 64;
        await using var node = await BenchNode.StartAsync(folder.Path, "node1").ConfigureAwait(false);
        await using var peer = await PeerProcess.StartAsync(folder.Path, "node2").ConfigureAwait(false);
        var ids = await RemoteIdsAsync(node, Entities).ConfigureAwait(false);
        using var echo = new RawEcho(peer.Echo, callers);
        using var raw = new RawEcho(peer.Echo, 0);
        var cluster = node.Cluster;
        var increment = new Increment(1);

        ValueTask<int> Ours(int caller, long done) => cluster.Entity<Counter>(ids[(int)((uint)((caller * 7919) + (done * 31)) % (uint)ids.Count)]).AskAsync(increment);
        ValueTask<int> Theirs(int caller, long done) => echo.AskAsync(caller);
        ValueTask<int> Together(int caller, long done) => echo.AskTogetherAsync(caller);

        foreach (var warm in new Func<int, long, ValueTask<int>>[] { Ours, Theirs }) await Callers.RunAsync(callers, Math.Min(1, options.Seconds), timed: true, [peer.Id], warm).ConfigureAwait(false);
        var (windows, yardsticks, rawRates, rawLatencies) = (new List<Window>(), new List<Window>(), new List<double>(), new List<double>());
        var (p50, p99, together) = (new List<double>(), new List<double>(), new List<double>());
        for (var run = 0; run < options.Runs; run++)
        {
            var (window, ours) = await Callers.RunAsync(callers, options.Seconds, timed: true, [peer.Id], Ours).ConfigureAwait(false);
            windows.Add(window);
            p50.Add(ours.Percentile(0.5));
            p99.Add(ours.Percentile(0.99));
            yardsticks.Add((await Callers.RunAsync(callers, options.Seconds, timed: true, [peer.Id], Theirs).ConfigureAwait(false)).Window);
            together.Add((await Callers.RunAsync(callers, Math.Min(1, options.Seconds), timed: true, [peer.Id], Together).ConfigureAwait(false)).Window.Rate);
            var started = Stopwatch.GetTimestamp();
            var seconds = Math.Min(1, options.Seconds);
            if (callers == 1) rawLatencies.Add(PingPongs(raw, seconds));
            else rawRates.Add(raw.Pipelined(callers, () => Stopwatch.GetElapsedTime(started).TotalSeconds < seconds) / seconds);
        }
        var config = new Dictionary<string, JsonNode?> { ["callers"] = callers, ["entities"] = ids.Count, ["seconds"] = options.Seconds, ["runs"] = options.Runs };
        if (callers == 1) config["raw_p50_us"] = Window.Median(rawLatencies);
        else (config["raw"], config["awaitedTogether"]) = (Math.Round(Window.Median(rawRates)), Math.Round(Window.Median(together)));
        return new Figure("ask-remote", Window.Median(windows.Select(w => w.Rate)), "asks/s")
        {
            P50Us = Window.Median(p50),
            P99Us = Window.Median(p99),
            Yardstick = Window.Median(yardsticks.Select(w => w.Rate)),
            // With one caller it is the wait that counts: lower is better.
            Ratio = callers == 1 ? Window.Median(p50.Zip(rawLatencies, (ours, theirs) => ours / theirs)) : Window.Median(windows.Zip(yardsticks, (ours, theirs) => ours.Rate / theirs.Rate)),
            CpuUsPerOp = Window.Median(windows.Select(w => w.CpuUsPerOp)),
            Steal = windows.Concat(yardsticks).Average(w => w.Steal),
            More = new Dictionary<string, double> { ["yardstickCpuUsPerOp"] = Window.Median(yardsticks.Select(w => w.CpuUsPerOp)) },
            Config = config,
        };
    }

    /// <summary>Ids of entities that the other node serves, once both share the shards.</summary>
    public static async Task<List<string>> RemoteIdsAsync(BenchNode node, int count)
    {
        await node.UntilAsync("two nodes share the shards", TimeSpan.FromSeconds(60), status =>
            status.Shards.All(s => s.Owner.Length > 0) && status.Shards.Where(s => s.Type == "counter").Count(s => s.Count >= 100) == 2).ConfigureAwait(false);
        var life = node.Engine.Life!;
        var ids = new List<string>();
        for (var i = 0; ids.Count < count; i++)
            if (life.Regions.RouteOf(new EntityId("counter", $"c-{i}")).Owner is { } owner && owner != life.Self) ids.Add($"c-{i}");
        return ids;
    }

    private static double PingPongs(RawEcho raw, double seconds)
    {
        var latencies = new Latencies();
        for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started).TotalSeconds < seconds;)
        {
            var sent = Stopwatch.GetTimestamp();
            raw.PingPong();
            latencies.Add(Stopwatch.GetTimestamp() - sent);
        }
        return Latencies.Percentile([latencies], 0.5);
    }
}
