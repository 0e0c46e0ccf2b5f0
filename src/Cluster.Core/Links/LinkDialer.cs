using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Links;

/// <summary>Keeps one channel to one peer dialled: connects, shakes hands, reads until the end, and again.</summary>
/// <remarks>The thread that reads the connection is the one that dials again, so a channel never has two connections of one dialer.</remarks>
internal sealed class LinkDialer(LinkPeer peer, LinkChannel channel, LinkOptions options, Handshaker handshaker, LinkRegistry registry, LinkThreads threads, ILogger log)
{
    private readonly ManualResetEventSlim _stop = new();
    private LinkPeer _peer = peer;
    private string? _lastReason;
    private long _dialledAtOnce;

    /// <summary>The peer as it was wanted last; its address may change.</summary>
    public LinkPeer Peer { set => Volatile.Write(ref _peer, value); }

    public void Start() => threads.Start($"link-{channel}-{_peer.Name}", Run);

    /// <summary>Dials no more; the owner ends the connection.</summary>
    public void Stop() => _stop.Set();

    private void Run()
    {
        while (!_stop.IsSet && !registry.Stopped)
        {
            if (DialAndServe(Volatile.Read(ref _peer)) is not { } wasUp) return;
            Pause(wasUp);
        }
    }

    /// <summary>Goes on where the thread that has dialled was held up.</summary>
    private void GoOn()
    {
        Pause(wasUp: true);
        Run();
    }

    private void Pause(bool wasUp)
    {
        // At once after a loss, yet not in a circle with a peer that accepts and closes.
        var now = Stopwatch.GetTimestamp();
        if (wasUp && (_dialledAtOnce == 0 || Stopwatch.GetElapsedTime(_dialledAtOnce, now) > options.RedialInterval)) _dialledAtOnce = now;
        else _stop.Wait(options.RedialInterval * (0.8 + (0.4 * Random.Shared.NextDouble())));
    }

    /// <summary>Whether there was a link; null when another thread reads it and will go on.</summary>
    private bool? DialAndServe(LinkPeer target)
    {
        Socket? socket = null;
        try
        {
            if (!registry.Passes(target.Inc, channel)) return Failed(target, "cut by a test");
            var endpoint = LinkAddress.Resolve(target.AddressOf(channel));
            socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            if (!registry.Track(socket)) return false;
            new HandshakeSocket(socket, options.HandshakeTimeout).Connect(endpoint);
            if (handshaker.Dial(new HandshakeSocket(socket, options.HandshakeTimeout), target, channel, probe: false) != HandshakeEnd.Ready) return false;
            _lastReason = null;
            registry.Untrack(socket);
            var served = socket;
            socket = null; // Its reader's from now on.
            return registry.Serve(served, target.Inc, channel, () => _stop.IsSet, GoOn) ? true : null;
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
        if (reason != _lastReason && !registry.Stopped) log.DialFailed(channel, target.Name, target.AddressOf(channel), reason);
        _lastReason = reason;
        return false;
    }
}
