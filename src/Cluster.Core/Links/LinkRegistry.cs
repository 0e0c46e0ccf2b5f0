using System.Net.Sockets;
using ActorCluster.Primitives;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Links;

/// <summary>Who is linked by which connections, and the reading of each connection from its start to its end.</summary>
internal sealed class LinkRegistry(LinkOptions options, ILinkHandler handler, LinkFlusher flusher, LinkThreads threads, ILogger log)
{
    private static readonly TimeSpan HeldLook = TimeSpan.FromMilliseconds(5);

    private readonly LinkOptions _options = options;
    private readonly LinkThreads _threads = threads;
    private readonly ILogger _log = log;
    private readonly Lock _gate = new();
    private readonly HashSet<Socket> _unfinished = [];
    private Dictionary<Incarnation, PeerLinks> _peers = []; // Replaced, never changed: sends look it up without a lock.
    private volatile bool _stopped;

    /// <summary>Cuts links in tests.</summary>
    public ILinkFilter? Filter { get; set; }

    public bool Stopped => _stopped;

    public PeerLinks? Find(Incarnation peer) => Volatile.Read(ref _peers).GetValueOrDefault(peer);

    /// <summary>Whether a handshake with that peer may pass.</summary>
    public bool Passes(Incarnation peer, LinkChannel channel) =>
        Filter is not { } filter || (Passes(filter, peer, channel, LinkDirection.Outgoing) && Passes(filter, peer, channel, LinkDirection.Incoming));

    /// <summary>Keeps a socket in reach of <see cref="Stop"/> while its handshake runs; false when stopped already.</summary>
    public bool Track(Socket socket)
    {
        lock (_gate)
        {
            if (!_stopped) _unfinished.Add(socket);
            return !_stopped;
        }
    }

    public void Untrack(Socket socket)
    {
        lock (_gate) _unfinished.Remove(socket);
    }

