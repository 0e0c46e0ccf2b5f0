using System.Diagnostics;
using System.Net.Sockets;

namespace ActorCluster.Links;

/// <summary>Asks an address who lives there: the link factor of crash evidence (protocol 2.5).</summary>
internal sealed class LinkProbe(Handshaker handshaker, LinkRegistry registry)
{
    /// <summary>Dials and exchanges hellos, blocking for at most the limit.</summary>
    public ProbeOutcome Run(LinkPeer peer, TimeSpan limit, CancellationToken cancel)
    {
        var started = Stopwatch.GetTimestamp();
        if (!registry.Passes(peer.Inc, LinkChannel.Control))
        {
            cancel.WaitHandle.WaitOne(limit); // A cut link is a black hole.
            return ProbeOutcome.TimedOut;
        }
        Socket? socket = null;
        var connected = false;
        try
        {
            var endpoint = LinkAddress.Resolve(peer.AddressOf(LinkChannel.Control));
            socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            if (!registry.Track(socket)) return ProbeOutcome.TimedOut;
            using var cancelled = cancel.Register(socket.Dispose);
            var steps = new HandshakeSocket(socket, limit - Stopwatch.GetElapsedTime(started));
            steps.Connect(endpoint);
            connected = true;
            return handshaker.Dial(steps, peer, LinkChannel.Control, probe: true) == HandshakeEnd.OtherIncarnation
                ? ProbeOutcome.OtherIncarnation
                : ProbeOutcome.Answered;
        }
        catch (HandshakeException failed)
        {
            return failed.Fault switch
            {
                HandshakeFault.Refused => ProbeOutcome.Refused,
                HandshakeFault.Closed when connected && !registry.Stopped && !cancel.IsCancellationRequested => ProbeOutcome.ClosedBeforeHello,
                HandshakeFault.Garbage => ProbeOutcome.Answered, // Some program lives there; which one, it did not prove.
                _ => ProbeOutcome.TimedOut,
            };
        }
        catch (Exception fault) when (fault is SocketException or ObjectDisposedException or FormatException)
        {
            return ProbeOutcome.TimedOut; // No route, no such name, disposed meanwhile: nothing was learnt.
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
}
