using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sql.Operations;
using ActorCluster.Tests.Shared;

namespace ActorCluster.Sql.Tests.Operations;

public class SettingsVerbTests(PostgresServer server)
{
    private static readonly ClusterOptions Shipped = new();

    [Fact]
    public async Task A_stopped_clusters_settings_are_shown_changed_and_versioned()
    {
        using var folder = new TempFolder();
        await using var sqlite = folder.Store();
        var schema = PostgresServer.NewSchema();
        await using var postgres = server.Store(schema);
        foreach (var (store, address) in new (IClusterStore, string)[] { (sqlite, $"sqlite:{folder.File()}"), (postgres, $"postgres:{server.ConnectionString};Search Path={schema}") })
        {
            var owner = await OpenAsync(store);
            await ClusterHistory.StopAsync(owner);
            var view = ClusterHistory.Ok(await store.ReadClusterAsync()).Cluster.View;
            var shown = (await RunAsync(address)).Output.Split('\n');
            Assert.Equal("version 1", shown[1]);
            Assert.Single(shown, line => line.StartsWith("Cluster:Downing:Strategy ", StringComparison.Ordinal) && line.EndsWith(" keep-majority", StringComparison.Ordinal));

            var (code, said, error) = await RunAsync(address, "set", "cluster:times:leasettl", "00:00:12", "Cluster:Times:ServeLimit", "00:00:10", "Cluster:Downing:Strategy", "keep-referee", "Cluster:Downing:Referee", $"n{owner.Inc.Value}");
            Assert.Equal((0, ""), (code, error));
            Assert.Matches("version 2", said);
            Assert.Matches(@"Cluster:Times:LeaseTtl +00:00:12 +changed", said);
            var stored = ClusterHistory.Ok(await store.ReadSettingsAsync());
            Assert.Equal((2L, "keep-referee", "00:00:10"), (stored.Version, stored.Values["Cluster:Downing:Strategy"], stored.Values["Cluster:Times:ServeLimit"]));
            var cluster = ClusterHistory.Ok(await store.ReadClusterAsync()).Cluster;
            var after = SharedSettings.Apply(Shipped, stored.Values, out _);
            Assert.Equal((view + 1, 2L, ClusterDigest.Of(after)), (cluster.View, cluster.SettingsVersion, cluster.ConfigDigest)); // A node of an earlier release still sees that its own differ.
            Assert.Contains("clean", (await StoreVerbsTests.Run("check", "--store", address)).Output, StringComparison.Ordinal);
            Assert.Contains("\"version\":2", (await RunAsync(address, "--json")).Output, StringComparison.Ordinal);
        }
    }

    [Theory] // The rules of a start, with the nodes that the store knows.
    [InlineData("Cluster:Times:ServeLimit 00:00:05", "Cluster:Times:ServeLimit is 00:00:05; give more than 2 × Renew + CallTimeout")]
    [InlineData("Cluster:Times:LeaseTtl 00:00:05", "with LeaseTtl 00:00:05 and StopBudget 00:00:01.4000000 give at most")]
    [InlineData("Cluster:Downing:Strategy static-quorum Cluster:Downing:QuorumSize 2", "Cluster:Downing:QuorumSize is 2, and the store knows 1 node; give 1.")]
    [InlineData("Cluster:Downing:Strategy keep-referee Cluster:Downing:Referee n9", "Cluster:Downing:Referee is 'n9'; give one of n1, which the store knows.")]
    [InlineData("Cluster:Downing:Referee n1", "Cluster:Downing:Referee is 'n1', and keep-majority does not use it; give Cluster:Downing:Strategy keep-referee")]
    [InlineData("Cluster:Times:Renew -00:00:05 Cluster:Times:ServeLimit 00:00:00", "Cluster:Times:Renew is -00:00:05; give 50 ms to 30 min as [days.]hours:minutes:seconds, for example 00:00:02.")]
    [InlineData("Cluster:Times:Renew 10675199.02:48:05", "Cluster:Times:Renew is 10675199.02:48:05; give 50 ms to 30 min")]
    [InlineData("Cluster:Downing:Role jury", "Cluster:Downing:Role is 'jury', which no node that the store knows has; give one of backend, or nothing.")]
    [InlineData("Cluster:Downing:Strategy keep-everybody", "Cluster:Downing:Strategy is 'keep-everybody'; give keep-majority,")]
    [InlineData("Cluster:Downing:Strategy own:zone-first Cluster:Downing:QuorumSize 1", "Cluster:Downing:QuorumSize is '1', and own:zone-first does not use it; give Cluster:Downing:Strategy static-quorum")]
    [InlineData("Cluster:Downing:Strict mostly", "Cluster:Downing:Strict is 'mostly'; give true or false.")]
    [InlineData("Cluster:Limits:Mailbox 5", "Cluster:Limits:Mailbox is no setting that clusters share")]
    [InlineData("Cluster:Downing:Strategy keep-majority", "that is what the cluster's settings (version 1) say already")]
    [InlineData("Cluster:Downing:Strategy", "give settings, or settings set KEY VALUE")]
    public async Task What_cannot_be_is_refused_with_the_mend_and_changes_nothing(string change, string fault)
    {
        using var folder = new TempFolder();
        await using var store = folder.Store();
        await ClusterHistory.StopAsync(await OpenAsync(store));
        var (code, output, error) = await RunAsync($"sqlite:{folder.File()}", ["set", .. change.Split(' ')]);
        Assert.Equal((ExitCodes.Refused, ""), (code, output));
        Assert.Contains(fault, error, StringComparison.Ordinal);
        Assert.Equal(1, ClusterHistory.Ok(await store.ReadSettingsAsync()).Version);
    }

