using System.Collections.Concurrent;
using System.Globalization;
using ActorCluster.Client;
using ActorCluster.Demo.Checking;
using ActorCluster.Demo.Histories;

namespace ActorCluster.MultiNode.Tests.Nodes;

/// <summary>Users who talk without a break while something happens to the nodes; each in a room of its own and all in one.</summary>
internal sealed class Talk : IAsyncDisposable
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(10);

    private readonly List<User> _users = [];
    private readonly CancellationTokenSource _enough = new();
    private Task _talking = Task.CompletedTask;

    /// <summary>Messages that were acknowledged.</summary>
    public int Acknowledged => _users.Sum(u => u.Acknowledged.Count);

    /// <summary>The message that waited longest for its acknowledgement since the last call: how long, whose, and when it was said.</summary>
    public string TakeLongestWait()
    {
        var longest = _users.Select(u => u.TakeLongest()).MaxBy(l => l.Wait);
        return string.Create(CultureInfo.InvariantCulture, $"{longest.Wait.TotalMilliseconds:0} ms waited '{longest.Text}' in {longest.Room}, begun {longest.Since.TotalSeconds:0.0} s before now");
    }

    public static async Task<Talk> BeginAsync(SampleCluster cluster, int users)
    {
        var talk = new Talk();
        for (var i = 0; i < users; i++)
        {
            var user = new User(string.Create(CultureInfo.InvariantCulture, $"user{i}"), [.. cluster.Nodes.Select((_, n) => cluster[(i + n) % cluster.Nodes.Count].Clients)]);
            talk._users.Add(user);
            await user.JoinAsync();
        }
        talk._talking = Task.WhenAll(talk._users.Select(u => u.TalkAsync(talk._enough.Token)));
        return talk;
    }

    /// <summary>Waits until every user was acknowledged that many further messages.</summary>
    public Task<TimeSpan> GoesOnAsync(string when, TimeSpan limit, int messages = 1)
    {
        var from = _users.ToDictionary(u => u, u => u.Acknowledged.Count);
        return Await.UntilAsync(
            $"every user is acknowledged {messages} messages {when}", limit,
            () => _talking.IsFaulted ? throw _talking.Exception! : Task.FromResult(_users.All(u => u.Acknowledged.Count >= from[u] + messages)),
            () => Task.FromResult(string.Join(", ", _users.Select(u => $"{u.Name} {u.Acknowledged.Count - from[u]} at {u.Node}"))));
    }

    /// <summary>Ends the talk once every command that was begun is answered. To be called before <see cref="Judge"/>.</summary>
    public async Task EndAsync()
    {
        await _enough.CancelAsync();
        await _talking.WaitAsync(TimeSpan.FromSeconds(30));
        foreach (var user in _users) await user.DisposeAsync(); // What was delivered stands still from here on.
    }

    /// <summary>Everything that is wrong between what was acknowledged, what was delivered and what the store has; empty if nothing is.</summary>
    public string Judge(string store)
    {
        var journals = JournalReader.Read(store);
        var faults = new List<string>();
        foreach (var (room, journal) in journals)
        {
            if (journal.Gaps > 0) faults.Add($"{room} has {journal.Gaps} gaps");
            if (journal.RepeatedCommands > 0) faults.Add($"{room} has {journal.RepeatedCommands} commands twice");
        }
        foreach (var user in _users)
        {
            foreach (var (room, seq, text) in user.Acknowledged)
                if (!journals.TryGetValue(room, out var journal) || journal[seq].Hash != RowHash.Of(RowKind.Message, user.Name, text)) faults.Add($"{user.Name} was acknowledged '{text}' as {seq} of {room}, which the store does not have");
            foreach (var (room, items) in user.Delivered)
            {
                var cursor = items[0].From - 1;
                foreach (var item in items)
                {
                    if (item.From != cursor + 1) faults.Add($"{user.Name} got {item.From} of {room} after {cursor}");
                    cursor = item.Seq;
                    if (item.Kind == RoomItemKind.Message && journals.TryGetValue(room, out var journal) && journal[item.Seq].Hash != RowHash.Of(RowKind.Message, item.User, item.Text)) faults.Add($"{user.Name} got another {item.Seq} of {room} than the store has");
                }
            }
        }
        return string.Join("; ", faults.Take(10));
    }

    public async ValueTask DisposeAsync()
    {
        await _enough.CancelAsync();
        foreach (var user in _users) await user.DisposeAsync();
        await _talking.ContinueWith(static _ => { }, TaskScheduler.Default); // Its fault, if any, was shown where it was awaited.
        _enough.Dispose();
    }

    private sealed class User : IAsyncDisposable
    {
        private readonly ClusterClient _client;
        private readonly string[] _rooms;
        private (TimeSpan Wait, long Asked, string Room, string Text) _longest;

        public User(string name, IReadOnlyList<Uri> hosts)
        {
            (Name, _rooms) = (name, ["all", $"of-{name}"]);
            _client = new ClusterClient(new ClusterClientOptions { Hosts = hosts, User = name });
            _client.ItemsReceived += batch => Delivered.GetOrAdd(batch.Room, _ => []).AddRange(batch.Items); // On one loop; read when it has ended.
        }

        public string Name { get; }

        public string Node => _client.Node;

        public ConcurrentQueue<(string Room, long Seq, string Text)> Acknowledged { get; } = new();

        public ConcurrentDictionary<string, List<RoomItem>> Delivered { get; } = new();

        public async Task JoinAsync()
        {
            await _client.ConnectAsync();
            foreach (var room in _rooms) await _client.JoinAsync(room).WaitAsync(TimeSpan.FromSeconds(30));
        }

        public async Task TalkAsync(CancellationToken enough)
        {
            for (var i = 0; !enough.IsCancellationRequested; i++)
            {
                var (room, text) = (_rooms[i % _rooms.Length], string.Create(CultureInfo.InvariantCulture, $"{Name} says {i}"));
                var asked = TimeProvider.System.GetTimestamp();
                var seq = await _client.SayAsync(room, text);
                Acknowledged.Enqueue((room, seq, text));
                if (TimeProvider.System.GetElapsedTime(asked) is var wait)
                    lock (_client) if (wait > _longest.Wait) _longest = (wait, asked, room, text);
                await Task.Delay(Between, CancellationToken.None); // A talk, not a load test: others measure on these cores.
            }
        }

        public (TimeSpan Wait, TimeSpan Since, string Room, string Text) TakeLongest()
        {
            lock (_client)
            {
                var longest = _longest;
                _longest = default;
                return (longest.Wait, TimeProvider.System.GetElapsedTime(longest.Asked), longest.Room, longest.Text);
            }
        }

        public ValueTask DisposeAsync() => _client.DisposeAsync();
    }
}
