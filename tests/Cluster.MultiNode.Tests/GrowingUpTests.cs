using ActorCluster.MultiNode.Tests.Nodes;
using ActorCluster.Persistence;
using ActorCluster.Sql;
using ActorCluster.Sql.Operations;
using ActorCluster.Tests.Shared;

namespace ActorCluster.MultiNode.Tests;

/// <summary>A chat that begins on one machine's file, moves to PostgreSQL, and there meets a store that has forgotten a commit.</summary>
[Collection(nameof(NodeProcesses))]
public sealed class GrowingUpTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(40);

    [Fact]
    public async Task A_chat_moves_to_postgres_with_all_its_messages_and_lives_through_a_recovery()
    {
        using var server = new PostgresServer();
        var target = new PostgresStoreOptions { ConnectionString = server.ConnectionString };
        await using var cluster = new SampleCluster(2);
        await cluster.StartAsync();
        await using var before = await Talk.BeginAsync(cluster, 4);
        await before.GoesOnAsync("on SQLite", Limit, 20);
        await before.EndAsync();

        var refused = await Assert.ThrowsAsync<StoreUnusableException>(() => Move());
        Assert.Contains("A cluster runs on", refused.Message, StringComparison.Ordinal);
        Assert.Equal("", await cluster.StopAsync());
        var moved = await Move();
        output.WriteLine($"moved {moved.Single(t => t.Table == "journal").Rows} journal rows");

        cluster.Nodes.Clear();
        foreach (var name in new[] { "node1", "node2" })
            cluster.Nodes.Add(cluster.Add(name, "--Cluster:Store:Sqlite", "", "--Cluster:Store:Postgres", server.ConnectionString));
        await cluster.StartAsync();
        await using var after = await Talk.BeginAsync(cluster, 4);
        await after.GoesOnAsync("on PostgreSQL", Limit, 20);
        await cluster.SpreadAsync(Limit);

        server.Execute("DELETE FROM actorcluster.view_log WHERE view=(SELECT view FROM actorcluster.cluster); UPDATE actorcluster.cluster SET view=view-1");
        foreach (var node in cluster.Nodes) await Await.UntilAsync($"{node.Name} stands still", Limit, () => StandsStillAsync(node), node.DescribeAsync);
        // Everybody was talking a moment ago.
        Assert.NotEmpty(Directory.EnumerateFiles(cluster.Folder.Path, "acked-*.jsonl", SearchOption.AllDirectories));
        await using (var store = new PostgresStore(target))
        {
            Assert.True((await store.OpenAsync(new StoreSeed(""), default)).IsOk);
            Assert.Equal(2, (await store.RecoverAsync(Guid.NewGuid(), 0, "recovered by the operator")).Value!.StoreGeneration);
        }
        foreach (var node in cluster.Nodes) await Await.UntilAsync($"{node.Name} has joined anew", Limit, async () => await node.IsReadyAsync() && await node.IncarnationAsync() > 1L << 32, node.DescribeAsync);
        await after.GoesOnAsync("after the recovery", Limit, 5);

        await after.EndAsync();
        Assert.Equal("", await cluster.StopAsync());
        var journal = cluster.Folder.At("journal.db");
        await PostgresTests.CopyJournalAsync(server, journal);
        Assert.Equal("", before.Judge(journal));
        Assert.Equal("", after.Judge(journal));
        await using var checkedStore = await new StoreAddress.Postgres(target).ReadAsync(default);
        Assert.Empty(await StoreChecks.RunAsync(checkedStore));

        Task<System.Collections.Immutable.ImmutableArray<MovedTable>> Move() => new StoreMove(cluster.Store, target, StoreMove.LeaseWatch).RunAsync(_ => Task.CompletedTask, default);
    }

    private static async Task<bool> StandsStillAsync(SampleNode node) =>
        await node.StatusAsync() is { } status && status.GetProperty("mode").GetString() == "frozen"
        && status.GetProperty("storeFault").GetString() is { } fault && fault.StartsWith("StoreRegressed", StringComparison.Ordinal) && !await node.IsReadyAsync();
}
