using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ActorCluster.Links;

/// <summary>Reads <c>host:port</c>.</summary>
internal static class LinkAddress
{
    /// <summary>The endpoint of an address; a name is looked up, IPv4 preferred. Blocks for as long as the look-up takes.</summary>
    /// <exception cref="FormatException">It is not <c>host:port</c>.</exception>
    /// <exception cref="SocketException">The name has no address.</exception>
    public static IPEndPoint Resolve(string address)
    {
        var colon = address.LastIndexOf(':');
        if (colon < 1 || !ushort.TryParse(address.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port))
            throw new FormatException($"'{address}' is not host:port, as in 10.0.0.1:8091 or [::1]:8091.");
        var host = address[..colon];
        if (host is ['[', .., ']']) host = host[1..^1];
        if (IPAddress.TryParse(host, out var literal)) return new IPEndPoint(literal.IsIPv4MappedToIPv6 ? literal.MapToIPv4() : literal, port);

        var found = Dns.GetHostAddresses(host);
        if (found.Length == 0) throw new SocketException((int)SocketError.HostNotFound);
        return new IPEndPoint(found.FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetwork) ?? found[0], port);
    }
}
