using System.Diagnostics;
using ActorCluster.ChatRooms;
using ActorCluster.Client;
using RoomItem = ActorCluster.Client.RoomItem;

namespace ActorCluster.AspNetCore.Tests;

/// <summary>A user with a real client, and all that the client was told.</summary>
internal sealed class ChatUser : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, List<RoomItem>> _items = [];
    private readonly List<RoomEnded> _ended = [];
    private readonly List<ConnectionChange> _changes = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ChatUser(string name, ClusterClient client)
    {
        (Name, Client) = (name, client);
        client.ItemsReceived += items => Note(() =>
        {
            if (!_items.TryGetValue(items.Room, out var known)) _items[items.Room] = known = [];
            known.AddRange(items.Items);
        });
        client.RoomEnded += ended => Note(() => _ended.Add(ended));
        client.ConnectionChanged += change => Note(() => _changes.Add(change));
    }

    public string Name { get; }

    public ClusterClient Client { get; }

    public IReadOnlyList<RoomEnded> Ended
    {
        get
        {
            lock (_lock) return [.. _ended];
        }
    }

    public IReadOnlyList<ConnectionChange> Changes
    {
        get
        {
            lock (_lock) return [.. _changes];
        }
    }

    public static async Task<ChatUser> ConnectAsync(string name, params IReadOnlyList<Uri> hosts)
    {
        var user = new ChatUser(name, new ClusterClient(new ClusterClientOptions { Hosts = hosts, User = name }));
        await user.Client.ConnectAsync().WaitAsync(Limit);
        return user;
    }

    public IReadOnlyList<RoomItem> ItemsOf(string room)
    {
        lock (_lock) return _items.TryGetValue(room, out var items) ? [.. items] : [];
    }

    public Task UntilSeenAsync(string room, long seq) =>
        UntilAsync($"item {seq} of {room}", u => u.ItemsOf(room) is { Count: > 0 } items && items[^1].Seq >= seq, u => $"items up to {u.ItemsOf(room).LastOrDefault().Seq}");

    public async Task UntilAsync(string what, Func<ChatUser, bool> holds, Func<ChatUser, string> found)
    {
        var since = Stopwatch.GetTimestamp();
        while (true)
        {
            Task changed;
            lock (_lock) changed = _changed.Task;
            if (holds(this)) return;
            try { await changed.WaitAsync(Limit - Stopwatch.GetElapsedTime(since) is { Ticks: > 0 } rest ? rest : TimeSpan.Zero); }
            catch (TimeoutException) { Assert.Fail($"{Name}: expected {what} within {Limit.TotalSeconds} s; found {found(this)}."); }
        }
    }

    public Task UntilPresentAsync(string user, bool present) => Eventually.IsAsync(
        $"{Name} finds {user} {(present ? "present" : "absent")}",
        async () => (await Client.PresenceAsync([user])).Contains(user) == present,
        () => present ? "absent" : "present");

    /// <summary>Asserts that what was seen of a room is the journal from the item after <paramref name="after"/> on: in order, gapless, each once, and counted right.</summary>
    public void SawTheJournal(string room, long after, IReadOnlyList<(long Seq, RoomEvent Event)> journal)
    {
        var members = new SortedDictionary<long, int>();
        var count = 0;
        foreach (var (seq, happened) in journal) members[seq] = count += Change(happened);
        var next = after + 1;
        foreach (var item in ItemsOf(room))
        {
            Assert.True(item.From == next, $"{Name} in {room}: expected an item from {next}; found {item}.");
            next = item.Seq + 1;
            if (item.Kind == RoomItemKind.Digest)
            {
                var run = journal.Where(j => j.Seq >= item.From && j.Seq <= item.Seq).Select(j => j.Event).ToList();
                Assert.Equal((run.Count(e => e is RoomEvent.Joined), run.Count(e => e is RoomEvent.Left), members[item.Seq]), (item.JoinedCount, item.LeftCount, item.Members));
                Assert.True(run.All(e => e is RoomEvent.Joined or RoomEvent.Left), $"The digest {item} hides something else than joins and leaves.");
                continue;
            }
            var happened = journal[(int)item.Seq - 1].Event;
            Assert.Equal((happened.User, (happened as RoomEvent.Said)?.Text ?? ""), (item.User, item.Text));
        }
    }

    public ValueTask DisposeAsync() => Client.DisposeAsync();

    private static int Change(RoomEvent happened) => happened switch
    {
        RoomEvent.Created or RoomEvent.Joined => 1,
        RoomEvent.Left => -1,
        _ => 0,
    };

    private void Note(Action note)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            note();
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        changed.SetResult();
    }
}
