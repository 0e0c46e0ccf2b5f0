using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.TestKit;

namespace ActorCluster.Tests.Hosting;

/// <summary>Individually placed entities on real nodes (protocol 5).</summary>
public class PlacedEntityTests
{
    private const int Calls = 30;

    [Fact]
    public async Task Each_gets_a_shard_of_its_own_where_there_is_least_and_survives_the_kill_and_the_stop_of_its_node()
    {
        await using var cluster = await StartAsync();
        Assert.All(await AskAllAsync(cluster, cluster.Nodes[0]), count => Assert.Equal(1, count));
        Assert.All(await AskAllAsync(cluster, cluster.Nodes[1]), count => Assert.Equal(2, count)); // The same ones, found by another node.
        Assert.Equal(Calls, Rows(cluster).Count);
        Assert.All(Rows(cluster).GroupBy(r => r.Owner), owner => Assert.InRange(owner.Count(), (Calls / 3) - 4, (Calls / 3) + 4));

        await cluster.KillAsync(cluster.Nodes[2]);
        await cluster.Until("all are reached without the dead node", async () => (await AskAllAsync(cluster, cluster.Nodes[0])).Length == Calls);
        await cluster.StopAsync(cluster.Nodes[1]);
        await cluster.Until("all are at the last node", async () => (await AskAllAsync(cluster, cluster.Nodes[0])).Length == Calls && Rows(cluster).Select(r => r.Owner).Distinct().Count() == 1);
        Assert.Equal(Calls, Rows(cluster).Count);
    }

    [Fact]
    public async Task One_that_has_ended_is_refused_everywhere_and_for_good()
    {
        await using var cluster = await StartAsync();
        Assert.Equal(1, await cluster.Nodes[0].Entity<Call>("a").AskAsync(new Ring()));
        Assert.Equal(2, await cluster.Nodes[1].Entity<Call>("a").AskAsync(new Ring()));
        Assert.Equal(-1, await cluster.Nodes[1].Entity<Call>("a").AskAsync(new HangUp()));
        foreach (var node in cluster.Nodes.Concat(cluster.Nodes))
        {
            FailureKind? kind = null;
            await cluster.Until("it is refused", async () => (kind = await FailureOfAsync(node, "a")) is FailureKind.EntityEnded);
            Assert.Equal(FailureKind.EntityEnded, kind);
        }
        Assert.Equal(ShardState.Ended, Assert.Single(Rows(cluster)).State);
        Assert.Equal(1, await cluster.Nodes[2].Entity<Call>("b").AskAsync(new Ring()));
    }

    [Fact]
    public async Task Only_an_individually_placed_entity_can_end()
    {
        await using var cluster = await StartAsync();
        var failure = await Assert.ThrowsAsync<EntityException>(async () => await cluster.Nodes[0].Entity<Room>("a").AskAsync(new HangUp()));
        Assert.Contains("WithPlacedEntity", failure.Message, StringComparison.Ordinal);
    }

    private static Task<TestCluster> StartAsync() => TestCluster.StartAsync(3, node => node.WithPlacedEntity<Call>("call", Call.Register).WithEntity<Room>("room", Call.Register, shards: 4));

    private static List<ShardRow> Rows(TestCluster cluster)
    {
        return [.. cluster.Database.Copy().Shards.Where(r => r.Type == "call")];
    }

    private static async Task<int[]> AskAllAsync(TestCluster cluster, TestNode node)
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, Calls).Select(async i =>
        {
            try { return await node.Entity<Call>($"call-{i}").AskAsync(new Ring()); }
            catch (EntityException) { return 0; }
        }));
        return [.. answers.Where(a => a > 0)];
    }

    private static async Task<FailureKind?> FailureOfAsync(TestNode node, string id)
    {
        try
        {
            await node.Entity<Call>(id).AskAsync(new Ring());
            return null;
        }
        catch (EntityException failed)
        {
            return failed.Failure.Kind;
        }
    }

    public sealed record Ring : IRequest<int>;

    public sealed record HangUp : IRequest<int>;

    public class Call : Entity
    {
        private int _rings;

        protected internal override ValueTask ReceiveAsync(object message)
        {
            if (message is HangUp) Context.End();
            Context.Reply(message is HangUp ? -1 : ++_rings);
            return ValueTask.CompletedTask;
        }

        public static void Register(MessageCatalog messages) => messages.Add<Ring>("ring.v1").Add<HangUp>("hang-up.v1");
    }

    public sealed class Room : Call;
}
