using System.Diagnostics;
using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit;
using Bank;
using Microsoft.Extensions.DependencyInjection;

namespace ActorCluster.Tests.Kit;

public sealed record Move : IRequest<bool>;

/// <summary>Acts outside the store when it is told to.</summary>
public sealed class Camera : Entity
{
    protected internal override ValueTask ReceiveAsync(object message)
    {
        var may = Context.TryBeginEffect(TimeSpan.FromMilliseconds(10), out var effect);
        effect?.Dispose();
        Context.Reply(may);
        return ValueTask.CompletedTask;
    }
}

public sealed class Light : Entity
{
    protected internal override ValueTask ReceiveAsync(object message)
    {
        var may = Context.TryBeginEffect(TimeSpan.FromMilliseconds(10), out var effect);
        effect?.Dispose();
        Context.Reply(may);
        return ValueTask.CompletedTask;
    }
}

/// <summary>Members that all miss the store go on by each other's word, with real nodes, threads and links.</summary>
public class FailsafeTests
{
    private static void Hosts(ActorClusterBuilder node) => node
        .Configure(o => o.Downing.Failsafe = TimeSpan.FromSeconds(60))
        .WithEntity<Account>("account", Account.Register, shards: 16)
        .WithSingleton<Camera>("camera", m => m.Add<Move>("move.v1"))
        .WithSingleton<Light>("light", m => m.Add<Move>("move.v1"))
        .WithFailsafeEffects<Camera>();

    [Fact]
    public async Task While_no_member_reaches_the_store_reads_and_effects_go_on_and_end_when_one_link_does()
    {
        await using var cluster = await TestCluster.StartAsync(3, Hosts);
        var (node1, node2, node3) = (cluster["node1"], cluster["node2"], cluster["node3"]);
        var account = node1.Entity<Account>("ada");
        Assert.Equal(5, await account.AskAsync(new Deposit(5)));
        await cluster.Until("the singletons act", async () => await node2.Singleton<Camera>().AskAsync(new Move()) && await node2.Singleton<Light>().AskAsync(new Move()));

        foreach (var node in cluster.Nodes) cluster.CutStore(node);
        await cluster.Until("all are past their leases and go on", () => cluster.Nodes.All(n => n is { Mode: NodeMode.Frozen } && n.Status().Mode == "failsafe"));
        for (var since = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(since) < TimeSpan.FromSeconds(3); await Task.Delay(50))
        {
            Assert.Equal(5, await account.AskAsync(new Balance()));
            Assert.True(await node2.Singleton<Camera>().AskAsync(new Move()));
            Assert.False(await node2.Singleton<Light>().AskAsync(new Move())); // It is not registered so.
        }
        Assert.Equal(FailureKind.StoreUnavailable, (await Assert.ThrowsAsync<EntityException>(async () => await account.AskAsync(new Deposit(1)))).Failure.Kind);

        var cut = Stopwatch.GetTimestamp();
        cluster.Cut(node2, node3); // Neither of the two has the word of the other; node1 still has both, and keeps it.
        await cluster.Until("two of them have stopped", () => node2.Status().Mode == "frozen" && node3.Status().Mode == "frozen");
        Assert.InRange(Stopwatch.GetElapsedTime(cut), TimeSpan.Zero, TimeSpan.FromSeconds(3));
        await cluster.Until("node2 asks again, and says whose word is missing", () => node2.Status().LacksAssentOf is ["node3"]); // It asks for none while a claim of its own may be under way.

        cluster.Heal();
        await cluster.UntilSettled();
        Assert.Equal(6, await account.AskAsync(new Deposit(1)));
    }

    [Fact]
    public async Task A_node_that_starts_beside_members_without_the_store_ends_it()
    {
        await using var cluster = await TestCluster.StartAsync(3, Hosts);
        var (node1, node2, node3) = (cluster["node1"], cluster["node2"], cluster["node3"]);
        await cluster.KillAsync(node3);
        await cluster.UntilSettled();
        var settled = MonotonicClock.Now;
        await cluster.Until("both have read their rows in the view without node3; else they would not go on by it", () => RowsAt(node1) > settled && RowsAt(node2) > settled);
        cluster.CutStore(node1);
        cluster.CutStore(node2);
        await cluster.Until("both go on", () => node1.Status().Mode == "failsafe" && node2.Status().Mode == "failsafe");

        await cluster.RestartAsync(node3);
        await cluster.Until("both have heard of a view with node3", () => node1.Status().Mode == "frozen" && node2.Status().Mode == "frozen");
        cluster.Heal();
        await cluster.UntilSettled();
    }

    [Fact]
    public void A_type_without_external_effects_cannot_go_on_acting() =>
        Assert.Throws<ArgumentException>(() => new ActorClusterBuilder(new ServiceCollection()).WithEntity<Account>("account", Account.Register).WithFailsafeEffects<Account>());

    private static TimeSpan RowsAt(TestNode node) => node.Services.GetRequiredService<ClusterNode>().Life!.Latest.RowsAt;
}
