using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace ActorCluster.Bench.Yardsticks;

/// <summary>Sixteen bytes there and back over one loopback connection, without an engine.</summary>
internal sealed class RawEcho : IDisposable
{
    private const int FrameBytes = 16;

    private readonly Socket _socket;
    private readonly ChannelActors.Question[] _questions;
    private readonly Lock _lock = new();
    private byte[] _gathering = new byte[64 * 1024];
    private byte[] _leaving = new byte[64 * 1024];
    private int _gathered;
    private bool _flushing;

    /// <param name="echo">Where <see cref="Serve"/> runs.</param>
    /// <param name="callers">How many ask at a time; 0 for <see cref="Pipelined"/> and <see cref="PingPong"/>.</param>
    public RawEcho(IPEndPoint echo, int callers)
    {
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        _socket.Connect(echo);
        _questions = [.. Enumerable.Range(0, callers).Select(_ => new ChannelActors.Question())];
        if (callers > 0) new Thread(Read) { IsBackground = true }.Start();
    }

    /// <summary>The other end: sends back whatever comes, on a thread for each connection.</summary>
    public static void Serve(Socket listener)
    {
        while (true)
        {
            var accepted = listener.Accept();
            accepted.NoDelay = true;
            new Thread(() =>
            {
                var buffer = new byte[64 * 1024];
                try
                {
                    while (accepted.Receive(buffer) is > 0 and var count) Send(accepted, buffer.AsSpan(0, count));
                }
                catch (SocketException)
                {
                    // The other end went away.
                }
                accepted.Dispose();
            })
            { IsBackground = true }.Start();
        }
    }

    /// <summary>Every caller sends its own frame and awaits its own reply.</summary>
    public ValueTask<int> AskAsync(int caller)
    {
        var answer = _questions[caller].Ask();
        Span<byte> frame = stackalloc byte[FrameBytes];
        BinaryPrimitives.WriteInt64LittleEndian(frame, caller);
        lock (_lock) Send(_socket, frame);
        return answer;
    }

    /// <summary>As the other, but what callers send at the same time goes out together: much of what an engine does, for one kind of frame.</summary>
    public ValueTask<int> AskTogetherAsync(int caller)
    {
        var answer = _questions[caller].Ask();
        lock (_lock)
        {
            BinaryPrimitives.WriteInt64LittleEndian(_gathering.AsSpan(_gathered), caller);
            _gathered += FrameBytes;
            if (_flushing) return answer;
            _flushing = true;
        }
        ThreadPool.UnsafeQueueUserWorkItem(static echo => echo.Flush(), this, preferLocal: false);
        return answer;
    }

    /// <summary>One loop that keeps so many frames under way: what one connection can carry at most. Returns the frames that came back.</summary>
    public long Pipelined(int underWay, Func<bool> goesOn)
    {
        var (buffer, frames, rest) = (new byte[64 * 1024], 0L, 0);
        Send(_socket, buffer.AsSpan(0, underWay * FrameBytes));
        while (goesOn())
        {
            var count = _socket.Receive(buffer);
            Send(_socket, buffer.AsSpan(0, count));
            rest += count;
            frames += rest / FrameBytes;
            rest %= FrameBytes;
        }
        for (var left = underWay * FrameBytes; left > 0;) left -= _socket.Receive(buffer);
        return frames;
    }

    /// <summary>One frame there and back.</summary>
    public void PingPong()
    {
        Span<byte> frame = stackalloc byte[FrameBytes];
        Send(_socket, frame);
        for (var left = FrameBytes; left > 0;) left -= _socket.Receive(frame);
    }

    public void Dispose() => _socket.Dispose();

    private static void Send(Socket socket, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0) bytes = bytes[socket.Send(bytes)..];
    }

    private void Flush()
    {
        while (true)
        {
            int count;
            lock (_lock)
            {
                if (_gathered == 0)
                {
                    _flushing = false;
                    return;
                }
                (_gathering, _leaving, count, _gathered) = (_leaving, _gathering, _gathered, 0);
            }
            Send(_socket, _leaving.AsSpan(0, count));
        }
    }

    private void Read()
    {
        var (buffer, held) = (new byte[64 * 1024], 0);
        try
        {
            while (_socket.Receive(buffer.AsSpan(held)) is > 0 and var count)
            {
                held += count;
                var at = 0;
                for (; at + FrameBytes <= held; at += FrameBytes) _questions[BinaryPrimitives.ReadInt64LittleEndian(buffer.AsSpan(at))].Reply(1);
                buffer.AsSpan(at, held - at).CopyTo(buffer);
                held -= at;
            }
        }
        catch (Exception ended) when (ended is SocketException or ObjectDisposedException)
        {
            // Disposed: the bench is over.
        }
    }
}
