using System.Net;
using System.Net.Sockets;

namespace ActorCluster.Demo.Nodes;

/// <summary>Finds ports of the loopback address that nobody listens on.</summary>
internal static class FreePorts
{
    private const int Searched = 900;

    /// <summary>The next <paramref name="count"/> free ports from <paramref name="first"/> on.</summary>
    /// <exception cref="CouldNotRunException">There are not so many within the next 900.</exception>
    /// <remarks>They are free now; who takes one before the node does makes the node fail at its start, with a message of its own.</remarks>
    public static IReadOnlyList<int> From(int first, int count)
    {
        var free = new List<int>(count);
        for (var port = first; port < first + Searched && free.Count < count; port++)
            if (IsFree(port)) free.Add(port);
        return free.Count == count
            ? free
            : throw new CouldNotRunException($"Only {free.Count} of {count} ports are free from {first} to {first + Searched - 1}; stop what listens there.");
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
