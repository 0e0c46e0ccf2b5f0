using System.Collections.Concurrent;
using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ActorCluster.Tests.Kit;

public sealed record Hit : IRequest<int>;

/// <summary>Counts hits, in memory.</summary>
public sealed class Tally : Entity
{
    private int _hits;

    protected internal override ValueTask ReceiveAsync(object message)
    {
        Context.Reply(++_hits);
        return ValueTask.CompletedTask;
    }
}

/// <summary>Every fault bites, and what is healed works again.</summary>
public class TestClusterTests
{
    [Fact]
    public async Task Nodes_that_are_cut_from_each_other_hear_nothing_until_the_cut_is_healed()
    {
        await using var cluster = await StartAsync(2);
        var (node1, node2) = (cluster["node1"], cluster["node2"]);
        var id = await OwnedByAsync(cluster, node2);
        Assert.Equal(1, await node1.Entity<Tally>(id).AskAsync(new Hit()));

        cluster.Cut(node1, node2);
        var cutOff = node1.Entity<Tally>(id).AskAsync(new Hit()).AsTask();
        await cluster.Until("node1 misses node2", () => Misses(node1, node2));
        await cluster.Until("node2 misses node1", () => Misses(node2, node1));
        Assert.False(cutOff.IsCompletedSuccessfully && await cutOff == 2); // Where the tally has been taken over meanwhile it is lost, or counted anew.

        cluster.Heal();
        await cluster.UntilSettled();
        await cluster.Until("node1 reaches the tally again", async () => await node1.Entity<Tally>(id).AskAsync(new Hit()) > 0);
        Assert.True(await Record.ExceptionAsync(() => cutOff) is null or EntityException); // A reply or a typed failure, never silence.
    }

    [Fact]
    public async Task What_is_told_into_a_cut_arrives_when_it_is_healed()
    {
        await using var cluster = await StartAsync(2);
        var (node1, node2) = (cluster["node1"], cluster["node2"]);
        var id = await OwnedByAsync(cluster, node2);
        Assert.Equal(1, await node1.Entity<Tally>(id).AskAsync(new Hit()));

        cluster.Cut(node1, node2);
        for (var i = 0; i < 10; i++) node1.Entity<Tally>(id).Tell(new Hit());
        Assert.Equal(2, await node2.Entity<Tally>(id).AskAsync(new Hit())); // None of them was there before.
        cluster.Heal();
        Assert.Equal(13, await node1.Entity<Tally>(id).AskAsync(new Hit()));
    }

