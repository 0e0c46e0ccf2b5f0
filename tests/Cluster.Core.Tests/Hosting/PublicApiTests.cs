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

    private IHost Build() => Build(_data);

    /// <summary>A host with one node that has counters.</summary>
    internal static IHost Build(string data) => Build(data, () => new ModelStore(), "camserver1");

    internal static IHost Build(string data, Func<ModelStore> store, string name, Action<ClusterOptions>? configure = null)
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
                configure?.Invoke(options);
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
