using System.Buffers;
using System.Net.WebSockets;

namespace ActorCluster.Client;

/// <summary>One open WebSocket: frames out in the order of <see cref="Enqueue"/>, frames in one at a time.</summary>
internal sealed class ClientConnection(ClientWebSocket socket, int frameBytesMax, CancellationToken stopping) : IDisposable
{
    private const int FirstBufferBytes = 4096;

    private readonly Lock _gate = new();
    private List<byte[]> _queued = [];
    private List<byte[]> _sending = [];
    private bool _pumping;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(FirstBufferBytes);

    /// <summary>Never waits. The first of several calls starts the sending; the others only add to what is sent.</summary>
    public void Enqueue(byte[] frame)
    {
        lock (_gate)
        {
            _queued.Add(frame);
            if (_pumping) return;
            _pumping = true;
        }
        // On the pool, since callers hold the session's lock and writing to a socket is a system call.
        ThreadPool.UnsafeQueueUserWorkItem(static connection => _ = connection.PumpAsync(), this, preferLocal: true);
    }

    /// <summary>The next frame; the memory is valid until the next call. Null if the server closed the connection.</summary>
    /// <exception cref="WebSocketException">The connection broke, or the frame is too long.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancel)
    {
        for (var length = 0; ;)
        {
            if (length == _buffer.Length) Grow();
            var got = await socket.ReceiveAsync(_buffer.AsMemory(length), cancel).ConfigureAwait(false);
            if (got.MessageType == WebSocketMessageType.Close) return null;
            length += got.Count;
            if (got.EndOfMessage) return _buffer.AsMemory(0, length);
        }
    }

    /// <summary>Says good-bye, at most until <paramref name="cancel"/>.</summary>
    public async Task CloseAsync(CancellationToken cancel)
    {
        try
        {
            if (socket.State == WebSocketState.Open)
                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, cancel).ConfigureAwait(false);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or InvalidOperationException or IOException)
        {
            // It is being given up in any case.
        }
    }

    public void Abort() => socket.Abort();

    /// <summary>Only after the last <see cref="ReceiveAsync"/> has returned: the buffer goes back to the pool.</summary>
    public void Dispose()
    {
        socket.Dispose();
        var buffer = Interlocked.Exchange(ref _buffer, []);
        if (buffer.Length > 0) ArrayPool<byte>.Shared.Return(buffer);
    }

    private void Grow()
    {
        if (_buffer.Length >= frameBytesMax)
            throw new WebSocketException($"The server sent a frame of more than {frameBytesMax} bytes; raise FrameBytesMax if that is expected.");
        var larger = ArrayPool<byte>.Shared.Rent(_buffer.Length * 2);
        _buffer.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }

    private async Task PumpAsync()
    {
        try
        {
            while (TakeQueued() is { } frames)
            {
                foreach (var frame in frames)
                    await socket.SendAsync(frame, WebSocketMessageType.Text, endOfMessage: true, stopping).ConfigureAwait(false);
                frames.Clear();
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or InvalidOperationException or IOException)
        {
            socket.Abort(); // The reading side notices and ends the connection; what was queued is sent again on the next one.
        }
    }

    private List<byte[]>? TakeQueued()
    {
        lock (_gate)
        {
            if (_queued.Count == 0)
            {
                _pumping = false;
                return null;
            }
            (_queued, _sending) = (_sending, _queued);
            return _sending;
        }
    }
}
