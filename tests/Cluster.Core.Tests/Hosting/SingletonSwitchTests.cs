using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.Placement;
using ActorCluster.TestKit;
using ActorCluster.Tests.Entities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Tests.Hosting;

public sealed record WhereAreYou : IRequest<long>;

/// <summary>Says where it lives; how often it was activated is counted.</summary>
public sealed class Controller : Entity
{
    private static int s_activations;

    public static int Activations => Volatile.Read(ref s_activations);

    protected internal override ValueTask ActivateAsync()
    {
        Interlocked.Increment(ref s_activations);
        return ValueTask.CompletedTask;
    }

    protected internal override ValueTask ReceiveAsync(object message)
    {
        Context.Reply(Context.Node.Value);
        return ValueTask.CompletedTask;
    }
}

/// <summary>A singleton on two real nodes in this process.</summary>
public sealed class SingletonSwitchTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("actorcluster-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task It_is_active_without_a_message_and_a_user_moves_it_term_by_term()
    {
        var database = new ModelDatabase(Guid.NewGuid());
        using var first = Build(database, "camserver1");
        await first.StartAsync();
        var one = first.Services.GetRequiredService<IActorCluster>();
        await Waiting.Until(() => Of(one).Holder == "camserver1" && Controller.Activations >= 1, () => $"the singleton is active at its first host, {Of(one)}, {Controller.Activations} activations");
        using var second = Build(database, "camserver2");
        await second.StartAsync();
        var two = second.Services.GetRequiredService<IActorCluster>();
        await Waiting.Until(() => Of(two).Succession.Length == 2 && Of(two).Holder == "camserver1", () => $"both nodes may hold it, {Of(two)}, {two.Mode}: {string.Join("; ", two.Status().JoinBlockedBy)}");
        Assert.Equal(["camserver1", "camserver2"], Of(two).Succession);

        var term = Of(two).Term;
        Assert.Contains("no live member", (await two.SwitchAsync("controller", "camserver9", term)).Reason, StringComparison.Ordinal);
        Assert.Contains("is over", (await two.SwitchAsync("controller", "camserver2", term - 1)).Reason, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() => two.SwitchAsync("mixer", "camserver2", term));
        await Waiting.Until(() => two.SwitchAsync("controller", "camserver2", term).Result is { Done: true }, () => $"the switch is done, {Of(two)}");
        // A repeat finds what became of the first, once that node has read it; until then it may find that it has not heard the new host yet.
        SwitchResult again = new(false, 0, "");
        await Waiting.Until(() => (again = one.SwitchAsync("controller", "camserver2", term).Result) is { Done: true }, () => $"the other node finds it done, {again.Reason}");
        Assert.Equal(term + 1, again.Term);
        await Waiting.Until(() => Of(one).Holder == "camserver2", () => $"the other node knows, {Of(one)}");
        Assert.Equal(two.Status().Incarnation, await one.Singleton<Controller>().AskAsync(new WhereAreYou()));

        await second.StopAsync();
        await Waiting.Until(() => Of(one).Holder == "camserver1", () => $"it comes back when its host stops, {Of(one)}");
        await first.StopAsync();
    }

    private static SingletonStatus Of(IActorCluster cluster) => Assert.Single(cluster.Status().Singletons);

    private IHost Build(ModelDatabase database, string name)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddActorCluster(cluster => cluster
            .WithNode(name, link: "127.0.0.1:0", clients: $"http://{name}:8080")
            .WithStore((_, _) => new ModelStore(database))
            .Configure(options => (options.Data, options.Secret) = (_data, "a secret of this test"))
            .WithSingleton<Controller>("controller", m => m.Add<WhereAreYou>("where-are-you.v1"), new SingletonOptions { Mode = SingletonMode.Sticky, Hosts = ["camserver1", "camserver2"] }));
        return builder.Build();
    }
}
