using System.Net.Sockets;
using ActorCluster.Primitives;

namespace ActorCluster.Links;

/// <summary>One authenticated connection: what waits to leave it, who is sending, and why it ended.</summary>
/// <remarks>
/// Sends come from any thread. At most one of them flushes; the others leave their frames to it. Who flushes is a state:
/// idle, queued (an item of the turn queue will), flushing (somebody does), stalled (the transport's flusher will, once the system
/// takes bytes again). A send that cannot wait for the pool takes a queued flush over. The reader thread alone disposes the socket.
/// </remarks>
internal sealed class LinkConnection(Incarnation peer, LinkChannel channel, LinkSocket socket, LinkOptions options, LinkFlusher flusher) : IThreadPoolWorkItem
{
    private const int SendsOnCallersStackMax = 16;

    private enum FlushState { Idle, Queued, Flushing, Stalled }

    private readonly Lock _gate = new();
    private readonly SendQueue _queue = new(options.SendBufferHard);
    private readonly TaskCompletionSource?[] _room = new TaskCompletionSource?[2];
    private FlushState _state;
    private ChannelLoss? _end;

    public Incarnation Peer { get; } = peer;

    public LinkChannel Channel { get; } = channel;

    /// <summary>The socket below; the reader's alone, save for waiting until it takes bytes.</summary>
    public LinkSocket Socket { get; } = socket;

    /// <summary>Whether its owner was told of the end. Belongs to the lock of its channel, see <see cref="PeerLinks"/>.</summary>
    public bool LostReported { get; set; }

    /// <summary>Why it ended; null while it lives.</summary>
    public ChannelLoss? Ended
    {
        get { lock (_gate) return _end; }
    }

    /// <summary>Takes a frame of either channel. Never blocks.</summary>
    public LinkSend Send(LinkChannel of, byte type, ReadOnlySpan<byte> payload, LinkFlush flush)
    {
        lock (_gate)
        {
            if (_end is not null) return LinkSend.NoLink;
            if (of != Channel) type |= FrameFormat.OtherChannelBit;
            if (!_queue.TryAppend(of, type, payload)) return LinkSend.Full;
            if (!Claim(flush)) return LinkSend.Sent;
        }
        Start(flush);
        return LinkSend.Sent;
    }

    /// <summary>Completes when the unsent bytes of a channel are within the soft limit, or the connection ended.</summary>
    public ValueTask WaitForRoomAsync(LinkChannel of, CancellationToken cancel)
    {
        Task room;
        lock (_gate)
        {
            if (_end is not null || _queue.Unsent(of) <= options.SendBufferSoft) return ValueTask.CompletedTask;
            room = (_room[(int)of] ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
        return new ValueTask(room.WaitAsync(cancel));
    }

    /// <summary>Ends it for a reason; the first one counts. Its reader wakes, reports and disposes.</summary>
    public void End(ChannelLoss why)
    {
        lock (_gate)
        {
            if (_end is null)
            {
                _end = why;
                if (_state != FlushState.Flushing) _queue.Clear(); // Else who flushes clears: its block must not be pooled under it.
                ReleaseWaiters();
            }
        }
        Socket.Shutdown();
    }

    /// <summary>The pool's turn of a queued flush.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        lock (_gate)
        {
            if (_state != FlushState.Queued) return; // A send took it over.
            _state = FlushState.Flushing;
        }
        Flush();
    }

    /// <summary>The flusher's turn of a stalled flush.</summary>
    public void Resume()
    {
        lock (_gate)
        {
            if (_state != FlushState.Stalled) return;
            _state = FlushState.Flushing;
        }
        Flush();
    }

    private bool Claim(LinkFlush flush)
    {
        switch (flush)
        {
            case LinkFlush.Now when _state is FlushState.Idle or FlushState.Queued:
                _state = FlushState.Flushing;
                return true;
            case LinkFlush.Soon when _state == FlushState.Idle:
                _state = FlushState.Queued;
                return true;
            default:
                return false;
        }
    }

    private void Start(LinkFlush flush)
    {
        if (flush == LinkFlush.Soon) TurnQueue.Add(this);
        else Flush();
    }

    private void Flush()
    {
        ArraySegment<byte> bytes;
        lock (_gate)
        {
            if (!TryNext(out bytes)) return;
        }
        for (var sends = 1; ; sends++)
        {
            var sent = Socket.TrySend(bytes, out var fault);
            var stalled = false;
            lock (_gate)
            {
                if (sent > 0) _queue.Sent(sent);
                if (_end is null && fault == SocketError.Success)
                {
                    if (_room[0] is not null || _room[1] is not null) ReleaseThoseWithRoom();
                    // A caller that sends for many others hands on after a while; its own work waits.
                    stalled = !_queue.IsEmpty && (sent == 0 || sends >= SendsOnCallersStackMax);
                    if (stalled) _state = FlushState.Stalled;
                }
                if (!stalled && fault == SocketError.Success && !TryNext(out bytes)) return;
            }
            if (stalled)
            {
                flusher.Add(this);
                return;
            }
            if (fault == SocketError.Success) continue;
            End(LinkSocket.Loss(fault));
            lock (_gate) TryNext(out _);
            return;
        }
    }

    /// <summary>The next bytes to send; false when there are none or the connection ended, then the flush is over.</summary>
    private bool TryNext(out ArraySegment<byte> bytes)
    {
        if (_end is not null) _queue.Clear();
        bytes = _queue.Next();
        if (bytes.Count > 0) return true;
        _state = FlushState.Idle;
        return false;
    }

    private void ReleaseThoseWithRoom()
    {
        for (var i = 0; i < _room.Length; i++)
        {
            if (_room[i] is null || _queue.Unsent((LinkChannel)i) > options.SendBufferSoft) continue;
            _room[i]!.SetResult();
            _room[i] = null;
        }
    }

    private void ReleaseWaiters()
    {
        for (var i = 0; i < _room.Length; i++)
        {
            _room[i]?.SetResult();
            _room[i] = null;
        }
    }
}
