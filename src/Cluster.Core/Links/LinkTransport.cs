using System.Net;
using ActorCluster.Primitives;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Links;

/// <summary>Links this node with its peers: two authenticated connections per pair, frames in, frames out.</summary>
/// <remarks>
/// Thread-safe. Of two nodes the larger incarnation dials the smaller one. It accepts from construction on, so build it when the
/// handler can answer. Frames are not encrypted.
/// </remarks>
internal sealed class LinkTransport : IAsyncDisposable
{
    private static readonly TimeSpan DisposeLimit = TimeSpan.FromSeconds(2);

    private readonly LinkIdentity _self;
    private readonly LinkOptions _options;
    private readonly ILogger _log;
    private readonly LinkThreads _threads = new();
    private readonly LinkFlusher _flusher = new();
    private readonly LinkRegistry _registry;
    private readonly Handshaker _handshaker;
    private readonly LinkAcceptor[] _acceptors;
    private readonly Lock _gate = new();
    private readonly Dictionary<Incarnation, LinkDialer[]> _dialers = [];
    private Task? _disposal;

    /// <summary>Starts accepting on bound addresses, which it owns from now on. Each takes connections of both channels: which one a peer dials is its own matter.</summary>
    /// <exception cref="ArgumentException">The options cannot be used; every fault is named. The listeners stay the caller's.</exception>
    public LinkTransport(IReadOnlyList<LinkListener> listeners, LinkIdentity self, LinkOptions options, ILinkHandler handler, ILogger log, ILinkFilter? filter = null)
    {
        List<string> faults = [.. options.Faults()];
        foreach (var listener in listeners.Where(l => !options.AllowPlaintext && !IPAddress.IsLoopback(l.Bound.Address)))
            faults.Add($"Link address {listener.Bound} is not loopback and links are not encrypted. Set AllowPlaintext if the network between the nodes is trusted, or bind 127.0.0.1.");
        if (self.Name.Length is 0 or > HandshakeRules.NameCharsMax)
            faults.Add($"The node name has {self.Name.Length} characters; give 1 to {HandshakeRules.NameCharsMax}.");
        if (self.ProtoMin > self.ProtoMax)
            faults.Add($"Protocol range {self.ProtoMin} to {self.ProtoMax} is empty; give min at most max.");
        if (faults.Count > 0) throw new ArgumentException(string.Join(" ", faults), nameof(options));

        (_self, _options, _log) = (self, options, log);
        _registry = new LinkRegistry(options, handler, _flusher, _threads, log) { Filter = filter };
        _handshaker = new Handshaker(self, options, handler, log);
        _acceptors = [.. listeners.Select(l => new LinkAcceptor(l, options, _handshaker, _registry, _threads, log))];
        _threads.Start("link-flush", _flusher.Run);
        foreach (var acceptor in _acceptors) acceptor.Start();
    }

    /// <summary>Cuts links in tests; null lets everything pass.</summary>
    public ILinkFilter? Filter
    {
        get => _registry.Filter;
        set => _registry.Filter = value;
    }

    /// <summary>
    /// The whole set of peers wanted from now on. Those with smaller incarnations are dialled, those with larger ones are awaited;
    /// channels to any other peer end as <see cref="ChannelLoss.Local"/>. This node itself may be in the set.
    /// </summary>
    public void SetPeers(IReadOnlyCollection<LinkPeer> peers)
    {
        var wanted = peers.Select(p => p.Inc).ToHashSet();
        List<LinkDialer> starting = [];
        lock (_gate)
        {
            if (_disposal is not null) return;
            foreach (var gone in _dialers.Keys.Where(inc => !wanted.Contains(inc)).ToList())
            {
                _dialers.Remove(gone, out var dialers);
                foreach (var dialer in dialers!) dialer.Stop();
            }
            foreach (var peer in peers.Where(p => p.Inc < _self.Inc))
            {
                if (_dialers.TryGetValue(peer.Inc, out var dialers))
                {
                    foreach (var dialer in dialers) dialer.Peer = peer;
                }
                else
                {
                    _dialers[peer.Inc] = [DialerOf(peer, LinkChannel.Control), DialerOf(peer, LinkChannel.Data)];
                    starting.AddRange(_dialers[peer.Inc]);
                }
            }
        }
        foreach (var dialer in starting) dialer.Start();
        _registry.CloseAllBut(wanted);
    }

