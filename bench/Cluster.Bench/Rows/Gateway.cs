using System.Text.Json.Nodes;
using ActorCluster.Bench.Nodes;

namespace ActorCluster.Bench.Rows;

/// <summary>A node with clients on real sockets: what an idle connection holds, what reaches the active ones, and how late.</summary>
/// <remarks>Kestrel and the node are in this process, all clients in another. Every client has said hello and is in a room of 50; idle rooms are silent. The
/// speakers of active rooms say their next message when the last one is answered, so the figures are those of a machine that is busy on both sides.</remarks>
internal static class Gateway
{
    public static async Task<Figure> RunAsync(BenchOptions options, TempFolder folder)
    {
        var active = options.Callers > 0 ? options.Callers : 1_000;
        var idle = 5 * active;
        var (started, url) = await BenchNode.StartWithGatewayAsync(folder.Path, "node1").ConfigureAwait(false);
        await using var node = started;
        await using var load = LoadProcess.Start(url, idle, active);
        // The active clients come last, so that the node is warm only from its start: what the first connections load is counted in, for thousands a few bytes each.
        var before = Memory();
        await load.DoAsync("idle").ConfigureAwait(false);
        var after = Memory();
        await load.DoAsync("active").ConfigureAwait(false);

        var (rates, p50, p99, windows) = (new List<double>(), new List<double>(), new List<double>(), new List<Window>());
        for (var run = 0; run < options.Runs; run++)
        {
            var close = Window.Open(load.Id);
            if (await load.DoAsync(FormattableString.Invariant($"talk {options.Seconds}")).ConfigureAwait(false) is not [var rate, var delivered, var middle, var late]) throw new InvalidOperationException("The load process did not say what was delivered.");
            windows.Add(close(delivered));
            rates.Add(rate);
            p50.Add(middle);
            p99.Add(late);
        }
        return new Figure("gateway", Window.Median(rates), "deliveries/s")
        {
            P50Us = Window.Median(p50),
            P99Us = Window.Median(p99),
            CpuUsPerOp = Window.Median(windows.Select(w => w.CpuUsPerOp)),
            Steal = windows.Average(w => w.Steal),
            More = new Dictionary<string, double>
            {
                ["idleHeapBytes"] = (after.Heap - before.Heap) / (double)idle,
                ["idleWorkingSetBytes"] = (after.WorkingSet - before.WorkingSet) / (double)idle,
            },
            Config = new Dictionary<string, JsonNode?>
            {
                ["idle"] = idle,
                ["active"] = active,
                ["roomMembers"] = LoadProcess.RoomMembers,
                ["speakersPerRoom"] = LoadProcess.Speakers,
                ["seconds"] = options.Seconds,
                ["runs"] = options.Runs,
            },
        };
    }

    private static (long Heap, long WorkingSet) Memory()
    {
        var heap = GC.GetTotalMemory(forceFullCollection: true);
        return (heap, Environment.WorkingSet);
    }
}
