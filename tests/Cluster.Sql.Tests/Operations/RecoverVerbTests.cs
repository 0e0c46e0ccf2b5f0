using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Tests.Shared;

namespace ActorCluster.Sql.Tests.Operations;

public class RecoverVerbTests(PostgresServer server)
{
    [Fact]
    public async Task A_store_is_recovered_only_when_told_so_and_its_cluster_goes_on()
    {
        using var folder = new TempFolder();
        await using var sqlite = folder.Store();
        var nodes = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(folder.File())!, "nodes", "n1"));
        await File.WriteAllTextAsync(Path.Combine(nodes.FullName, "acked-20260102T030405Z-7.jsonl"), "");
        var schema = PostgresServer.NewSchema();
        await using var postgres = server.Store(schema);
        foreach (var (store, address) in new (IClusterStore, string)[] { (sqlite, $"sqlite:{folder.File()}"), (postgres, $"postgres:{server.ConnectionString};Search Path={schema}") })
        {
            var owner = await ClusterHistory.WriteAsync(store);
            var before = ClusterHistory.Ok(await store.ReadClusterAsync()).Cluster;
            var (asked, _, question) = await StoreVerbsTests.Run("recover", "--store", address);
            Assert.Equal(ExitCodes.Refused, asked);
            Assert.Contains("Nothing was changed; to do it, give --yes.", question, StringComparison.Ordinal);
            Assert.Equal(before, ClusterHistory.Ok(await store.ReadClusterAsync()).Cluster);

            var (code, said, error) = await StoreVerbsTests.Run("recover", "--yes", "--store", address);
            Assert.Equal((0, ""), (code, error));
            Assert.Contains("generation 1 to 2, view 2 to 3", said, StringComparison.Ordinal);
            Assert.Contains("1 members are down, 4 shards are free", said, StringComparison.Ordinal);
            Assert.Contains("acked-*.jsonl", said, StringComparison.Ordinal);
            Assert.Equal(store == sqlite, said.Contains(Path.Combine("nodes", "n1", "acked-20260102T030405Z-7.jsonl"), StringComparison.Ordinal));
            Assert.Equal(AppendOutcome.Unexpected, ClusterHistory.Ok(await owner.AppendAsync(owner.Batch(0, 6))));
            Assert.Contains("clean", (await StoreVerbsTests.Run("check", "--store", address)).Output, StringComparison.Ordinal);

            var next = await Owner.JoinAsync(store, "type1");
            Assert.Equal(AppendOutcome.Committed, ClusterHistory.Ok(await next.AppendAsync(next.Batch(0, 6))));
            Assert.Equal((1L << 32) + 3, next.Shards[0].Epoch.Value);
            Assert.Contains("clean", (await StoreVerbsTests.Run("check", "--store", address)).Output, StringComparison.Ordinal);

            Assert.Contains("give a larger one", (await StoreVerbsTests.Run("recover", "--yes", "--generation", "2", "--store", address)).Error, StringComparison.Ordinal);
            Assert.Contains("generation 2 to 5", (await StoreVerbsTests.Run("recover", "--yes", "--generation", "5", "--store", address)).Output, StringComparison.Ordinal);
        }
    }

    [Theory] // Whoever joins a recovered cluster waits for nobody, so the operator must.
    [InlineData(90, true)]
    [InlineData(0, false)]
    public async Task Where_members_may_go_on_without_the_store_it_says_for_how_long_and_what_to_stop(int seconds, bool warns)
    {
        using var folder = new TempFolder();
        await using (var store = folder.Store())
            ClusterHistory.Ok(await store.OpenAsync(new StoreSeed("digest", SharedSettings.Of(new ClusterOptions { Downing = new DowningOptions { Failsafe = TimeSpan.FromSeconds(seconds) } })), CancellationToken.None));
        var question = (await StoreVerbsTests.Run("recover", "--store", $"sqlite:{folder.File()}")).Error;
        Assert.Equal(warns, question.Contains("Cluster:Downing:Failsafe is 00:01:30: nodes that miss the store may go on", StringComparison.Ordinal));
        Assert.Equal(warns, question.Contains("Stop all nodes first; of a machine that you cannot reach, wait 00:01:30 since", StringComparison.Ordinal));
        Assert.Single(question.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        var (code, said, _) = await StoreVerbsTests.Run("recover", "--yes", "--store", $"sqlite:{folder.File()}");
        Assert.Equal(0, code);
        Assert.Equal(warns, said.Contains("Cluster:Downing:Failsafe is 00:01:30: nodes that miss the store may go on", StringComparison.Ordinal));
        Assert.Equal(warns, said.Contains("Stop those that do not join anew now.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Nothing_is_made_where_there_is_no_store()
    {
        using var folder = new TempFolder();
        Assert.Equal(ExitCodes.Refused, (await StoreVerbsTests.Run("recover", "--yes", "--store", $"sqlite:{folder.File()}")).Code);
        Assert.False(File.Exists(folder.File()));
    }
}