    /// <summary>
    /// Hands a frame over; never blocks. While the channel's own connection is dead, the other one carries it.
    /// </summary>
    /// <param name="peer">To whom.</param>
    /// <param name="channel">Control goes before data wherever both share a connection.</param>
    /// <param name="frameType">1 to 127, the meaning is the caller's.</param>
    /// <param name="payload">At most <see cref="LinkOptions.FrameBytesMax"/> - 1 bytes; copied before the method returns.</param>
    /// <param name="flush">When it leaves.</param>
    /// <exception cref="ArgumentOutOfRangeException">Type or length is out of range: nothing was sent.</exception>
    public LinkSend Send(Incarnation peer, LinkChannel channel, byte frameType, ReadOnlySpan<byte> payload, LinkFlush flush = LinkFlush.Now)
    {
        if (frameType is 0 or > FrameFormat.UserTypeMax)
            throw new ArgumentOutOfRangeException(nameof(frameType), frameType, "A frame type is 1 to 127.");
        if (payload.Length >= _options.FrameBytesMax)
            throw new ArgumentOutOfRangeException(nameof(payload), payload.Length, $"A payload has at most {_options.FrameBytesMax - 1} bytes (FrameBytesMax less the type). Split it.");
        return _registry.Find(peer) is { } links ? links.Send(channel, frameType, payload, flush, _registry.Filter) : LinkSend.NoLink;
    }

    /// <summary>
    /// Completes when the channel's unsent bytes are within <see cref="LinkOptions.SendBufferSoft"/>, or when there is no link: the
    /// next send tells. Cancelling leaves nothing behind.
    /// </summary>
    public ValueTask WaitForRoomAsync(Incarnation peer, LinkChannel channel, CancellationToken cancel = default) =>
        _registry.Find(peer)?.Carrier(channel)?.WaitForRoomAsync(channel, cancel) ?? ValueTask.CompletedTask;

    /// <summary>Whether the channel's own connection stands.</summary>
    public bool IsUp(Incarnation peer, LinkChannel channel) => _registry.Find(peer)?[channel] is { Ended: null };

    /// <summary>Ends a channel that was silent for too long, as <see cref="ChannelLoss.Silent"/>; the dialling end dials it anew.</summary>
    public void GiveUp(Incarnation peer, LinkChannel channel) => _registry.Find(peer)?[channel]?.End(ChannelLoss.Silent);

    /// <summary>Dials a peer beside the standing links and asks who lives there (protocol 2.5). Opens no channel.</summary>
    /// <param name="peer">Whom to look for, and where.</param>
    /// <param name="limit">For everything together; afterwards <see cref="ProbeOutcome.TimedOut"/>.</param>
    /// <param name="cancel">Ends the wait; nothing remains at the peer.</param>
    public async ValueTask<ProbeOutcome> ProbeAsync(LinkPeer peer, TimeSpan limit, CancellationToken cancel = default)
    {
        var outcome = new TaskCompletionSource<ProbeOutcome>(TaskCreationOptions.RunContinuationsAsynchronously);
        var probe = new LinkProbe(_handshaker, _registry);
        var started = _threads.Start($"link-probe-{peer.Name}", () =>
        {
            try { outcome.TrySetResult(probe.Run(peer, limit, cancel)); }
            catch (Exception broken) { outcome.TrySetException(broken); }
        });
        // A name look-up cannot be cut short, so the wait has the limit too.
        if (!started) return ProbeOutcome.TimedOut;
        try { return await outcome.Task.WaitAsync(limit + limit / 4, cancel).ConfigureAwait(false); }
        catch (TimeoutException) { return ProbeOutcome.TimedOut; }
    }

    /// <summary>Ends all links as <see cref="ChannelLoss.Local"/> and all threads, within 2 s; twice is harmless.</summary>
    public ValueTask DisposeAsync()
    {
        TaskCompletionSource disposed;
        lock (_gate)
        {
            if (_disposal is not null) return new ValueTask(_disposal);
            disposed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _disposal = disposed.Task;
            foreach (var dialer in _dialers.Values.SelectMany(d => d)) dialer.Stop();
            _dialers.Clear();
        }
        _registry.Stop();
        foreach (var acceptor in _acceptors) acceptor.Stop();
        _flusher.Stop();
        return new ValueTask(EndAsync(disposed));
    }

    private async Task EndAsync(TaskCompletionSource disposed)
    {
        try { await _threads.StopAsync().WaitAsync(DisposeLimit).ConfigureAwait(false); }
        catch (TimeoutException) { _log.ThreadsLeft(_threads.Live, DisposeLimit); }
        disposed.SetResult();
    }

    private LinkDialer DialerOf(LinkPeer peer, LinkChannel channel) => new(peer, channel, _options, _handshaker, _registry, _threads, _log);
}
