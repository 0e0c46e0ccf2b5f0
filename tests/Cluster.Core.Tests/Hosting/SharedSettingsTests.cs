using System.Collections.Immutable;
using ActorCluster.Hosting;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Hosting;

public class SharedSettingsTests
{
    private static readonly ClusterOptions Changed = new()
    {
        Downing = new DowningOptions { Strategy = "keep-referee", Witnesses = "store, tcp://router:53", WitnessQuorum = 2, Strict = true, Role = "voter" },
        Times = new ProtocolTimes { LeaseTtl = TimeSpan.FromSeconds(12), ServeLimit = TimeSpan.FromSeconds(10.25), Renew = TimeSpan.FromSeconds(3), PollCalm = TimeSpan.FromSeconds(5) },
        Node = { Name = "n1" },
    };

    [Fact]
    public void Every_key_of_the_resolver_and_the_four_times_of_the_lease_are_shared() => Assert.Equal(
        typeof(DowningOptions).GetProperties().Select(p => $"Cluster:Downing:{p.Name}").Concat(["Cluster:Times:LeaseTtl", "Cluster:Times:Renew", "Cluster:Times:ServeLimit", "Cluster:Times:StopBudget"]).Order(StringComparer.OrdinalIgnoreCase),
        SharedSettings.Keys);

    [Fact]
    public void What_is_stored_and_applied_elsewhere_is_the_same_and_leaves_what_is_not_shared()
    {
        var own = new ClusterOptions { Node = { Name = "n2" }, Times = new ProtocolTimes { Heartbeat = TimeSpan.FromMilliseconds(100) }, Downing = new DowningOptions { Referee = "n9" } };
        var applied = SharedSettings.Apply(own, SharedSettings.Of(Changed), out var faults);
        Assert.Empty(faults);
        Assert.Equal(SharedSettings.Of(Changed), SharedSettings.Of(applied));
        Assert.Equal(ClusterDigest.Of(Changed), ClusterDigest.Of(applied));
        Assert.Equal(("n2", 100, 1), (applied.Node.Name, applied.Times.Heartbeat.TotalMilliseconds, applied.Times.PollCalm.TotalSeconds));
        Assert.Equal(("n9", 8), (own.Downing.Referee, own.Times.LeaseTtl.TotalSeconds)); // Not changed itself.
    }

    [Fact]
    public void A_difference_names_the_key_and_both_values()
    {
        Assert.Empty(SharedSettings.Differences(Changed, Changed));
        Assert.Equal(
            [new("Cluster:Downing:Role", "", "voter"), new("Cluster:Downing:Strategy", "keep-majority", "keep-referee"), new("Cluster:Downing:Strict", "false", "true"),
                new("Cluster:Downing:WitnessQuorum", "1", "2"), new("Cluster:Downing:Witnesses", "", "store, tcp://router:53"),
                new("Cluster:Times:LeaseTtl", "00:00:08", "00:00:12"), new("Cluster:Times:Renew", "00:00:02", "00:00:03"), new SettingDifference("Cluster:Times:ServeLimit", "00:00:06.5000000", "00:00:10.2500000")],
            SharedSettings.Differences(new ClusterOptions(), Changed).OrderBy(d => d.Key, StringComparer.Ordinal));
    }

    [Fact]
    public void A_key_that_an_earlier_release_did_not_store_is_as_it_ships_not_as_this_node_has_it()
    {
        var stored = SharedSettings.Of(new ClusterOptions()).Remove("Cluster:Downing:Strict").Remove("Cluster:Times:Renew");
        var applied = SharedSettings.Apply(Changed, stored, out var faults);
        Assert.Empty(faults);
        Assert.Equal((false, 2), (applied.Downing.Strict, applied.Times.Renew.TotalSeconds));
    }

    [Fact]
    public void What_a_later_release_stored_cannot_be_obeyed()
    {
        SharedSettings.Apply(new ClusterOptions(), SharedSettings.Of(Changed).Add("Cluster:Downing:Jury", "12").SetItem("Cluster:Downing:Strict", "mostly"), out var faults);
        Assert.Equal(2, faults.Length);
        Assert.Contains(faults, f => f.StartsWith("Cluster:Downing:Jury is no setting that clusters share", StringComparison.Ordinal));
        Assert.Contains("Cluster:Downing:Strict is 'mostly'; give true or false.", faults);
    }

    [Theory]
    [InlineData("Cluster:Times:ServeLimit", "00:00:05", "give more than 2 × Renew + CallTimeout")]
    [InlineData("Cluster:Times:LeaseTtl", "00:00:05", "give at most")]
    [InlineData("Cluster:Downing:Strategy", "static-quorum", "Cluster:Downing:QuorumSize is 0")]
    [InlineData("Cluster:Downing:Referee", "http://x", null)] // Of no strategy that is chosen.
    public void The_rules_of_a_start_judge_them(string key, string value, string? fault)
    {
        var applied = SharedSettings.Apply(new ClusterOptions(), ImmutableDictionary<string, string>.Empty.Add(key, value), out _);
        var faults = string.Join(' ', SharedSettings.Faults(applied, []));
        if (fault is null) Assert.Equal("", faults);
        else Assert.Contains(fault, faults, StringComparison.Ordinal);
    }
}
