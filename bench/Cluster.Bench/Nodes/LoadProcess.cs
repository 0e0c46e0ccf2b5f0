using System.Buffers.Text;
using System.Diagnostics;
using System.Globalization;
using System.Net.WebSockets;
using System.Text;

namespace ActorCluster.Bench.Nodes;

/// <summary>The clients of the gateway row: a process of its own with real WebSockets, told by lines on its standard input what to do.</summary>
/// <remarks>Rooms of <see cref="RoomMembers"/>, in each of which <see cref="Speakers"/> say one message after the other; a message carries the time at which it
/// was said, by the clock that all processes of the machine share.</remarks>
internal sealed class LoadProcess : IAsyncDisposable
{
    public const string Command = "--load";
    public const int RoomMembers = 50; // As many as get joins one by one; larger rooms get digests.
    public const int Speakers = 2;

    private readonly Process _process;

    private LoadProcess(Process process) => _process = process;

    public int Id => _process.Id;

    /// <summary>Starts it; nothing is connected yet.</summary>
    public static LoadProcess Start(Uri node, int idle, int active)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardInput = true };
        foreach (var argument in new[] { typeof(LoadProcess).Assembly.Location, Command, node.ToString(), Text(idle), Text(active) }) start.ArgumentList.Add(argument);
        return new LoadProcess(Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start."));
    }

    /// <summary>Has something done and returns the answer's numbers.</summary>
    public async Task<double[]> DoAsync(string what)
    {
        await _process.StandardInput.WriteLineAsync(what).ConfigureAwait(false);
        await _process.StandardInput.FlushAsync().ConfigureAwait(false);
        var line = await _process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(5)).ConfigureAwait(false);
        return line is null
            ? throw new InvalidOperationException($"The load process ended at '{what}'.")
            : [.. line.Split(' ').Skip(1).Select(n => double.Parse(n, CultureInfo.InvariantCulture))];
    }

    /// <summary>What the process does.</summary>
    public static async Task RunAsync(Uri node, int idle, int active)
    {
        var talk = new Talk();
        var clients = new List<Client>();
        while (await Console.In.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            switch (line.Split(' '))
            {
                case ["idle"]:
                    clients.AddRange(await ConnectAsync(node, "idle", idle, talk).ConfigureAwait(false));
                    Console.WriteLine("done");
                    break;
                case ["active"]:
                    clients.AddRange(await ConnectAsync(node, "active", active, talk).ConfigureAwait(false));
                    Console.WriteLine("done");
                    break;
                case ["talk", var seconds]:
                    var speakers = clients.Skip(idle).Where((_, i) => i % RoomMembers < Speakers).ToArray();
                    talk.Begin();
                    foreach (var speaker in speakers) await speaker.SayAsync().ConfigureAwait(false);
                    var started = Stopwatch.GetTimestamp();
                    await Task.Delay(TimeSpan.FromSeconds(double.Parse(seconds, CultureInfo.InvariantCulture))).ConfigureAwait(false);
                    var delivered = talk.Delivered;
                    var rate = delivered / Stopwatch.GetElapsedTime(started).TotalSeconds;
                    talk.IsOver = true;
                    await Task.Delay(500).ConfigureAwait(false); // What is under way.
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"done {rate} {delivered} {talk.Percentile(0.5)} {talk.Percentile(0.99)}"));
                    break;
            }
        }
        foreach (var client in clients) client.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.StandardInput.Close();
        try { await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20)).ConfigureAwait(false); }
        catch (TimeoutException) { _process.Kill(); }
        _process.Dispose();
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>Connects clients, a few at a time, each in its room.</summary>
    private static async Task<List<Client>> ConnectAsync(Uri node, string kind, int count, Talk talk)
    {
        var clients = new Client[count];
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (i, _) =>
            clients[i] = await Client.ConnectAsync(node, $"{kind}-{i}", $"{kind}-room-{i / RoomMembers}", talk).ConfigureAwait(false)).ConfigureAwait(false);
        await Task.Delay(1_500).ConfigureAwait(false); // The last joins reach everybody.
        return [.. clients];
    }

    /// <summary>What all clients of the process have got.</summary>
    private sealed class Talk
    {
        private readonly Latencies[] _latencies = [.. Enumerable.Range(0, 64).Select(_ => new Latencies())];
        private long _delivered;

        public volatile bool IsOver = true;

        public long Delivered => Volatile.Read(ref _delivered);

        public void Begin()
        {
            foreach (ref var some in _latencies.AsSpan()) some = new Latencies();
            _delivered = 0;
            IsOver = false;
        }

        public void Got(long saidAt)
        {
            Interlocked.Increment(ref _delivered);
            var some = _latencies[Environment.CurrentManagedThreadId % _latencies.Length];
            lock (some) some.Add(Stopwatch.GetTimestamp() - saidAt);
        }

        public double Percentile(double share) => Latencies.Percentile(_latencies, share);
    }

    private sealed class Client(ClientWebSocket socket, string room, Talk talk) : IDisposable
    {
        private readonly TaskCompletionSource _joined = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private long _id = 1;

        public static async Task<Client> ConnectAsync(Uri node, string user, string room, Talk talk)
        {
            var socket = new ClientWebSocket();
            await socket.ConnectAsync(new UriBuilder(node) { Scheme = "ws", Path = "/ws", Query = $"user={user}" }.Uri, CancellationToken.None).ConfigureAwait(false);
            var client = new Client(socket, room, talk);
            _ = Task.Run(client.ReadAsync);
            await client.SendAsync("""{"op":"hello","v":1}""").ConfigureAwait(false);
            await client.SendAsync($$"""{"op":"cmd","id":1,"cmd":"join","room":"{{room}}"}""").ConfigureAwait(false);
            await client._joined.Task.WaitAsync(TimeSpan.FromSeconds(60)).ConfigureAwait(false);
            return client;
        }

        public Task SayAsync() => SendAsync(string.Create(CultureInfo.InvariantCulture, $$"""{"op":"cmd","id":{{++_id}},"cmd":"say","room":"{{room}}","text":"{{Stopwatch.GetTimestamp()}}"}"""));

        public void Dispose() => socket.Dispose();

        private Task SendAsync(string text) => socket.SendAsync(Encoding.UTF8.GetBytes(text).AsMemory(), WebSocketMessageType.Text, true, CancellationToken.None).AsTask();

        private async Task ReadAsync()
        {
            var (buffer, length) = (new byte[2 * 1024], 0);
            try
            {
                while (true)
                {
                    var received = await socket.ReceiveAsync(buffer.AsMemory(length), CancellationToken.None).ConfigureAwait(false);
                    if (received.MessageType == WebSocketMessageType.Close) return;
                    length += received.Count;
                    if (!received.EndOfMessage)
                    {
                        if (length == buffer.Length) Array.Resize(ref buffer, length * 2);
                        continue;
                    }
                    var answered = Take(buffer.AsSpan(0, length));
                    length = 0;
                    if (answered && !talk.IsOver) await SayAsync().ConfigureAwait(false);
                }
            }
            catch (Exception ended) when (ended is WebSocketException or ObjectDisposedException or OperationCanceledException)
            {
                _joined.TrySetException(ended); // Disposed, or the node is gone.
            }
        }

        /// <summary>Counts the messages of a frame; true when it answers a say.</summary>
        private bool Take(ReadOnlySpan<byte> frame)
        {
            if (frame.StartsWith("{\"op\":\"ok\""u8)) return !_joined.TrySetResult();
            for (int at; (at = frame.IndexOf("\"text\":\""u8)) >= 0;)
            {
                frame = frame[(at + 8)..];
                if (Utf8Parser.TryParse(frame, out long saidAt, out _)) talk.Got(saidAt);
            }
            return false;
        }
    }
}
