using System.Diagnostics;
using System.Text.Json.Nodes;
using ActorCluster.AspNetCore;
using ActorCluster.AspNetCore.Gateway;
using ActorCluster.Bench.Nodes;
using ActorCluster.ChatRooms;
using ActorCluster.Primitives;

namespace ActorCluster.Bench.Rows;

/// <summary>One room's messages to a thousand sessions of one node: from the push that arrives until each session has sent its frame.</summary>
/// <remarks>Real: the listener, the relay, the gateway's sessions and their pumps, and a room that all have joined. Not real: the room's owner, whose pushes are
/// made up behind its last join, and the sockets, which take each frame at once; their system calls are the gateway row's.</remarks>
internal static class FanOut
{
    private const int Sessions = 1_000;
    private const int Together = 16;
    private const int TextCharacters = 40;

    public static async Task<Figure> RunAsync(BenchOptions options, TempFolder folder)
    {
        await using var node = await BenchNode.StartAsync(folder.Path, "node1", cluster => cluster.WithChatRooms().Services.AddClusterGateway()).ConfigureAwait(false);
        var gateway = node.Service<ClusterGateway>();
        var publisher = new Publisher(node);
        var sockets = Enumerable.Range(0, Sessions).Select(_ => new SwallowingSocket(["""{"op":"hello","v":1}""", """{"op":"cmd","id":1,"cmd":"join","room":"lobby"}"""], publisher.Reached)).ToArray();
        publisher.Sockets = sockets;
        var serving = sockets.Select((socket, i) => Task.Run(() => gateway.ServeAsync(socket, $"user-{i}"))).ToArray();
        var until = Stopwatch.GetTimestamp();
        while (sockets.Any(s => s.Seen < Sessions))
        {
            if (Stopwatch.GetElapsedTime(until).TotalSeconds > 60) throw new TimeoutException($"{sockets.Count(s => s.Seen < Sessions)} of {Sessions} sessions have not seen the last join after 60 s.");
            await Task.Delay(50).ConfigureAwait(false);
        }

        var (single, together) = (new List<(Window Window, double Bytes)>(), new List<(Window Window, double Bytes)>());
        for (var run = -1; run < options.Runs; run++)
        {
            var seconds = run < 0 ? Math.Min(0.5, options.Seconds) : options.Seconds;
            var (one, some) = (await publisher.RunAsync(1, seconds).ConfigureAwait(false), await publisher.RunAsync(Together, seconds).ConfigureAwait(false));
            if (run < 0) continue;
            single.Add(one);
            together.Add(some);
        }
        foreach (var socket in sockets) socket.Abort();
        await Task.WhenAll(serving).ConfigureAwait(false);
        return new Figure("fan-out", Window.Median(single.Select(r => r.Window.Rate)), "deliveries/s")
        {
            CpuUsPerOp = Window.Median(single.Select(r => r.Window.CpuUsPerOp)),
            Steal = single.Concat(together).Average(r => r.Window.Steal),
            More = new Dictionary<string, double>
            {
                ["bytesPerDelivery"] = Window.Median(single.Select(r => r.Bytes)),
                ["togetherPerSecond"] = Window.Median(together.Select(r => r.Window.Rate)),
                ["togetherBytesPerDelivery"] = Window.Median(together.Select(r => r.Bytes)),
                ["togetherCpuUsPerOp"] = Window.Median(together.Select(r => r.Window.CpuUsPerOp)),
            },
            Config = new Dictionary<string, JsonNode?>
            {
                ["sessions"] = Sessions,
                ["textCharacters"] = TextCharacters,
                ["underWay"] = "value: one message, the next when all sessions have sent it; together: 16 messages at a time",
                ["real"] = "listener, relay, sessions, pumps; sockets swallow frames at once",
                ["seconds"] = options.Seconds,
                ["runs"] = options.Runs,
            },
        };
    }

    private sealed class Publisher(BenchNode node)
    {
        private readonly RoomNewsListener _listener = node.Service<RoomNewsListener>();
        private readonly Epoch _epoch = node.Engine.Life!.Regions.RouteOf(new EntityId(RoomEntity.TypeName, "lobby")).Epoch;
        private readonly SemaphoreSlim _all = new(0);
        private readonly string _text = new('x', TextCharacters);
        private long _last = Sessions;
        private int _missing;

        public SwallowingSocket[] Sockets { get; set; } = [];

        public void Reached()
        {
            if (Interlocked.Decrement(ref _missing) == 0) _all.Release();
        }

        /// <summary>Pushes messages one by one, so many before it waits until all sessions have sent them.</summary>
        public async Task<(Window Window, double BytesPerDelivery)> RunAsync(int messages, double seconds)
        {
            var (allocated, close, started, before) = (GC.GetTotalAllocatedBytes(), Window.Open(), Stopwatch.GetTimestamp(), _last);
            while (Stopwatch.GetElapsedTime(started).TotalSeconds < seconds)
            {
                Volatile.Write(ref _missing, Sockets.Length);
                foreach (var socket in Sockets) socket.Await(_last + messages);
                for (var i = 0; i < messages; i++)
                    _listener.Received(node.Engine.Life!.Self, "lobby", _epoch, new RoomNews([new RoomItem(++_last, new RoomEvent.Said("user-1", _text), 1_700_000_000_000)], Sessions));
                if (!await _all.WaitAsync(TimeSpan.FromSeconds(10)).ConfigureAwait(false)) throw new TimeoutException($"{_missing} sessions have not got item {_last} after 10 s.");
            }
            var window = close((_last - before) * (double)Sockets.Length);
            return (window, (GC.GetTotalAllocatedBytes() - allocated) / window.Operations);
        }
    }
}
