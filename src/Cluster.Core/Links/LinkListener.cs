using System.Net;
using System.Net.Sockets;

namespace ActorCluster.Links;

/// <summary>The link address could not be bound; the message says which and what to do.</summary>
internal sealed class LinkBindException(string message, Exception cause) : IOException(message, cause);

/// <summary>A bound link address. It exists before the incarnation is known: who holds the port may supersede the row of its address.</summary>
/// <remarks>Until a transport takes it over, connections wait unanswered in the listen queue, which proves nothing to a prober.</remarks>
internal sealed class LinkListener : IDisposable
{
    private const int Backlog = 128;

    private LinkListener(Socket socket, IPEndPoint bound) => (Socket, Bound) = (socket, bound);

    /// <summary>What is bound; a port of 0 has been replaced by the one the system chose.</summary>
    public IPEndPoint Bound { get; }

    internal Socket Socket { get; }

    /// <summary>Binds and listens.</summary>
    /// <param name="address"><c>host:port</c>; port 0 takes a free one.</param>
    /// <param name="key">The setting that gave it, below <c>Cluster:Node</c>.</param>
    /// <exception cref="LinkBindException">The address is in use, is none of this machine's, or cannot be read.</exception>
    public static LinkListener Bind(string address, string key = "Link")
    {
        IPEndPoint endpoint;
        try { endpoint = LinkAddress.Resolve(address); }
        catch (Exception cause) when (cause is FormatException or SocketException)
        {
            throw new LinkBindException($"Link address '{address}' cannot be used: {cause.Message} Set Cluster:Node:{key} to host:port.", cause);
        }

        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(endpoint);
            socket.Listen(Backlog);
            return new LinkListener(socket, (IPEndPoint)socket.LocalEndPoint!);
        }
        catch (SocketException cause)
        {
            socket.Dispose();
            throw new LinkBindException(cause.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => $"Link address {address} is in use by another process. Stop that process, or set Cluster:Node:{key} to a free port.",
                SocketError.AddressNotAvailable => $"Link address {address} belongs to no interface of this machine. Set Cluster:Node:{key} to one that does.",
                _ => $"Link address {address} cannot be bound: {cause.Message}. Set Cluster:Node:{key} to another one.",
            }, cause);
        }
    }

    /// <summary>Stops listening; twice is harmless.</summary>
    public void Dispose() => Socket.Dispose();
}
