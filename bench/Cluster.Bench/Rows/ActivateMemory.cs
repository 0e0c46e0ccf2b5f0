using ActorCluster.Bench.Nodes;
using ActorCluster.Bench.Yardsticks;
using ActorCluster.Hosting;

namespace ActorCluster.Bench.Rows;

/// <summary>What an idle entity costs to keep, against a dictionary of plain objects with the same state.</summary>
/// <remarks>Counted is all that the managed heap grew by, per entity: the id's string, its place in the shard's table, the cell with its mailbox, the entity with
/// its context. Not counted: what the node has anyway, and asks, which are pooled.</remarks>
internal static class ActivateMemory
{
    public static async Task<Figure> RunAsync(BenchOptions options, TempFolder folder)
    {
        var entities = (int)Math.Clamp(options.Seconds * 200_000 / 3, 20_000, 200_000);
        await using var node = await BenchNode.StartAsync(folder.Path, "node1").ConfigureAwait(false);
        var (ours, theirs, close) = (new List<double>(), new List<double>(), Window.Open());
        await AskAllAsync(node.Cluster, i => Id("warm", i), 1_000, 64).ConfigureAwait(false); // Pools and code are not the entities'.
        for (var run = 0; run < options.Runs; run++)
        {
            var name = $"m{run}";
            // Ids are made one by one while it is counted and kept by nobody else: an id is part of what an entity costs, here and there.
            var before = GC.GetTotalMemory(forceFullCollection: true);
            await AskAllAsync(node.Cluster, i => Id(name, i), entities, 64).ConfigureAwait(false);
            ours.Add((GC.GetTotalMemory(forceFullCollection: true) - before) / (double)entities);
            theirs.Add(OfPlainObjects(name, entities));
        }
        var window = close(entities * (double)options.Runs);
        if (node.Cluster.Status().ActiveEntities < entities * options.Runs) throw new InvalidOperationException($"Only {node.Cluster.Status().ActiveEntities} entities are in memory; the figure would be of fewer.");
        return new Figure("activate-memory", Window.Median(ours), "bytes/entity")
        {
            Yardstick = Window.Median(theirs),
            Ratio = Window.Median(ours.Zip(theirs, (o, t) => o / t)), // Lower is better.
            CpuUsPerOp = window.CpuUsPerOp,
            Steal = window.Steal,
            Config = new Dictionary<string, System.Text.Json.Nodes.JsonNode?> { ["entities"] = entities, ["idCharacters"] = Id("m0", 0).Length, ["runs"] = options.Runs },
        };
    }

    /// <summary>Ids that differ from run to run.</summary>
    public static string Id(string run, int number) => $"{run}-{number:d8}";

    /// <summary>Asks each entity once.</summary>
    public static Task AskAllAsync(IActorCluster cluster, Func<int, string> id, int entities, int callers)
    {
        var (next, increment) = (-1, new Increment(1));
        return Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            for (int i; (i = Interlocked.Increment(ref next)) < entities;)
                await cluster.Entity<Counter>(id(i)).AskAsync(increment).ConfigureAwait(false);
        })));
    }

    private static double OfPlainObjects(string run, int entities)
    {
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var plain = new PlainObjects(0);
        for (var i = 0; i < entities; i++) plain.Increment(Id(run, i));
        var bytes = (GC.GetTotalMemory(forceFullCollection: true) - before) / (double)entities;
        GC.KeepAlive(plain);
        return bytes;
    }
}
