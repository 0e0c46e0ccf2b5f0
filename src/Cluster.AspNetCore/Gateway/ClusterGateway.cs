using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net.WebSockets;
using ActorCluster.ChatRooms;
using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Presence;
using ActorCluster.Primitives;
using Microsoft.Extensions.Logging;

namespace ActorCluster.AspNetCore.Gateway;

/// <summary>All client connections of this node.</summary>
/// <remarks>Thread-safe. Sessions belong to a life of the node: when it ends, every client is sent elsewhere.</remarks>
internal sealed class ClusterGateway : INodeParticipant, IDisposable
{
    private static readonly TimeSpan GoAwayLimit = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<GatewaySession, byte> _sessions = new();
    private readonly ClusterNode _node;
    private readonly RoomNewsListener? _rooms;
    private readonly ILogger<ClusterGateway> _log;
    private readonly Timer _clock;
    private volatile GatewayLife? _life;
    private int _connections;

    public ClusterGateway(ClusterNode node, IEnumerable<RoomNewsListener> rooms, ILogger<ClusterGateway> log)
    {
        (_node, _rooms, _log) = (node, rooms.FirstOrDefault(), log);
        Tokens = new SessionToken(node.Options.Secrets);
        _clock = new Timer(_ => Tick(), null, 250, 250);
    }

    public SessionToken Tokens { get; }

    public string NodeName => _node.Options.Node.Name;

    public TimeSpan AskTimeout => _node.AskTimeout;

    public int Sessions => _sessions.Count;

    public int ConnectionsMax => _node.Options.Limits.Connections;

    /// <summary>Whether a page of this origin may connect. Programs send no origin; browsers always do, and any page may try with the user's cookies.</summary>
    /// <param name="origin">The request's Origin header, empty for none.</param>
    /// <param name="host">The request's Host header.</param>
    /// <remarks>Pages fail over between nodes, so each node accepts those of every member, and of those that went down in the last days.</remarks>
    public bool MayConnectFrom(string origin, string host)
    {
        if (origin.Length == 0) return true;
        if (!Uri.TryCreate(origin, UriKind.Absolute, out var page)) return false;
        return page.Authority.Equals(host, StringComparison.OrdinalIgnoreCase)
            || _node.Options.OriginList.Any(known => IsSame(page, known))
            || (_life?.Node.Latest.Snapshot?.Members ?? []).Any(member => IsSame(page, member.ClientUrl));
    }

    /// <summary>Takes a place for a connection, to be given back with <see cref="Leave"/>; false when there is none.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _connections) <= ConnectionsMax) return true;
        Leave();
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _connections);

    /// <summary>Serves one WebSocket until it ends.</summary>
    public async Task ServeAsync(WebSocket socket, string? user)
    {
        if (_life is not { } life || !_node.IsReady)
        {
            await SayByeAsync(socket, "NotServing", $"Node {NodeName} cannot serve now; try the next host.").ConfigureAwait(false);
            return;
        }
        if (user is not { Length: >= 1 and <= 64 } || user.Any(char.IsControl))
        {
            await SayByeAsync(socket, "NoUser", "The request names no user of 1 to 64 characters; sign in first.").ConfigureAwait(false);
            return;
        }
        var session = new GatewaySession(this, life, socket, user, _log);
        _sessions[session] = 0;
        if (_life != life) await session.GoAwayAsync(GoAway("The node restarts."), GoAwayLimit).ConfigureAwait(false);
        await session.RunAsync().ConfigureAwait(false);
    }

    public void Ended(GatewaySession session) => _sessions.TryRemove(session, out _);

    /// <summary>Where clients may connect, in fail-over order: the configured names first, then by age.</summary>
    public ImmutableArray<HostEntry> Hosts(bool withSelf)
    {
        var order = _node.Options.HostList;
        return
        [
            .. (_life?.Node.Latest.Snapshot?.Members ?? [])
                .Where(m => m.Status == MemberStatus.Up && m.ClientUrl.Length > 0 && (withSelf || m.Name != NodeName))
                .OrderBy(m => order.IndexOf(m.Name) is >= 0 and var at ? at : int.MaxValue).ThenBy(m => m.UpView)
                .Select(m => new HostEntry(m.Name, m.ClientUrl)),
        ];
    }

    public void LifeStarted(NodeLife life)
    {
        var rooms = _rooms is null ? null : new RoomRelayDriver(life.Regions, life.Entities.Store, life.Self, _log.RoomUnreadable);
        if (_rooms is not null) _rooms.Relay = rooms;
        // Announcements to a type that nobody hosts would fail on the clock's thread, and end the process.
        var presence = life.Regions.Hosts(PresenceEntity.TypeName) ? new PresenceDriver(life.Regions, life.Self) : null;
        _life = new GatewayLife(life, rooms, presence);
    }

    public async Task StopServingAsync(string reason)
    {
        if (_life is not { } life) return;
        var frame = GoAway(reason);
        _life = null;
        await Task.WhenAll(_sessions.Keys.Select(s => s.GoAwayAsync(frame, GoAwayLimit))).ConfigureAwait(false);
        life.Rooms?.Dispose();
        life.Presence?.Dispose();
    }

    public void Dispose() => _clock.Dispose();

    /// <summary>Same host and port; localhost has several names.</summary>
    private static bool IsSame(Uri page, string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var known) && page.Port == known.Port && (page.Host == known.Host || (page.IsLoopback && known.IsLoopback));

    private byte[] GoAway(string reason) => ServerFrames.GoAway(reason, Hosts(withSelf: false));

    private void Tick()
    {
        var now = MonotonicClock.Now;
        foreach (var session in _sessions.Keys)
        {
            try { session.Tick(now); }
            catch (Exception cause) { _log.SessionFailed(cause, session.User); } // On a timer's thread it would end the process, and with it everybody's session.
        }
    }

    private static async Task SayByeAsync(WebSocket socket, string code, string message)
    {
        using var limit = new CancellationTokenSource(GoAwayLimit);
        try
        {
            await socket.SendAsync(ServerFrames.Bye(code, message), WebSocketMessageType.Text, true, limit.Token).ConfigureAwait(false);
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, code, limit.Token).ConfigureAwait(false);
        }
        catch (Exception cause) when (cause is WebSocketException or OperationCanceledException or IOException)
        {
            socket.Abort(); // It is gone already.
        }
    }
}

/// <summary>What the gateway has of one life of the node.</summary>
internal sealed record GatewayLife(NodeLife Node, RoomRelayDriver? Rooms, PresenceDriver? Presence)
{
    public void Post(Envelope envelope) => Node.Regions.Post(envelope);
}
