using System.Net.Sockets;

namespace ActorCluster.Links;

/// <summary>One thread that goes on sending where the system's buffer was full, for all connections of a transport.</summary>
/// <remarks>
/// A thread of its own, so that heartbeats leave while the thread pool is starved. It waits for writability in slices, since a
/// wait on sockets cannot be told of one more socket; a newcomer waits for at most one slice.
/// </remarks>
internal sealed class LinkFlusher
{
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(5);

    private readonly Lock _gate = new();
    private readonly AutoResetEvent _wake = new(false);
    private List<LinkConnection> _added = [];
    private bool _stopped;

    /// <summary>Takes over a stalled flush.</summary>
    public void Add(LinkConnection connection)
    {
        lock (_gate) _added.Add(connection);
        _wake.Set();
    }

    /// <summary>Ends the thread; what is stalled stays unsent.</summary>
    public void Stop()
    {
        lock (_gate) _stopped = true;
        _wake.Set();
    }

    /// <summary>The thread's body.</summary>
    public void Run()
    {
        var stalled = new Dictionary<Socket, LinkConnection>();
        var ready = new List<Socket>();
        var newcomers = new List<LinkConnection>();
        for (; ; )
        {
            if (stalled.Count == 0) _wake.WaitOne();
            lock (_gate)
            {
                if (_stopped) break;
                (newcomers, _added) = (_added, newcomers);
            }
            foreach (var newcomer in newcomers) stalled[newcomer.Socket.Socket] = newcomer;
            newcomers.Clear();

            foreach (var (socket, connection) in stalled)
            {
                if (connection.Ended is not null) stalled.Remove(socket);
            }
            if (stalled.Count == 0) continue;

            ready.Clear();
            ready.AddRange(stalled.Keys);
            try { Socket.Select(null, ready, null, Slice); }
            catch (Exception ended) when (ended is ObjectDisposedException or SocketException)
            {
                Thread.Yield(); // One of them ended just now and is dropped in the next round.
                continue;
            }
            foreach (var socket in ready)
            {
                stalled.Remove(socket, out var connection);
                connection!.Resume(); // Adds itself again when it stalls once more.
            }
        }
    }
}
