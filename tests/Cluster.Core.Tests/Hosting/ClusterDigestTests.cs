using ActorCluster.Hosting;

namespace ActorCluster.Tests.Hosting;

public class ClusterDigestTests
{
    [Fact] // A cluster made by an earlier release has this digest; with another one its nodes could not be replaced one by one.
    public void What_ships_by_default_has_the_digest_of_earlier_releases() => Assert.Equal("425524f7b181308a", ClusterDigest.Of(new ClusterOptions()));

    [Fact]
    public void Every_key_of_the_strategy_changes_it()
    {
        Action<DowningOptions>[] changes =
        [
            _ => { }, d => d.Strategy = "lease-majority", d => d.Minority = "stop", d => d.Unstable = "down-all", d => d.Role = "server", d => d.QuorumSize = 2,
            d => d.DownIfAlone = false, d => d.Referee = "n1", d => d.RefereeVoters = 2, d => d.Witnesses = "store", d => d.WitnessQuorum = 2, d => d.BrokenEdges = "relay", d => d.Strict = true, d => d.Failsafe = TimeSpan.FromSeconds(30),
        ];
        var digests = changes.Select(change =>
        {
            var options = new ClusterOptions();
            change(options.Downing);
            return ClusterDigest.Of(options);
        }).ToList();
        Assert.Equal(digests.Count, digests.Distinct().Count());
        Assert.Equal(typeof(DowningOptions).GetProperties().Length, changes.Length - 1); // A new key belongs here and into the digest.
    }
}