    [Fact]
    public async Task A_node_that_renews_its_lease_is_no_stopped_cluster_and_one_that_does_not_goes_down_with_the_change()
    {
        using var folder = new TempFolder();
        await using var store = folder.Store();
        var owner = await OpenAsync(store);
        var change = new SettingsChange(1, SharedSettings.Of(Shipped), "other");
        var times = new ProtocolTimes { LeaseTtl = TimeSpan.FromSeconds(1) };
        using var done = new CancellationTokenSource();
        var renewing = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                await store.RenewAsync(owner.Inc);
                await Task.Delay(20);
            }
        });
        Assert.Contains("it has renewed its lease. Stop all nodes", (await Assert.ThrowsAsync<StoreUnusableException>(() => new SettingsWrite(store, times).RunAsync(change, CancellationToken.None))).Message, StringComparison.Ordinal);
        await done.CancelAsync();
        await renewing;
        await new SettingsWrite(store, times).RunAsync(change, CancellationToken.None);
        Assert.Equal(2, ClusterHistory.Ok(await store.ReadSettingsAsync()).Version);
        Assert.Equal(MemberStatus.Down, ClusterHistory.Ok(await store.ReadClusterAsync()).Find(owner.Inc)!.Status);
        Assert.Equal(AppendOutcome.Unexpected, ClusterHistory.Ok(await owner.AppendAsync(owner.Batch(0, 1))));
    }

    [Fact]
    public async Task A_store_of_an_earlier_release_is_brought_on_by_a_node()
    {
        using var folder = new TempFolder();
        await using var store = folder.Store();
        await store.OpenAsync(new StoreSeed("digest"), CancellationToken.None);
        Assert.Contains("start one node of this release", (await RunAsync($"sqlite:{folder.File()}")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_only_looks_changes_nothing_and_an_older_schema_is_left_to_the_nodes()
    {
        using var folder = new TempFolder();
        await using (var store = folder.Store()) await OpenAsync(store);
        var before = await File.ReadAllBytesAsync(folder.File());
        Assert.Equal(0, (await RunAsync($"sqlite:{folder.File()}")).Code);
        Assert.Equal(before, await File.ReadAllBytesAsync(folder.File()));
        using (var session = SqliteSession.Open(folder.File())) session.Execute($"PRAGMA user_version={SqliteSchema.Version - 1}");
        before = await File.ReadAllBytesAsync(folder.File());
        foreach (var words in new string[][] { [], ["set", "Cluster:Downing:Strategy", "down-all"] })
        {
            var (code, _, error) = await RunAsync($"sqlite:{folder.File()}", words);
            Assert.Equal(ExitCodes.Refused, code);
            Assert.Contains("Start a node of this release on it once", error, StringComparison.Ordinal);
            Assert.Equal(before, await File.ReadAllBytesAsync(folder.File()));
        }

        var schema = PostgresServer.NewSchema();
        await using var postgres = server.Store(schema);
        await OpenAsync(postgres);
        server.Execute($"UPDATE \"{schema}\".schema_version SET version=version-1");
        Assert.Contains("Start a node of this release", (await RunAsync($"postgres:{server.ConnectionString};Search Path={schema}")).Error, StringComparison.Ordinal);
        Assert.Equal(PostgresSchema.Version - 1L, server.Execute($"SELECT version FROM \"{schema}\".schema_version"));
    }

    private static async Task<Owner> OpenAsync(IClusterStore store)
    {
        ClusterHistory.Ok(await store.OpenAsync(new StoreSeed(ClusterDigest.Of(Shipped), SharedSettings.Of(Shipped)), CancellationToken.None));
        ClusterHistory.Ok(await store.RegisterTypeAsync("type1", 4));
        return await Owner.JoinAsync(store, "type1", row => row with { Roles = ["backend"] });
    }

    private static Task<(int Code, string Output, string Error)> RunAsync(string address, params string[] words) => StoreVerbsTests.Run(["settings", .. words, "--store", address]);
}
