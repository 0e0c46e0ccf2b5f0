using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit;
using ActorCluster.Tests.Entities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ActorCluster.Tests.Hosting;

/// <summary>The first node's settings are the cluster's; a later node goes by them, or says why it cannot.</summary>
public sealed class SettingsAtJoinTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("actorcluster-").FullName;
    private readonly ModelDatabase _database = new(Guid.NewGuid());

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task A_later_node_goes_by_the_clusters_settings_and_shows_where_its_own_differ()
    {
        using var first = Node("n1", o => o.Downing.Strategy = "lease-majority");
        using var second = Node("n2", o => (o.Downing.Minority, o.Times) = ("stop", new ProtocolTimes { LeaseTtl = TimeSpan.FromSeconds(20) }));
        foreach (var host in new[] { first, second })
        {
            await host.StartAsync();
            var cluster = host.Services.GetRequiredService<IActorCluster>();
            await Waiting.Until(() => cluster.Mode == NodeMode.Serving, () => $"the node serves, it is {cluster.Mode}: {cluster.Status().LastEnd} {string.Join("; ", cluster.Status().JoinBlockedBy)}");
        }
        Assert.Empty(StatusOf(first).Settings.Differences);
        var settings = StatusOf(second).Settings;
        Assert.Equal(1, settings.Version);
        Assert.Equal(
            [new("Cluster:Downing:Minority", "stop", "late"), new("Cluster:Downing:Strategy", "keep-majority", "lease-majority"), new SettingDifferenceLine("Cluster:Times:LeaseTtl", "00:00:20", "00:00:08")],
            settings.Differences.OrderBy(d => d.Key, StringComparer.Ordinal));
        await second.StopAsync();
        await first.StopAsync();
    }

    [Theory]
    [InlineData("Cluster:Downing:Jury", "12", "Cluster:Downing:Jury is no setting that clusters share")]
    [InlineData("Cluster:Times:ServeLimit", "00:00:05.6000000", "Cluster:Times:ServeLimit is 00:00:05.6000000; give more than 2 × Renew + CallTimeout (00:00:05.7000000)")]
    [InlineData("Cluster:Times:LeaseTtl", "00:00:12", "Cluster:Node:FrozenMax is 00:00:10; give Cluster:Times:LeaseTtl (00:00:12) to 30 days")]
    public async Task A_node_that_cannot_obey_does_not_join(string key, string value, string why)
    {
        var settings = SharedSettings.Of(new ClusterOptions()).SetItem(key, value);
        _database.Open(new StoreSeed("another", settings));
        await RefusesAsync(o => (o.Times, o.Node.FrozenMax) = (new ProtocolTimes { CallTimeout = TimeSpan.FromSeconds(1.7) }, TimeSpan.FromSeconds(10)), "The cluster's settings (version 1) cannot be obeyed here", why);
    }

    [Fact]
    public async Task A_store_of_an_earlier_release_takes_the_settings_of_the_digest_that_it_has()
    {
        _database.Open(new StoreSeed(ClusterDigest.Of(new ClusterOptions())));
        await RefusesAsync(o => o.Downing.Strategy = "down-all", "left of its shared settings only a digest", "Cluster:Downing:Strategy");
        using var node = Node("n1", _ => { });
        await node.StartAsync();
        await Waiting.Until(() => StatusOf(node).Mode == "serving", () => $"the node serves: {StatusOf(node).LastEnd}");
        Assert.Equal(SharedSettings.Of(new ClusterOptions()), _database.ReadSettings().Value!.Values);
        await node.StopAsync();
    }

    [Fact]
    public async Task Settings_that_changed_while_a_node_slept_are_those_of_its_next_life()
    {
        using var node = Node("n1", _ => { });
        await node.StartAsync();
        await Waiting.Until(() => StatusOf(node).Mode == "serving", () => $"the node serves: {StatusOf(node).LastEnd}");
        var changed = new ClusterOptions { Downing = new DowningOptions { Strategy = "keep-oldest" } };
        await using (var store = new ModelStore(_database))
        {
            var seen = (await store.ReadClusterAsync()).Value!;
            Assert.Equal(StoreVerdict.Ok, (await store.ChangeViewAsync(new ViewChange
            {
                OpId = Guid.NewGuid(),
                By = default,
                BasedOn = seen.Cluster.View,
                Members = [.. seen.Members.Where(m => m.IsLive).Select(m => new MemberChange.Down(m.Inc, "it slept"))],
                Settings = new SettingsChange(1, SharedSettings.Of(changed), ClusterDigest.Of(changed)),
                Reason = "test",
            })).Verdict);
        }
        await Waiting.Until(() => StatusOf(node) is { Mode: "serving", Settings.Version: 2 }, () => $"the node joins anew: {StatusOf(node).LastEnd}");
        Assert.Contains("settings are at version 2", StatusOf(node).LastEnd, StringComparison.Ordinal);
        Assert.Equal(new SettingDifferenceLine("Cluster:Downing:Strategy", "keep-majority", "keep-oldest"), Assert.Single(StatusOf(node).Settings.Differences));
        await node.StopAsync();
    }

    private async Task RefusesAsync(Action<ClusterOptions> configure, params string[] words)
    {
        using var node = Node("refused", configure);
        var before = Environment.ExitCode;
        await node.StartAsync();
        await Waiting.Until(() => StatusOf(node).LastEnd is not null, () => "the node refuses");
        foreach (var word in words) Assert.Contains(word, StatusOf(node).LastEnd, StringComparison.Ordinal);
        Assert.Empty(_database.Members);
        await node.StopAsync();
        Environment.ExitCode = before; // It is the tests' own.
    }

    private static ClusterStatus StatusOf(IHost host) => host.Services.GetRequiredService<IActorCluster>().Status();

    private IHost Node(string name, Action<ClusterOptions> configure) => PublicApiTests.Build(Path.Combine(_data, name), () => new ModelStore(_database), name, configure);
}