    /// <summary>Serves an authenticated connection until it ends, on the calling thread, and disposes it.</summary>
    /// <param name="socket">Connected, its handshake done.</param>
    /// <param name="peer">Whom the handshake proved.</param>
    /// <param name="channel">Which channel it is.</param>
    /// <param name="unwanted">Asked once the connection is in reach of a close: whether it is no longer wanted.</param>
    /// <param name="afterwards">What the thread that reads last is to do then, if it is not the caller's.</param>
    /// <returns>False when a turn held the calling thread up and another one reads on; the connection lives.</returns>
    public bool Serve(Socket socket, Incarnation peer, LinkChannel channel, Func<bool> unwanted, Action afterwards)
    {
        LinkSocket ready;
        try { ready = new LinkSocket(socket, _options.UserTimeout); }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            socket.Dispose(); // It ended right behind the handshake: never up, so never lost.
            return true;
        }
        var connection = new LinkConnection(peer, channel, ready, _options, flusher);
        return new Reading(this, Hold(peer), connection, afterwards).Begin(unwanted);
    }

    /// <summary>Ends both connections of a peer.</summary>
    public void Close(Incarnation peer)
    {
        if (Find(peer) is not { } links) return;
        links[LinkChannel.Control]?.End(ChannelLoss.Local);
        links[LinkChannel.Data]?.End(ChannelLoss.Local);
    }

    /// <summary>Ends the connections of all peers outside a set.</summary>
    public void CloseAllBut(IReadOnlySet<Incarnation> wanted)
    {
        foreach (var peer in Volatile.Read(ref _peers).Keys)
        {
            if (!wanted.Contains(peer)) Close(peer);
        }
    }

    /// <summary>Ends everything; nothing can be attached for long afterwards.</summary>
    public void Stop()
    {
        List<Socket> unfinished;
        lock (_gate)
        {
            _stopped = true;
            unfinished = [.. _unfinished];
        }
        foreach (var socket in unfinished) socket.Dispose();
        CloseAllBut(new HashSet<Incarnation>());
    }

    private static bool Passes(ILinkFilter filter, Incarnation peer, LinkChannel channel, LinkDirection direction) =>
        filter.Passes(peer, channel, direction) && !filter.Holds(peer, channel, direction);

    private PeerLinks Hold(Incarnation peer)
    {
        lock (_gate)
        {
            if (!_peers.TryGetValue(peer, out var links))
            {
                links = new PeerLinks(peer, handler);
                Volatile.Write(ref _peers, new Dictionary<Incarnation, PeerLinks>(_peers) { [peer] = links });
            }
            links.Users++;
            return links;
        }
    }

    private void Release(PeerLinks links)
    {
        lock (_gate)
        {
            // Only the last connection takes the entry along: a replacement must find the locks of the one it replaces.
            if (--links.Users > 0) return;
            var rest = new Dictionary<Incarnation, PeerLinks>(_peers);
            rest.Remove(links.Peer);
            Volatile.Write(ref _peers, rest);
        }
    }

    /// <summary>The reading of one connection, by one thread at a time.</summary>
    private sealed class Reading(LinkRegistry registry, PeerLinks links, LinkConnection connection, Action afterwards)
    {
        private static readonly TimeSpan RestFirst = TimeSpan.FromSeconds(1);
        private static readonly TimeSpan RestMax = TimeSpan.FromMinutes(1);

        private readonly FrameBuffer _buffer = new(registry._options.FrameBytesMax);
        private TimeSpan _rest;
        private TimeSpan _ownFrom;

        public bool Begin(Func<bool> unwanted)
        {
            try
            {
                links.Attach(connection);
                registry._log.ChannelUp(connection.Channel, connection.Peer);
                // 1. A close sets its flag and then ends what is attached. 2. Attaching comes before this look at the flag.
                // So either the close finds the connection or this line does.
                if (registry._stopped || unwanted()) connection.End(ChannelLoss.Local);
            }
            catch (Exception error)
            {
                Broken(error);
            }
            return GoOn();
        }

        /// <summary>Reads to the end and cleans up; false when another thread has taken over.</summary>
        private bool GoOn()
        {
            var turns = new ReaderTurns(Replace, _ownFrom);
            try
            {
                if (Read(turns) is not { } loss) return false;
                connection.End(loss);
            }
            catch (Exception error)
            {
                Broken(error);
            }
            finally
            {
                turns.End();
            }
            try { links.Detach(connection); }
            catch (Exception error) { registry._log.HandlerFailed(error, connection.Channel, connection.Peer); }
            connection.Socket.Socket.Dispose();
            registry.Release(links);
            registry._log.ChannelLost(connection.Channel, connection.Peer, connection.Ended ?? ChannelLoss.Local);
            return true;
        }

        /// <summary>By the watch, while the thread that reads stands in a turn. Each time the next one takes turns later: each costs a thread for as long as it blocks.</summary>
        private bool Replace()
        {
            _rest = _rest == default ? RestFirst : TimeSpan.FromTicks(Math.Min(2 * _rest.Ticks, RestMax.Ticks));
            _ownFrom = MonotonicClock.Now + _rest;
            return registry._threads.Start($"link-{connection.Channel}-{connection.Peer}", () =>
            {
                if (GoOn()) afterwards();
            });
        }

        private ChannelLoss? Read(ReaderTurns turns)
        {
            for (; ; )
            {
                var count = connection.Socket.Receive(_buffer.Free(), out var fault);
                if (count == 0 || fault != SocketError.Success) return LinkSocket.Loss(fault);
                _buffer.Filled(count);
                var discard = registry.Filter is { } filter && !Arrives(filter);
                turns.BeginReceive();
                var isSound = links.Deliver(connection, _buffer, discard);
                if (!isSound)
                {
                    _buffer.TryPeek(out var type, out var payload);
                    registry._log.FrameBroken(connection.Channel, connection.Peer, (long?)_buffer.BadLength ?? payload.Length + 1, type, registry._options.FrameBytesMax);
                    connection.End(ChannelLoss.Protocol); // Now: the turns may cost this thread the link.
                }
                if (!turns.EndReceive()) return null;
                if (!isSound) return ChannelLoss.Protocol;
                if (connection.LostReported) return ChannelLoss.Closed;
            }
        }

        /// <summary>Whether what was received may be handed over, once nothing holds it any more.</summary>
        private bool Arrives(ILinkFilter filter)
        {
            while (filter.Holds(connection.Peer, connection.Channel, LinkDirection.Incoming))
            {
                if (connection.Ended is not null) return false;
                Thread.Sleep(HeldLook);
            }
            return filter.Passes(connection.Peer, connection.Channel, LinkDirection.Incoming);
        }

        private void Broken(Exception error)
        {
            registry._log.HandlerFailed(error, connection.Channel, connection.Peer);
            connection.End(ChannelLoss.Local);
        }
    }
}
