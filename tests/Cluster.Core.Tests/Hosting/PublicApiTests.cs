using System.Diagnostics;
using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit;
using ActorCluster.Tests.Entities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Tests.Hosting;

public sealed record Increment(int By) : IRequest<int>;

public sealed record Forget;

public sealed record Tick;

public sealed class Counter : Entity
{
    private int _count;

    protected internal override ValueTask ReceiveAsync(object message)
    {
        if (message is Increment increment) Context.Reply(_count += increment.By);
        else if (message is Tick) _count++;
        else _count = 0;
        return ValueTask.CompletedTask;
    }
}

/// <summary>The sample of the guide, on one node in this process.</summary>
public sealed class PublicApiTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("actorcluster-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task A_counter_is_registered_asked_and_told_in_a_few_lines()
    {
        using var host = Build();
        await host.StartAsync();
        var cluster = host.Services.GetRequiredService<IActorCluster>();
        await Waiting.Until(() => cluster.Mode == NodeMode.Serving, () => $"the node serves, it is {cluster.Mode}: {string.Join("; ", cluster.Status().JoinBlockedBy)}");

        var counter = cluster.Entity<Counter>("c-17");
        Assert.Equal(5, await counter.AskAsync(new Increment(5)));
        Assert.Equal(7, await counter.AskAsync(new Increment(2)));
        counter.Tell(new Forget());
        Assert.Equal(1, await counter.AskAsync(new Increment(1)));
        Assert.Equal(1, await cluster.Entity<Counter>("c-18").AskAsync(new Increment(1)));

        Assert.Throws<ArgumentException>(() => cluster.Entity<Counter>(""));
        Assert.Throws<ArgumentException>(() => cluster.Entity<Ledgerless>("x"));
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => counter.AskAsync(new Increment(1), cancelled.Token).AsTask());
        await host.StopAsync();
        Assert.Equal(FailureKind.EntityUnavailable, (await Assert.ThrowsAsync<EntityException>(() => counter.AskAsync(new Increment(1)).AsTask())).Failure.Kind);
    }

    [Fact]
    public async Task An_entity_in_memory_takes_no_command_ids_since_it_would_not_remember_them()
    {
        using var host = Build();
        await host.StartAsync();
        var cluster = host.Services.GetRequiredService<IActorCluster>();
        await Waiting.Until(() => cluster.Mode == NodeMode.Serving, () => $"the node serves, it is {cluster.Mode}");
        var counter = cluster.Entity<Counter>("c-1");
        var refused = await Assert.ThrowsAsync<ArgumentException>(() => counter.AskAsync(new Increment(5), new CommandId(new ClientId(1), 1)).AsTask());
        Assert.Contains("counter/c-1 is not journaled", refused.Message, StringComparison.Ordinal);
        Assert.Equal(1, await counter.AskAsync(new Increment(1)));
        Assert.Throws<InvalidOperationException>(() => default(EntityRef).Tell(new Forget()));
        await host.StopAsync();
    }

    [Fact]
    public async Task A_flood_of_awaited_tells_is_bounded_loses_none_and_lets_others_be_served()
    {
        using var host = Build();
        await host.StartAsync();
        var cluster = host.Services.GetRequiredService<IActorCluster>();
        await Waiting.Until(() => cluster.Mode == NodeMode.Serving, () => $"the node serves, it is {cluster.Mode}");
        const int Tells = 5_000_000;
        var flooded = cluster.Entity<Counter>("flooded");
        var flood = Task.Run(async () =>
        {
            for (var i = 0; i < Tells; i++) await flooded.TellAsync(new Tick());
        });
        await ServedBesideAsync(flood, cluster.Entity<Counter>("other"));
        Assert.Equal(Tells + 1, await flooded.AskAsync(new Increment(1)));
        await host.StopAsync();
    }

    [Fact]
    public async Task A_flood_to_another_node_is_bounded_loses_none_and_lets_others_be_served()
    {
        var database = new ModelDatabase(Guid.NewGuid());
        using var one = Build(Path.Combine(_data, "1"), () => new ModelStore(database), "camserver1");
        using var two = Build(Path.Combine(_data, "2"), () => new ModelStore(database), "camserver2");
        await one.StartAsync();
        await two.StartAsync();
        var cluster = one.Services.GetRequiredService<IActorCluster>();
        var there = two.Services.GetRequiredService<IActorCluster>();
        await Waiting.Until(() => OwnedBy(one, two).Any(), () => $"the second node owns counters; {cluster.Mode}, {there.Mode}");
        const int Tells = 5_000_000;
        var ids = OwnedBy(one, two).Take(2).ToList();
        var flooded = cluster.Entity<Counter>(ids[0]);
        var flood = Task.Run(async () =>
        {
            for (var i = 0; i < Tells; i++) await flooded.TellAsync(new Tick());
        });
        await ServedBesideAsync(flood, cluster.Entity<Counter>(ids[1]));
        Assert.Equal(Tells + 1, await flooded.AskAsync(new Increment(1)));
        await one.StopAsync();
        await two.StopAsync();
    }

    /// <summary>While the flood lasts, another entity answers within a second each time, and the heap stays within 256 MiB.</summary>
    private static async Task ServedBesideAsync(Task flood, EntityRef other)
    {
        var (others, worst, heap) = (0, TimeSpan.Zero, 0L);
        while (!flood.IsCompleted)
        {
            var asked = Stopwatch.GetTimestamp();
            await other.AskAsync(new Increment(1));
            worst = TimeSpan.FromTicks(Math.Max(worst.Ticks, Stopwatch.GetElapsedTime(asked).Ticks));
            heap = Math.Max(heap, GC.GetTotalMemory(forceFullCollection: false));
            others++;
        }
        await flood;
        Assert.True(others > 100, $"Only {others} asks to another entity were served beside the flood.");
        Assert.True(worst < TimeSpan.FromSeconds(1), $"An ask beside the flood took {worst}; at most 1 s.");
        Assert.True(heap < 256 << 20, $"The heap grew to {heap >> 20} MiB beside the flood; at most 256 MiB.");
    }

    private static IEnumerable<string> OwnedBy(IHost asking, IHost owner)
    {
        if (asking.Services.GetRequiredService<ClusterNode>().Life is not { } life || owner.Services.GetRequiredService<ClusterNode>().Life is not { } theirs) yield break;
        for (var i = 0; i < 1_000; i++)
            if (life.Regions.RouteOf(new EntityId("counter", $"c-{i}")).Owner == theirs.Self) yield return $"c-{i}";
    }

    private IHost Build() => Build(_data);

    /// <summary>A host with one node that has counters.</summary>
    internal static IHost Build(string data) => Build(data, () => new ModelStore(), "camserver1");

    private static IHost Build(string data, Func<ModelStore> store, string name)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddActorCluster(cluster => cluster
            .WithNode(name, link: "127.0.0.1:0", clients: $"http://{name}:8080", roles: ["backend"], zone: "hq")
            .WithHosts("camserver1", "camserver2")
            .WithStore((_, _) => store())
            .Configure(options =>
            {
                options.Data = data;
                options.Secret = "a secret of this test";
            })
            .WithPresence().WithChatRooms()
            .WithEntity<Counter>("counter", m =>
            {
                m.Add<Increment>("increment.v1");
                m.Add<Forget>("forget.v1");
                m.Add<Tick>("tick.v1");
            }));
        return builder.Build();
    }

    private sealed class Ledgerless : Entity
    {
        protected internal override ValueTask ReceiveAsync(object message) => ValueTask.CompletedTask;
    }
}
