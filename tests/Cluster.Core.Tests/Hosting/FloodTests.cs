using System.Diagnostics;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit;
using ActorCluster.Tests.Entities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ActorCluster.Tests.Hosting;

/// <summary>Five million tells from one sender. Nothing runs beside them: tests that block threads would be what others wait for.</summary>
[Collection(nameof(AllocationTests))]
public sealed class FloodTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("actorcluster-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task A_flood_of_awaited_tells_is_bounded_loses_none_and_lets_others_be_served()
    {
        using var host = PublicApiTests.Build(_data);
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
        using var one = PublicApiTests.Build(Path.Combine(_data, "1"), () => new ModelStore(database), "camserver1");
        using var two = PublicApiTests.Build(Path.Combine(_data, "2"), () => new ModelStore(database), "camserver2");
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
        GC.Collect(); // What other tests have left behind is not the flood's.
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
}
