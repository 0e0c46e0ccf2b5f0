using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Links;

/// <summary>Takes connections in, each on a thread of its own that shakes hands and then reads the link.</summary>
internal sealed class LinkAcceptor(LinkListener listener, LinkOptions options, Handshaker handshaker, LinkRegistry registry, LinkThreads threads, ILogger log)
{
    private static readonly TimeSpan PauseAfterFault = TimeSpan.FromMilliseconds(100);

    // Who comes beyond the limit waits in the listen queue. Closing it instead would look like a dead process to a prober.
    private readonly SemaphoreSlim _unauthenticated = new(options.UnauthenticatedMax);
    private readonly CancellationTokenSource _stop = new();

    public void Start() => threads.Start("link-accept", Accept);

    public void Stop()
    {
        _stop.Cancel();
        listener.Dispose();
    }

    private void Accept()
    {
        while (!registry.Stopped)
        {
            try
            {
                _unauthenticated.Wait(_stop.Token);
                Socket socket;
                try { socket = listener.Socket.Accept(); }
                catch
                {
                    _unauthenticated.Release();
                    throw;
                }
                if (threads.Start("link-in", () => Greet(socket))) continue;
                socket.Dispose();
                _unauthenticated.Release();
            }
            catch (Exception stopped) when (stopped is OperationCanceledException or ObjectDisposedException || registry.Stopped)
            {
                return;
            }
            catch (Exception fault) // Out of descriptors or threads, or the peer gave up in the queue: the next one may do.
            {
                log.AcceptFailed(fault.Message);
                _stop.Token.WaitHandle.WaitOne(PauseAfterFault);
            }
        }
    }

    private void Greet(Socket socket)
    {
        var end = HandshakeEnd.Refused;
        var (peer, channel) = (default(Primitives.Incarnation), default(LinkChannel));
        try
        {
            if (!registry.Track(socket))
            {
                socket.Dispose();
                return;
            }
            socket.NoDelay = true;
            end = handshaker.Accept(new HandshakeSocket(socket, options.HandshakeTimeout), socket.RemoteEndPoint, registry.Passes, out peer, out channel);
        }
        catch (Exception fault) when (fault is IOException or SocketException or ObjectDisposedException)
        {
            log.Unauthenticated(Remote(socket), fault.Message);
        }
        catch (Exception broken) // The owner's answers (views, verdicts) come from its code; a fault there ends this connection alone.
        {
            log.HandshakeBroke(broken);
        }
        finally
        {
            registry.Untrack(socket);
            _unauthenticated.Release();
        }
        if (end == HandshakeEnd.Ready) registry.Serve(socket, peer, channel, unwanted: static () => false, afterwards: static () => { });
        else socket.Dispose();
    }

    private static string Remote(Socket socket)
    {
        try { return socket.RemoteEndPoint?.ToString() ?? "an unknown address"; }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException) { return "an unknown address"; }
    }
}
