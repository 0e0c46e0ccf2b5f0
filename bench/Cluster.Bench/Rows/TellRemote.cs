using System.Diagnostics;
using ActorCluster.Bench.Nodes;

namespace ActorCluster.Bench.Rows;

/// <summary>Tells to entities of another process; counted by asking the receivers afterwards, and what is missing is a figure.</summary>
internal static class TellRemote
{
    private const int Entities = 1_000;

    public static async Task<Figure> RunAsync(BenchOptions options, TempFolder folder)
    {
        var senders = options.Callers > 0 ? options.Callers : 256;
        await using var node = await BenchNode.StartAsync(folder.Path, "node1").ConfigureAwait(false);
        await using var peer = await PeerProcess.StartAsync(folder.Path, "node2").ConfigureAwait(false);
        var ids = await AskRemote.RemoteIdsAsync(node, Entities).ConfigureAwait(false);
        var cluster = node.Cluster;
        var note = new Note(1);
        var (windows, lost, sent) = (new List<Window>(), 0L, 0L);
        var before = await CountAsync().ConfigureAwait(false);
        for (var run = -1; run < options.Runs; run++)
        {
            var close = Window.Open(peer.Id);
            var started = Stopwatch.GetTimestamp();
            var sentBefore = sent;
            await Task.WhenAll(Enumerable.Range(0, senders).Select(sender => Task.Run(async () =>
            {
                var mine = 0L;
                while (Stopwatch.GetElapsedTime(started).TotalSeconds < options.Seconds)
                    for (var i = 0; i < 16; i++, mine++)
                        await cluster.Entity<Counter>(ids[(int)((uint)((sender * 7919) + (mine * 31)) % (uint)ids.Count)]).TellAsync(note).ConfigureAwait(false);
                Interlocked.Add(ref sent, mine);
            }))).ConfigureAwait(false);
            var received = await CountAsync().ConfigureAwait(false) - before; // Asked behind the last tell of each stream, so all have come.
            before += received;
            lost += sent - sentBefore - received;
            if (run >= 0) windows.Add(close(received));
        }
        return new Figure("tell-remote", Window.Median(windows.Select(w => w.Rate)), "messages/s")
        {
            CpuUsPerOp = Window.Median(windows.Select(w => w.CpuUsPerOp)),
            Steal = windows.Average(w => w.Steal),
            More = new Dictionary<string, double> { ["lost"] = lost },
            Config = new Dictionary<string, System.Text.Json.Nodes.JsonNode?> { ["senders"] = senders, ["entities"] = ids.Count, ["seconds"] = options.Seconds, ["runs"] = options.Runs },
        };

        async Task<long> CountAsync() => (await Task.WhenAll(ids.Select(id => cluster.Entity<Counter>(id).AskAsync(new Count()).AsTask())).ConfigureAwait(false)).Sum(c => (long)c);
    }
}
