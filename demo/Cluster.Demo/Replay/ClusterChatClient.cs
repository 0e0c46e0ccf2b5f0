using System.Collections.Concurrent;
using ActorCluster.Client;
using ActorCluster.Demo.Histories;

namespace ActorCluster.Demo.Replay;

/// <summary>The real thing: a <see cref="ClusterClient"/> whose deliveries go into the user's history.</summary>
internal sealed class ClusterChatClient : IChatClient
{
    private readonly ClusterClient _client;
    private readonly ClientHistory _history;
    private readonly Action<int> _delivered;
    private readonly ConcurrentDictionary<int, long> _breaks = [];
    private volatile string _node = "";
    private volatile bool _movedNode;
    private volatile int _welcomes;

    /// <summary>Makes the client; nothing is connected yet.</summary>
    /// <param name="user">Its user.</param>
    /// <param name="hosts">The nodes' addresses in the order in which it shall try them.</param>
    /// <param name="history">Takes what it is delivered.</param>
    /// <param name="delivered">Told the number of delivered items, for the progress line.</param>
    /// <param name="silenceLimit">Silence after which a node is given up; null: the client's default.</param>
    public ClusterChatClient(string user, IReadOnlyList<Uri> hosts, ClientHistory history, Action<int> delivered, TimeSpan? silenceLimit = null)
    {
        (_history, _delivered) = (history, delivered);
        var options = new ClusterClientOptions { Hosts = hosts, User = user };
        _client = new(silenceLimit is { } limit ? options with { SilenceLimit = limit } : options);
        _client.ItemsReceived += Deliver;
        _client.ConnectionChanged += Follow;
    }

    public string Node => _node;
    public int Welcomes => _welcomes;
    public bool MovedNode => _movedNode;

    public long BrokeAtMs(int welcome) => _breaks.GetValueOrDefault(welcome);

    public Task ConnectAsync(CancellationToken stopping) => _client.ConnectAsync(stopping);

    public async Task<long> JoinAsync(string room, CancellationToken stopping) => (await _client.JoinAsync(room, stopping).ConfigureAwait(false)).Seq;

    public Task<long> LeaveAsync(string room, CancellationToken stopping) => _client.LeaveAsync(room, stopping);

    public Task<long> SayAsync(string room, string text, CancellationToken stopping) => _client.SayAsync(room, text, stopping);

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    private void Deliver(RoomItems batch)
    {
        for (var i = 0; i < batch.Items.Count; i++)
        {
            var item = batch.Items[i];
            if (item.Kind == RoomItemKind.Digest) _history.DeliverDigest(batch.Room, item.From, new(item.Seq, item.JoinedCount, item.LeftCount, item.Members));
            else _history.DeliverItem(batch.Room, KindOf(item.Kind), item.Seq, item.User, item.Text);
        }
        _delivered(batch.Items.Count);
    }

    private void Follow(ConnectionChange change)
    {
        if (change is ConnectionChange.Lost) _breaks[_welcomes] = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        if (change is not ConnectionChange.Connected welcome) return;
        if (_node.Length > 0 && _node != welcome.Node) _movedNode = true;
        _node = welcome.Node;
        _welcomes++; // Raised on one loop only.
    }

    private static RowKind KindOf(RoomItemKind kind) => kind switch
    {
        RoomItemKind.Created => RowKind.Created,
        RoomItemKind.Joined => RowKind.Joined,
        RoomItemKind.Left => RowKind.Left,
        RoomItemKind.Message => RowKind.Message,
        _ => RowKind.Unknown,
    };
}
