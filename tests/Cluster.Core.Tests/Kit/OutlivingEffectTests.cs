using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.TestKit;

namespace ActorCluster.Tests.Kit;

public sealed record Hold : IRequest<bool>;

/// <summary>Never gives an effect back.</summary>
public sealed class Holder : Entity
{
    protected internal override ValueTask ReceiveAsync(object message)
    {
        Context.Reply(Context.TryBeginEffect(TimeSpan.FromMilliseconds(100), out _));
        return ValueTask.CompletedTask;
    }
}

public class OutlivingEffectTests
{
    [Fact]
    public async Task A_node_whose_effect_outlives_its_eviction_ends_instead_of_beginning_anew()
    {
        await using var cluster = await TestCluster.StartAsync(2, node => node.WithSingleton<Holder>("holder", m => m.Add<Hold>("hold.v1"), new SingletonOptions { Hosts = ["node2", "node1"] }));
        await cluster.UntilSettled();
        await cluster.Until("node2 holds the effect", async () =>
        {
            var status = cluster["node2"].Status().Singletons[0];
            if (status.Holder != "node2")
            {
                await cluster["node2"].SwitchAsync("holder", "node2", status.Term);
                return false;
            }
            return await cluster["node2"].Singleton<Holder>().AskAsync(new Hold());
        });
        cluster.Cut(cluster["node1"], cluster["node2"]); // Both reach the store: the younger one is evicted.
        await cluster.Until("node2 has ended for good", () => cluster["node2"].Status().LastEnd?.Contains("An effect still runs 5 s after it was cancelled", StringComparison.Ordinal) == true, TimeSpan.FromSeconds(30));
    }
}
