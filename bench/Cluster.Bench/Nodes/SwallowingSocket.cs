using System.Net.WebSockets;
using System.Text;

namespace ActorCluster.Bench.Nodes;

/// <summary>A client without a network: says its frames, then listens; whatever is sent to it is done at once, and only the last sequence is looked at.</summary>
internal sealed class SwallowingSocket(string[] frames, Action reached) : WebSocket
{
    private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _next;
    private long _seen;
    private long _awaited = long.MaxValue;

    /// <summary>Sequence of the last item that came.</summary>
    public long Seen => Volatile.Read(ref _seen);

    /// <summary>Bytes that came.</summary>
    public long Bytes { get; private set; }

    public override WebSocketCloseStatus? CloseStatus => null;

    public override string? CloseStatusDescription => null;

    public override WebSocketState State => _end.Task.IsCompleted ? WebSocketState.Aborted : WebSocketState.Open;

    public override string? SubProtocol => null;

    /// <summary>Has <c>reached</c> called once that sequence is there. Not while items are under way.</summary>
    public void Await(long seq) => Volatile.Write(ref _awaited, seq);

    public override ValueTask SendAsync(ReadOnlyMemory<byte> buffer, WebSocketMessageType messageType, bool endOfMessage, CancellationToken cancellationToken)
    {
        var frame = buffer.Span;
        Bytes += frame.Length;
        if (frame.LastIndexOf("\"seq\":"u8) is >= 0 and var at && System.Buffers.Text.Utf8Parser.TryParse(frame[(at + 6)..], out long seq, out _))
        {
            Volatile.Write(ref _seen, seq);
            if (seq >= _awaited)
            {
                _awaited = long.MaxValue;
                reached();
            }
        }
        return ValueTask.CompletedTask;
    }

    public override Task SendAsync(ArraySegment<byte> buffer, WebSocketMessageType messageType, bool endOfMessage, CancellationToken cancellationToken) =>
        SendAsync(buffer.AsMemory(), messageType, endOfMessage, cancellationToken).AsTask();

    public override async ValueTask<ValueWebSocketReceiveResult> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_next < frames.Length) return new ValueWebSocketReceiveResult(Encoding.UTF8.GetBytes(frames[_next++], buffer.Span), WebSocketMessageType.Text, true);
        await _end.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        return new ValueWebSocketReceiveResult(0, WebSocketMessageType.Close, true);
    }

    public override async Task<WebSocketReceiveResult> ReceiveAsync(ArraySegment<byte> buffer, CancellationToken cancellationToken)
    {
        var received = await ReceiveAsync(buffer.AsMemory(), cancellationToken).ConfigureAwait(false);
        return new WebSocketReceiveResult(received.Count, received.MessageType, received.EndOfMessage);
    }

    public override void Abort() => _end.TrySetResult();

    public override Task CloseAsync(WebSocketCloseStatus closeStatus, string? statusDescription, CancellationToken cancellationToken) => CloseOutputAsync(closeStatus, statusDescription, cancellationToken);

    public override Task CloseOutputAsync(WebSocketCloseStatus closeStatus, string? statusDescription, CancellationToken cancellationToken)
    {
        _end.TrySetResult();
        return Task.CompletedTask;
    }

    public override void Dispose() => _end.TrySetResult();
}
