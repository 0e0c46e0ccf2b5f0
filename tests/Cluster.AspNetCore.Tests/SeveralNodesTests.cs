using ActorCluster.ChatRooms;
using ActorCluster.Client;
using ActorCluster.Presence;
using ActorCluster.TestKit;

namespace ActorCluster.AspNetCore.Tests;

/// <summary>Two and three nodes in this process, real links between them.</summary>
public class SeveralNodesTests
{
    private static readonly string[] Rooms = [.. Enumerable.Range(1, 6).Select(i => $"room {i}")];

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Clients_on_different_nodes_see_one_order(int nodes)
    {
        await using var cluster = await TestCluster.StartAsync(nodes);
        var users = await ConnectAsync(cluster, perNode: 2);
        Assert.Equal(nodes, users.Select(u => u.Client.Node).Distinct().Count());
        var joins = await JoinAllAsync(users);
        await Task.WhenAll(users.SelectMany(user => Rooms.Select(room => Task.Run(async () =>
        {
            for (var i = 0; i < 50; i++) await user.Client.SayAsync(room, $"{user.Name} {room} {i}");
        }))));
        await EverybodySawAllAsync(cluster, users, joins, says: 50);
        await users[0].UntilPresentAsync(users[^1].Name, present: true); // From the first node to the last.
        foreach (var user in users) await user.DisposeAsync();
    }

    [Fact]
    public async Task A_type_that_only_the_younger_node_hosts_is_served_there()
    {
        await using var cluster = await TestCluster.StartAsync(0);
        var older = await cluster.AddAsync("older", presence: false); // It is the coordinator, so it places what it cannot serve itself.
        var younger = await cluster.AddAsync("younger");
        await older.UntilItSeesAsync(2);
        var store = new ModelStore(cluster.Database);
        var host = (await store.ReadClusterAsync()).Value!.Members.Single(m => m.Name == younger.Name);
        Assert.Contains(PresenceEntity.TypeName, host.Types!.Value);
        var rows = (await store.ReadShardsAsync()).Value.Where(s => s.Type == PresenceEntity.TypeName);
        Assert.All(rows, s => Assert.Equal(host.Inc, s.Owner));
    }

    [Theory]
    [InlineData(2, 0)]
    [InlineData(2, 1)]
    [InlineData(3, 1)]
    public async Task A_node_that_stops_in_good_order_is_noticed_by_no_client_but_for_the_move(int nodes, int stopped)
    {
        await using var cluster = await TestCluster.StartAsync(nodes);
        var users = await ConnectAsync(cluster, perNode: 2);
        var joins = await JoinAllAsync(users);
        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var said = 0;
        var traffic = users.Select(user => Task.Run(async () =>
        {
            var i = 0;
            // A call that throws fails the test: in an orderly stop no command may be refused or in doubt.
            for (var after = 0; after < 20; after += stop.Task.IsCompleted ? 1 : 0)
            {
                foreach (var room in Rooms) await user.Client.SayAsync(room, $"{user.Name} {room} {i}");
                i++;
                Interlocked.Increment(ref said);
            }
            return i;
        })).ToList();
        await Eventually.IsAsync("traffic flows", () => Volatile.Read(ref said) > 10 * users.Count || traffic.Any(t => t.IsFaulted), () => $"{said} rounds");
        await cluster.Nodes[stopped].StopAsync();
        stop.SetResult();
        var rounds = await Task.WhenAll(traffic).WaitAsync(TimeSpan.FromSeconds(60));
        await EverybodySawAllAsync(cluster, users, joins, says: null);
        foreach (var (user, count) in users.Zip(rounds))
        {
            Assert.Empty(user.Ended);
            Assert.NotEqual(cluster.Nodes[stopped].Name, user.Client.Node);
            foreach (var room in Rooms)
            {
                var texts = (await cluster.JournalAsync(room)).Select(j => j.Event).OfType<RoomEvent.Said>().Where(s => s.User == user.Name).Select(s => s.Text);
                Assert.Equal(Enumerable.Range(0, count).Select(i => $"{user.Name} {room} {i}"), texts);
            }
        }
        foreach (var user in users) await user.DisposeAsync();
    }

    [Fact]
    public async Task Presence_outlives_the_node_of_the_one_and_ends_with_the_node_of_the_other()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        await using var watcher = await ChatUser.ConnectAsync("watcher", cluster.Nodes[1].Url);
        await using var loyal = await RawClient.GreetAsync(cluster.Nodes[0].Url, "loyal"); // Goes nowhere else.
        await using var mover = await ChatUser.ConnectAsync("mover", cluster.Nodes[0].Url);
        await watcher.UntilPresentAsync("loyal", present: true);
        await watcher.UntilPresentAsync("mover", present: true);
        await cluster.Nodes[0].StopAsync();
        await watcher.UntilPresentAsync("loyal", present: false);
        await watcher.UntilPresentAsync("mover", present: true);
        Assert.Equal("node2", mover.Client.Node);
    }

    [Fact]
    public async Task A_node_that_comes_later_serves_rooms_that_are_older_than_it()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        await using var ada = await ChatUser.ConnectAsync("ada", cluster.Hosts);
        foreach (var room in Rooms) await ada.Client.JoinAsync(room);
        var late = await cluster.AddAsync("late");
        await using var bob = await ChatUser.ConnectAsync("bob", late.Url);
        Assert.Equal("late", bob.Client.Node);
        foreach (var room in Rooms)
        {
            Assert.Equal(new Joined(2, 2), await bob.Client.JoinAsync(room));
            await ada.Client.SayAsync(room, "welcome");
        }
        foreach (var room in Rooms)
        {
            await bob.UntilSeenAsync(room, 3);
            await ada.UntilSeenAsync(room, 3);
            ada.SawTheJournal(room, 1, await cluster.JournalAsync(room));
            bob.SawTheJournal(room, 2, await cluster.JournalAsync(room));
        }
    }

    private static async Task<List<ChatUser>> ConnectAsync(TestCluster cluster, int perNode)
    {
        var users = new List<ChatUser>();
        foreach (var node in cluster.Nodes)
            for (var i = 0; i < perNode; i++) users.Add(await ChatUser.ConnectAsync($"user {users.Count}", node.Url));
        return users;
    }

    private static async Task<Dictionary<(string User, string Room), long>> JoinAllAsync(List<ChatUser> users)
    {
        var joins = new Dictionary<(string, string), long>();
        foreach (var user in users)
            foreach (var room in Rooms) joins[(user.Name, room)] = (await user.Client.JoinAsync(room)).Seq;
        return joins;
    }

    private static async Task EverybodySawAllAsync(TestCluster cluster, List<ChatUser> users, Dictionary<(string User, string Room), long> joins, int? says)
    {
        foreach (var room in Rooms)
        {
            var journal = await cluster.JournalAsync(room);
            Assert.Equal(Enumerable.Range(1, journal.Count).Select(i => (long)i), journal.Select(j => j.Seq));
            if (says is { } each) Assert.Equal(users.Count * (each + 1), journal.Count);
            foreach (var user in users)
            {
                await user.UntilSeenAsync(room, journal[^1].Seq);
                user.SawTheJournal(room, joins[(user.Name, room)], journal);
            }
        }
    }
}
