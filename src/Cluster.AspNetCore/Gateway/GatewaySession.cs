using System.Buffers;
using System.Net.WebSockets;
using ActorCluster.Primitives;
using Microsoft.Extensions.Logging;

namespace ActorCluster.AspNetCore.Gateway;

/// <summary>One client connection: reads frames, sends answers and room streams. Holds nothing that a reconnect to another node would miss.</summary>
/// <remarks>The reading loop and the pump that sends are the only ones that touch the socket; everything else leaves work under one short lock.</remarks>
internal sealed partial class GatewaySession(ClusterGateway gateway, GatewayLife life, WebSocket socket, string user, ILogger log) : IThreadPoolWorkItem
{
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly Queue<byte[]> _answers = new();
    private readonly Queue<RoomCursor> _dirty = new();
    private readonly Dictionary<string, RoomCursor> _rooms = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _closed = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? _roomy;
    private int _answerBytes;
    private int _pump;
    private volatile bool _closing;
    private long _sendingSince = long.MaxValue; // In ticks, since a TimeSpan cannot be written at once.
    private TimeSpan _fullSince = TimeSpan.MaxValue;
    private TimeSpan _tokenAt;
    private int _badFrames;
    private ClientId _client;

    public string User => user;

    /// <summary>Serves the connection until it ends; never throws.</summary>
    public async Task RunAsync()
    {
        try
        {
            if (!await GreetAsync().ConfigureAwait(false)) return;
            life.Presence?.Connected(user);
            try { await ReadAsync().ConfigureAwait(false); }
            finally { life.Presence?.Disconnected(user); }
        }
        catch (Exception cause) when (cause is WebSocketException or OperationCanceledException or ObjectDisposedException or IOException)
        {
            log.ConnectionBroke(user, cause.Message); // The client comes back with its token; nothing of it is kept here.
        }
        catch (Exception cause)
        {
            log.SessionFailed(cause, user);
        }
        finally
        {
            await EndAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Tells the client to go to another node and closes; returns when that is sent, or after the limit.</summary>
    /// <param name="frame">The last frame.</param>
    /// <param name="limit">After it the connection is cut.</param>
    /// <param name="atOnce">Answers that wait are dropped: the client asks again on its next connection.</param>
    public async Task GoAwayAsync(byte[] frame, TimeSpan limit, bool atOnce = false)
    {
        Finish(frame, atOnce);
        await _drained.Task.WaitAsync(limit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_drained.Task.IsCompleted) socket.Abort();
    }

    /// <summary>To be called about four times a second: what waits for time alone.</summary>
    public void Tick(TimeSpan now)
    {
        List<RoomCursor>? held = null;
        lock (_lock)
        {
            foreach (var cursor in _rooms.Values)
                if (cursor.HeldSince is not null || cursor.Turns.Count > 0) (held ??= []).Add(cursor);
        }
        if (held is not null) foreach (var cursor in held) MarkDirty(cursor);
        ExpireCommands(now);
        AskAgain(now);
        if (_tokenAt != default && now - _tokenAt >= GatewayLimits.TokenEvery)
        {
            _tokenAt = now;
            Answer(ServerFrames.Token(gateway.Tokens.Issue(user, _client, DateTimeOffset.UtcNow)));
        }
        bool slow;
        lock (_lock) slow = now.Ticks - Volatile.Read(ref _sendingSince) >= GatewayLimits.UnsentFor.Ticks || now - _fullSince >= GatewayLimits.UnsentFor;
        if (!slow || _closing) return;
        log.TooSlow(user);
        _ = GoAwayAsync(ServerFrames.Bye("TooSlow", "The connection takes data too slowly; connect again."), Farewell, atOnce: true);
    }

    private async Task<bool> GreetAsync()
    {
        ClientFrame frame;
        using (var limit = CancellationTokenSource.CreateLinkedTokenSource(_closed.Token))
        {
            limit.CancelAfter(GatewayLimits.HelloWithin);
            using var text = await ReceiveAsync(GatewayLimits.HelloBytes, limit.Token).ConfigureAwait(false);
            if (text is null) return false;
            frame = ClientFrame.Parse(text.Memory);
        }
        if (frame is not ClientFrame.Hello hello)
            return Refuse("BadFrame", frame is ClientFrame.Bad bad ? bad.Why : "The first frame must be hello.");
        if (hello.Version != 1)
            return Refuse("BadVersion", $"This server speaks version 1, not {hello.Version}; update the client.");
        if (hello.Rooms.Length > GatewayLimits.RoomsPerSession || hello.Rooms.Any(r => !GatewayLimits.IsRoomName(r.Room)))
            return Refuse("BadFrame", $"hello: rooms names more than {GatewayLimits.RoomsPerSession} rooms, or one whose name is not 1 to {GatewayLimits.RoomNameCharacters} characters.");
        var now = DateTimeOffset.UtcNow;
        var resumed = false;
        if (hello.Token is { } token)
        {
            if (gateway.Tokens.Check(token, user, now, out var reason) is not { } known) return Refuse("BadToken", reason);
            (_client, resumed) = (known, true);
        }
        else
        {
            Span<byte> bits = stackalloc byte[16];
            System.Security.Cryptography.RandomNumberGenerator.Fill(bits);
            _client = new ClientId(System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bits));
        }
        _tokenAt = MonotonicClock.Now;
        Answer(ServerFrames.Welcome(_client.ToString(), gateway.Tokens.Issue(user, _client, now), resumed, gateway.NodeName, gateway.Hosts(withSelf: true)));
        foreach (var (room, after) in hello.Rooms) Resume(room, after);
        return true;
    }

    private bool Refuse(string code, string message)
    {
        Finish(ServerFrames.Bye(code, message));
        return false;
    }

    private async Task ReadAsync()
    {
        while (!_closing)
        {
            await UntilRoomyAsync().ConfigureAwait(false);
            using var text = await ReceiveAsync(GatewayLimits.FrameBytes, _closed.Token).ConfigureAwait(false);
            if (text is null) return;
            switch (ClientFrame.Parse(text.Memory))
            {
                case ClientFrame.Command command:
                    Execute(command);
                    break;
                case ClientFrame.BadCommand bad:
                    Answer(ServerFrames.Error(bad.Id, "BadCommand", bad.Why, retry: false));
                    break;
                case ClientFrame.Bad bad:
                    if (!MayGoOn(bad.Why)) return;
                    break;
                default:
                    if (!MayGoOn("A second hello; the connection has one already.")) return;
                    break;
            }
        }
    }

    private bool MayGoOn(string why)
    {
        if (++_badFrames >= GatewayLimits.BadFrames) return Refuse("BadFrame", $"{GatewayLimits.BadFrames} frames were not understood, the last: {why}");
        Answer(ServerFrames.Error(0, "BadFrame", why, retry: false));
        return true;
    }

    /// <summary>One whole text frame in a pooled buffer; null when the client closed or sent too much.</summary>
    private async ValueTask<PooledText?> ReceiveAsync(int max, CancellationToken cancel)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(4096);
        var length = 0;
        try
        {
            while (true)
            {
                if (length == buffer.Length)
                {
                    if (length > max) break;
                    var larger = ArrayPool<byte>.Shared.Rent(Math.Min(buffer.Length * 2, max + 1));
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
                var received = await socket.ReceiveAsync(buffer.AsMemory(length), cancel).ConfigureAwait(false);
                if (received.MessageType == WebSocketMessageType.Close) return null;
                length += received.Count;
                if (length > max) break;
                if (!received.EndOfMessage) continue;
                var text = new PooledText(buffer, length);
                buffer = [];
                return text;
            }
            Refuse("FrameTooLong", $"A frame may have {max} bytes; this one is longer. Split the work into smaller commands.");
            return null;
        }
        finally
        {
            if (buffer.Length > 0) ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task EndAsync()
    {
        lock (_lock) _closing = true;
        Wake();
        await _drained.Task.WaitAsync(Farewell).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await DiscardAsync().ConfigureAwait(false);
        await _closed.CancelAsync().ConfigureAwait(false);
        List<RoomCursor> cursors;
        lock (_lock)
        {
            cursors = [.. _rooms.Values];
            _resuming.Clear();
        }
        foreach (var cursor in cursors) Unfollow(cursor);
        AbandonCommands();
        gateway.Ended(this);
    }

    /// <summary>What the client still sends is taken until it closes as well: a socket that is closed with data unread is reset, and the last frame with it.</summary>
    private async Task DiscardAsync()
    {
        if (socket.State != WebSocketState.CloseSent) return;
        var buffer = ArrayPool<byte>.Shared.Rent(16 * 1024);
        try
        {
            using var limit = new CancellationTokenSource(Farewell);
            while ((await socket.ReceiveAsync(buffer.AsMemory(), limit.Token).ConfigureAwait(false)).MessageType != WebSocketMessageType.Close)
            {
                // Nothing of it counts any more.
            }
        }
        catch (Exception cause) when (cause is WebSocketException or OperationCanceledException or ObjectDisposedException or IOException)
        {
            log.ConnectionBroke(user, cause.Message);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private sealed class PooledText(byte[] buffer, int length) : IDisposable
    {
        public ReadOnlyMemory<byte> Memory => buffer.AsMemory(0, length);

        public void Dispose() => ArrayPool<byte>.Shared.Return(buffer);
    }
}
