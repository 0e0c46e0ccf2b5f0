using System.Net.Sockets;
using ActorCluster.Primitives;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Links;

/// <summary>Who is linked by which connections, and the reading of each connection from its start to its end.</summary>
internal sealed class LinkRegistry(LinkOptions options, ILinkHandler handler, LinkFlusher flusher, ILogger log)
{
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
        Filter is not { } filter || (filter.Passes(peer, channel, LinkDirection.Outgoing) && filter.Passes(peer, channel, LinkDirection.Incoming));

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
    public void Serve(Socket socket, Incarnation peer, LinkChannel channel, Func<bool> unwanted)
    {
        LinkSocket ready;
        try { ready = new LinkSocket(socket, options.UserTimeout); }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            socket.Dispose(); // It ended right behind the handshake: never up, so never lost.
            return;
        }
        var links = Hold(peer);
        var connection = new LinkConnection(peer, channel, ready, options, flusher);
        try
        {
            links.Attach(connection);
            log.ChannelUp(channel, peer);
            // 1. A close sets its flag and then ends what is attached. 2. Attaching comes before this look at the flag.
            // So either the close finds the connection or this line does.
            if (_stopped || unwanted()) connection.End(ChannelLoss.Local);
            connection.End(Read(links, connection));
        }
        catch (Exception error)
        {
            log.HandlerFailed(error, channel, peer);
            connection.End(ChannelLoss.Local);
        }
        finally
        {
            try { links.Detach(connection); }
            catch (Exception error) { log.HandlerFailed(error, channel, peer); }
            socket.Dispose();
            Release(links);
            log.ChannelLost(channel, peer, connection.Ended ?? ChannelLoss.Local);
        }
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

    private ChannelLoss Read(PeerLinks links, LinkConnection connection)
    {
        var buffer = new FrameBuffer(options.FrameBytesMax);
        for (; ; )
        {
            var count = connection.Socket.Receive(buffer.Free(), out var fault);
            if (count == 0 || fault != SocketError.Success) return LinkSocket.Loss(fault);
            buffer.Filled(count);
            var discard = Filter is { } filter && !filter.Passes(connection.Peer, connection.Channel, LinkDirection.Incoming);
            if (links.Deliver(connection, buffer, discard))
            {
                if (connection.LostReported) return ChannelLoss.Closed;
                continue;
            }
            buffer.TryPeek(out var type, out var payload);
            log.FrameBroken(connection.Channel, connection.Peer, (long?)buffer.BadLength ?? payload.Length + 1, type, options.FrameBytesMax);
            return ChannelLoss.Protocol;
        }
    }

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
}
