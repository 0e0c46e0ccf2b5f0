using System.Net;
using System.Net.Sockets;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>Passes TCP connections on, and can be told to swallow what comes, one way or both, or to reset all of it.</summary>
internal sealed class Relay : IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly HashSet<Socket> _open = [];
    private readonly Lock _lock = new();
    private readonly Socket _listener = new(SocketType.Stream, ProtocolType.Tcp);
    private readonly int _to;
    private readonly Task _accepting;
    private TaskCompletionSource _flowing = new();

    /// <summary>Listens on a free port of the loopback.</summary>
    /// <param name="to">The port of the loopback that it passes on to.</param>
    public Relay(int to)
    {
        _to = to;
        _flowing.SetResult();
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(128);
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    private Way Dropped { get; set; }

    private bool Resets { get; set; }

    public Func<Task> Cut(Way way, bool reset)
    {
        lock (_lock)
        {
            (Dropped, Resets) = (way, reset);
            if (reset) ResetAll();
            else _flowing = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        return () =>
        {
            lock (_lock)
            {
                (Dropped, Resets) = (0, false);
                _flowing.TrySetResult(); // What was held arrives late, as what TCP sends again does.
            }
            return Task.CompletedTask;
        };
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        lock (_lock)
        {
            _flowing.TrySetResult();
            ResetAll();
        }
        _listener.Dispose();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            var near = await _listener.AcceptAsync(_end.Token);
            _ = ConnectAsync(near);
        }
    }

    private async Task ConnectAsync(Socket near)
    {
        var far = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        near.NoDelay = true;
        lock (_lock)
        {
            _open.Add(near);
            _open.Add(far);
        }
        try
        {
            if (Resets) return;
            await far.ConnectAsync(IPAddress.Loopback, _to, _end.Token);
            await Task.WhenAny(PumpAsync(near, far, Way.In), PumpAsync(far, near, Way.Out));
        }
        catch (Exception ended) when (ended is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Both ends are told below.
        }
        finally
        {
            lock (_lock)
            {
                _open.Remove(near);
                _open.Remove(far);
            }
            Reset(near);
            Reset(far);
        }
    }

    private async Task PumpAsync(Socket from, Socket to, Way way)
    {
        var buffer = new byte[65_536];
        while (await from.ReceiveAsync(buffer, _end.Token) is > 0 and var count)
        {
            while (Dropped.HasFlag(way) && !_end.IsCancellationRequested)
            {
                Task flowing;
                lock (_lock) flowing = _flowing.Task;
                await flowing;
            }
            for (var sent = 0; sent < count;) sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), _end.Token);
        }
    }

    private void ResetAll()
    {
        foreach (var socket in _open) Reset(socket);
    }

    private static void Reset(Socket socket)
    {
        try { socket.Close(0); }
        catch (Exception closed) when (closed is SocketException or ObjectDisposedException) { /* Closed already. */ }
    }
}
