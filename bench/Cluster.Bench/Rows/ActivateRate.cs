using ActorCluster.Bench.Nodes;
using ActorCluster.Bench.Yardsticks;

namespace ActorCluster.Bench.Rows;

/// <summary>Entities made by first asks, ids made beforehand, against inserts into a dictionary of plain objects: one thread, and no replies.</summary>
internal static class ActivateRate
{
    private const int PerSecond = 250_000; // A run activates so many for each second that was asked for.

    public static async Task<Figure> RunAsync(BenchOptions options, TempFolder folder)
    {
        var callers = options.Callers > 0 ? options.Callers : 64;
        var entities = (int)Math.Clamp(options.Seconds * PerSecond, 20_000, 500_000);
        await using var node = await BenchNode.StartAsync(folder.Path, "node1").ConfigureAwait(false);
        await ActivateMemory.AskAllAsync(node.Cluster, i => ActivateMemory.Id("warm", i), entities, callers).ConfigureAwait(false);
        var (windows, yardsticks) = (new List<Window>(), new List<Window>());
        for (var run = 0; run < options.Runs; run++)
        {
            var name = $"r{run}";
            var ids = Enumerable.Range(0, entities).Select(i => ActivateMemory.Id(name, i)).ToArray();
            GC.Collect();
            var close = Window.Open();
            await ActivateMemory.AskAllAsync(node.Cluster, i => ids[i], entities, callers).ConfigureAwait(false);
            windows.Add(close(entities));
            GC.Collect();
            close = Window.Open();
            var plain = new PlainObjects(0);
            foreach (var id in ids) plain.Increment(id);
            yardsticks.Add(close(entities));
            GC.KeepAlive(plain);
        }
        return new Figure("activate-rate", Window.Median(windows.Select(w => w.Rate)), "entities/s")
        {
            Yardstick = Window.Median(yardsticks.Select(w => w.Rate)),
            Ratio = Window.Median(windows.Zip(yardsticks, (ours, theirs) => ours.Rate / theirs.Rate)),
            CpuUsPerOp = Window.Median(windows.Select(w => w.CpuUsPerOp)),
            Steal = windows.Concat(yardsticks).Average(w => w.Steal),
            More = new Dictionary<string, double> { ["yardstickCpuUsPerOp"] = Window.Median(yardsticks.Select(w => w.CpuUsPerOp)) },
            Config = new Dictionary<string, System.Text.Json.Nodes.JsonNode?> { ["callers"] = callers, ["entities"] = entities, ["runs"] = options.Runs },
        };
    }
}