    [Fact]
    public async Task A_referee_that_the_cluster_has_not_had_is_said_and_the_node_serves()
    {
        var lines = new ConcurrentQueue<string>();
        await using var cluster = await StartAsync(1, node =>
        {
            node.Services.AddLogging(l => l.AddProvider(new Lines(lines)));
            node.Configure(o => (o.Downing.Strategy, o.Downing.Referee) = ("keep-referee", "nobody"));
        });
        Assert.Single(lines, line => line.StartsWith("Cluster:Downing:Referee is 'nobody', and the cluster has had no node of that name so far, but node1", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_way_that_stays_cut_breaks_the_connections_at_both_ends()
    {
        var lines = new ConcurrentQueue<string>();
        await using var cluster = await StartAsync(2, node => node.Services.AddLogging(l => l.AddProvider(new Lines(lines))), timeScale: 3); // Else the detector is faster than TCP.
        cluster.CutOneWay(cluster["node1"], cluster["node2"]);
        foreach (var end in new[] { "Link Data with #1 is lost: Silent", "Link Data with #2 is lost: Silent" })
            await cluster.Until(end, () => lines.Contains(end));
    }

    [Fact]
    public async Task A_way_that_is_cut_leaves_the_other_one_open()
    {
        await using var cluster = await StartAsync(2);
        var (node1, node2) = (cluster["node1"], cluster["node2"]);
        var (on1, on2) = (await OwnedByAsync(cluster, node1), await OwnedByAsync(cluster, node2));

        cluster.CutOneWay(node1, node2);
        var there = node1.Entity<Tally>(on2).AskAsync(new Hit()).AsTask();
        node2.Entity<Tally>(on1).Tell(new Hit());
        var hits = 0;
        await cluster.Until("what node2 told has reached node1", async () => await node1.Entity<Tally>(on1).AskAsync(new Hit()) > ++hits);
        await cluster.Until("node2 misses node1", () => Misses(node2, node1));
        Assert.False(there.IsCompleted);

        cluster.Heal(node1);
        await cluster.UntilSettled();
    }

    [Fact]
    public async Task Two_nodes_that_a_third_reaches_both_ask_each_other_through_it()
    {
        await using var cluster = await StartAsync(3);
        var (node1, node2) = (cluster["node1"], cluster["node2"]);
        var (on1, on2) = (await OwnedByAsync(cluster, node1), await OwnedByAsync(cluster, node2));

        cluster.Cut(node1, node2);
        await cluster.Until("node1 reaches node2 through node3", () => node1.Status().BrokenLinks.Any(l => l.RelayedThrough == "node3"));
        await cluster.Until("node2 reaches node1 through node3", () => node2.Status().BrokenLinks.Any(l => l.RelayedThrough == "node3"));
        Assert.DoesNotContain(cluster["node3"].Status().BrokenLinks, l => l.RelayedThrough is not null);
        var (there, here, unknown) = (0, 0, 0);
        for (var i = 1; i <= 20; i++)
        {
            there = await HitAsync(node1, on2, there);
            here = await HitAsync(node2, on1, here);
        }
        Assert.InRange(there, 20, 20 + unknown);
        Assert.InRange(here, 20, 20 + unknown);
        Assert.All(new[] { node1, node2 }, node => Assert.Equal(NodeMode.Serving, node.Mode));

        cluster.Heal();
        await cluster.Until("nothing is relayed any more", () => node1.Status().BrokenLinks.IsEmpty && node2.Status().BrokenLinks.IsEmpty);
        await HitAsync(node1, on2, there);

        // What is under way when a way changes may have taken effect, and the news that the other end has changed its way may come behind the first asks.
        async Task<int> HitAsync(TestNode from, string id, int last)
        {
            while (true)
            {
                try
                {
                    var hits = await from.Entity<Tally>(id).AskAsync(new Hit());
                    Assert.InRange(hits, last + 1, last + 1 + unknown);
                    return hits;
                }
                catch (EntityException failed) when (failed.Failure is { Kind: FailureKind.EntityUnavailable, NoEffect: false } && unknown < 6)
                {
                    unknown++;
                }
            }
        }
    }

    [Fact]
    public async Task A_node_without_the_store_freezes_and_serves_again_when_it_is_healed()
    {
        await using var cluster = await StartAsync(2);
        var node2 = cluster["node2"];
        var on2 = await OwnedByAsync(cluster, node2);

        cluster.CutStore(node2);
        await cluster.Until("node1 has the shard, released in node2's name, and node2 reaches it there", async () =>
            cluster.OwnerOf<Tally>(on2) == cluster["node1"] && await node2.Entity<Tally>(on2).AskAsync(new Hit()) > 0);
        await cluster.Until("node2 is frozen", () => node2.Mode == NodeMode.Frozen);
        Assert.Contains("cut", node2.Status().StoreFault, StringComparison.Ordinal);
        Assert.Equal(NodeMode.Serving, cluster["node1"].Mode);

        cluster.Heal(node2);
        await cluster.UntilSettled();
    }

    [Fact]
    public async Task A_paused_node_takes_no_turn_and_is_missed_until_it_goes_on()
    {
        await using var cluster = await StartAsync(2);
        var (node1, node2) = (cluster["node1"], cluster["node2"]);
        var (on1, on2) = (await OwnedByAsync(cluster, node1), await OwnedByAsync(cluster, node2));

        cluster.Pause(node2);
        var here = node2.Entity<Tally>(on2).AskAsync(new Hit()).AsTask();
        node2.Entity<Tally>(on1).Tell(new Hit());
        await cluster.Until("node1 misses node2", () => Misses(node1, node2));
        Assert.False(here.IsCompleted);
        Assert.Equal(1, await node1.Entity<Tally>(on1).AskAsync(new Hit())); // What the paused node's own threads send stays with it.

        cluster.Resume(node2);
        await cluster.UntilSettled();
        await cluster.Until("the tally of node2 answers", async () => await node2.Entity<Tally>(on2).AskAsync(new Hit()) > 0);
    }

    [Fact]
    public async Task A_killed_node_is_found_dead_and_a_stopped_one_has_left()
    {
        await using var cluster = await StartAsync(3);
        var (node2, node3) = (cluster["node2"], cluster["node3"]);
        var (killed, stopped) = (node2.Status().Incarnation, node3.Status().Incarnation);

        await cluster.KillAsync(node2);
        Assert.Equal(NodeMode.Fenced, node2.Mode);
        Assert.Contains("node2 is killed", Assert.Throws<InvalidOperationException>(node2.Status).Message, StringComparison.Ordinal);
        await cluster.UntilSettled();
        Assert.NotEqual("left", Row(cluster, killed).DownReason);

        await cluster.StopAsync(node3);
        await cluster.UntilSettled();
        Assert.Equal("left", Row(cluster, stopped).DownReason);

        await cluster.RestartAsync(node2);
        await cluster.UntilSettled();
        Assert.True(node2.Status().Incarnation > stopped);
        await Assert.ThrowsAsync<InvalidOperationException>(() => cluster.RestartAsync(node2));
    }

    [Fact]
    public async Task What_does_not_come_about_is_told_with_the_state_of_every_node()
    {
        await using var cluster = await StartAsync(3);
        await cluster.KillAsync(cluster["node3"]);
        cluster.CutOneWay(cluster["node1"], cluster["node2"]);
        cluster.CutStore(cluster["node2"]);

        var told = await Assert.ThrowsAsync<TestClusterException>(() => cluster.Until("pigs fly", bool () => throw new EntityException(EntityFailure.Busy("pig/1")), TimeSpan.FromMilliseconds(100)));

        Assert.StartsWith("Expected within 0.1 s: pigs fly. The last look met: ", told.Message, StringComparison.Ordinal);
        Assert.Contains("pig/1", told.Message, StringComparison.Ordinal);
        Assert.Matches("node1#1: serving, view [0-9]+; sees node1#1 up, node2#2 up.*; owns [0-9]+ of tally", told.Message);
        foreach (var line in new[] { "node2#2: ", "node3: killed", "cut: node1 to node2", "cut: node2 from the store" }) Assert.Contains(line, told.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<FormatException>(() => cluster.Until("a broken look is no look", bool () => throw new FormatException()));
    }

    [Fact]
    public async Task Disposed_in_the_midst_of_faults_it_leaves_nothing_behind()
    {
        var cluster = await StartAsync(3);
        var folders = cluster.Nodes.Select(n => n.Services.GetRequiredService<IOptions<ClusterOptions>>().Value.Data).ToList();
        Assert.All(folders, f => Assert.True(Directory.Exists(f), f));
        var waiting = cluster.Until("never", () => false);
        var id = await OwnedByAsync(cluster, cluster["node1"]);
        cluster.Pause(cluster["node1"]);
        var owed = cluster["node1"].Entity<Tally>(id).AskAsync(new Hit()).AsTask();
        cluster.Isolate(cluster["node2"]);
        cluster.CutStore(cluster["node3"]);

        await cluster.DisposeAsync();
        await cluster.DisposeAsync();

        Assert.All(folders, f => Assert.False(Directory.Exists(f), f));
        Assert.All(cluster.Nodes, n => Assert.False(n.IsRunning));
        await Assert.ThrowsAsync<EntityException>(() => owed);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => cluster.RestartAsync(cluster.Nodes[0]));
    }

    [Fact]
    public async Task What_cannot_be_is_refused_in_words()
    {
        var refused = await Assert.ThrowsAsync<TestClusterException>(() => TestCluster.StartAsync(1, node => node.Configure(o => o.Limits.Mailbox = 0)));
        Assert.Contains("node1 cannot start: ", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Cluster:Limits:Mailbox is 0; give 1 to 1,000,000.", refused.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => TestCluster.StartAsync(0, _ => { }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TestClusterOptions { TimeScale = 0.1 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new TestClusterOptions { Patience = TimeSpan.Zero });

        await using var cluster = await StartAsync(1);
        await using var other = await StartAsync(1);
        Assert.Throws<ArgumentException>(() => cluster.Cut(cluster["node1"], cluster["node1"]));
        Assert.Throws<ArgumentException>(() => cluster.CutStore(other["node1"]));
        Assert.Throws<ArgumentException>(() => cluster["node2"]);
        Assert.Throws<ArgumentException>(() => cluster.OwnerOf<Tally>(""));
    }

    [Fact]
    public async Task Every_time_of_the_protocol_is_scaled()
    {
        await using var cluster = await TestCluster.StartAsync(1, _ => { }, new TestClusterOptions { TimeScale = 0.5 });
        var times = cluster["node1"].Services.GetRequiredService<IOptions<ClusterOptions>>().Value.Times;
        foreach (var time in typeof(ProtocolTimes).GetProperties().Where(p => p.PropertyType == typeof(TimeSpan) && p.Name != nameof(ProtocolTimes.EffectLimit)))
            Assert.Equal(0.5 * (TimeSpan)time.GetValue(new ProtocolTimes())!, time.GetValue(times));
        Assert.Equal(TimeSpan.FromSeconds(0.3), times.EffectLimit); // What cancelling takes is no setting.
    }

    private static Task<TestCluster> StartAsync(int nodes, Action<ActorClusterBuilder>? also = null, double timeScale = 0.5) => TestCluster.StartAsync(
        nodes,
        node =>
        {
            node.WithEntity<Tally>("tally", m => m.Add<Hit>("hit.v1"), shards: 16);
            also?.Invoke(node);
        },
        new TestClusterOptions { TimeScale = timeScale });

    // A node that was slow while the shards were given out may have got none; the balance gives it some.
    private static async Task<string> OwnedByAsync(TestCluster cluster, TestNode node)
    {
        string? Owned() => Enumerable.Range(1, 200).Select(i => $"t-{i}").FirstOrDefault(id => cluster.OwnerOf<Tally>(id) == node);
        await cluster.Until($"{node} owns a tally", () => Owned() is not null);
        return Owned()!;
    }

    private static bool Misses(TestNode node, TestNode other) => node.Status().Members.LastOrDefault(m => m.Name == other.Name) is not { Status: "up", Reachable: true };

    private static MemberRow Row(TestCluster cluster, long inc) => cluster.Database.Members.Single(m => m.Inc == new Incarnation(inc));

    private sealed class Lines(ConcurrentQueue<string> lines) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => lines.Enqueue(formatter(state, exception));

        public bool IsEnabled(LogLevel logLevel) => true;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Dispose() { }
    }
}
