using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Links;

/// <summary>Keeps one channel to one peer dialled: connects, shakes hands, reads until the end, and again.</summary>
/// <remarks>Its one thread is the reader of the connection it dialled, so a channel never has two connections of one dialer.</remarks>
internal sealed class LinkDialer(LinkPeer peer, LinkChannel channel, LinkOptions options, Handshaker handshaker, LinkRegistry registry, LinkThreads threads, ILogger log)
{
    private readonly ManualResetEventSlim _stop = new();
    private LinkPeer _peer = peer;
    private string? _lastReason;

    /// <summary>The peer as it was wanted last; its address may change.</summary>
    public LinkPeer Peer { set => Volatile.Write(ref _peer, value); }

    public void Start() => threads.Start($"link-{channel}-{_peer.Name}", Run);

    /// <summary>Dials no more; the owner ends the connection.</summary>
    public void Stop() => _stop.Set();

    private void Run()
    {
        var dialledAtOnce = 0L;
        while (!_stop.IsSet && !registry.Stopped)
        {
            var wasUp = DialAndServe(Volatile.Read(ref _peer));
            // At once after a loss, yet not in a circle with a peer that accepts and closes.
            var now = Stopwatch.GetTimestamp();
            if (wasUp && (dialledAtOnce == 0 || Stopwatch.GetElapsedTime(dialledAtOnce, now) > options.RedialInterval)) dialledAtOnce = now;
            else _stop.Wait(options.RedialInterval * (0.8 + (0.4 * Random.Shared.NextDouble())));
        }
    }

    private bool DialAndServe(LinkPeer target)
    {
        Socket? socket = null;
        try
        {
            if (!registry.Passes(target.Inc, channel)) return Failed(target, "cut by a test");
            var endpoint = LinkAddress.Resolve(target.Address);
            socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            if (!registry.Track(socket)) return false;
            new HandshakeSocket(socket, options.HandshakeTimeout).Connect(endpoint);
            if (handshaker.Dial(new HandshakeSocket(socket, options.HandshakeTimeout), target, channel, probe: false) != HandshakeEnd.Ready) return false;
            _lastReason = null;
            registry.Untrack(socket);
            registry.Serve(socket, target.Inc, channel, () => _stop.IsSet);
            return true;
        }
        catch (Exception fault) when (fault is IOException or SocketException or FormatException or ObjectDisposedException)
        {
            return Failed(target, fault.Message);
        }
        catch (Exception broken) // As in the acceptor: the owner's code threw while it was asked for its views.
        {
            log.HandshakeBroke(broken);
            return false;
        }
        finally
        {
            if (socket is not null)
            {
                registry.Untrack(socket);
                socket.Dispose();
            }
        }
    }

    private bool Failed(LinkPeer target, string reason)
    {
        if (reason != _lastReason && !registry.Stopped) log.DialFailed(channel, target.Name, target.Address, reason);
        _lastReason = reason;
        return false;
    }
}
