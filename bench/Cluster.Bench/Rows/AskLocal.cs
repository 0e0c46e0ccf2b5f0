using ActorCluster.Bench.Nodes;
using ActorCluster.Bench.Yardsticks;

namespace ActorCluster.Bench.Rows;

/// <summary>Asks to entities of the caller's own node, against channels with pooled replies.</summary>
internal static class AskLocal
{
    private const int Entities = 1_000;

    public static async Task<Figure> RunAsync(BenchOptions options, TempFolder folder)
    {
        var callers = options.Callers > 0 ? options.Callers : 64;
        var ids = Enumerable.Range(0, Entities).Select(i => $"c-{i}").ToArray();
        await using var node = await BenchNode.StartAsync(folder.Path, "node1").ConfigureAwait(false);
        await using var actors = new ChannelActors(Entities);
        var questions = Enumerable.Range(0, callers).Select(_ => new ChannelActors.Question()).ToArray();
        var cluster = node.Cluster;
        var increment = new Increment(1);

        ValueTask<int> Ours(int caller, long done) => cluster.Entity<Counter>(ids[Pick(caller, done)]).AskAsync(increment);
        ValueTask<int> Theirs(int caller, long done) => actors.AskAsync(Pick(caller, done), questions[caller]);

        var (windows, yardsticks, shares, theirShares, bytes) = (new List<Window>(), new List<Window>(), new List<double>(), new List<double>(), new List<double>());
        foreach (var warm in new Func<int, long, ValueTask<int>>[] { Ours, Theirs }) await Callers.RunAsync(callers, Math.Min(1, options.Seconds), timed: false, [], warm).ConfigureAwait(false);
        for (var run = 0; run < options.Runs; run++)
        {
            var before = GC.GetTotalAllocatedBytes();
            var (window, all) = await Callers.RunAsync(callers, options.Seconds, timed: false, [], Ours).ConfigureAwait(false);
            bytes.Add((GC.GetTotalAllocatedBytes() - before) / Math.Max(1.0, all.Total));
            windows.Add(window);
            shares.Add(all.SlowestShare);
            var (theirWindow, theirs) = await Callers.RunAsync(callers, options.Seconds, timed: false, [], Theirs).ConfigureAwait(false);
            yardsticks.Add(theirWindow);
            theirShares.Add(theirs.SlowestShare);
        }
        return new Figure("ask-local", Window.Median(windows.Select(w => w.Rate)), "asks/s")
        {
            Yardstick = Window.Median(yardsticks.Select(w => w.Rate)),
            Ratio = Window.Median(windows.Zip(yardsticks, (ours, theirs) => ours.Rate / theirs.Rate)),
            CpuUsPerOp = Window.Median(windows.Select(w => w.CpuUsPerOp)),
            Steal = windows.Concat(yardsticks).Average(w => w.Steal),
            More = new Dictionary<string, double> { ["slowestCallerShare"] = Window.Median(shares), ["yardstickSlowestCallerShare"] = Window.Median(theirShares), ["bytesPerAsk"] = Window.Median(bytes), ["yardstickCpuUsPerOp"] = Window.Median(yardsticks.Select(w => w.CpuUsPerOp)) },
            Config = new Dictionary<string, System.Text.Json.Nodes.JsonNode?> { ["callers"] = callers, ["entities"] = Entities, ["seconds"] = options.Seconds, ["runs"] = options.Runs },
        };
    }

    /// <summary>Every caller walks over all entities, each in its own order.</summary>
    private static int Pick(int caller, long done) => (int)((uint)((caller * 7919) + (done * 31)) % Entities);
}
