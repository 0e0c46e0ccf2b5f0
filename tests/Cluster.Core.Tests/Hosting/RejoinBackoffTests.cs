using ActorCluster.Hosting;

namespace ActorCluster.Tests.Hosting;

public class RejoinBackoffTests
{
    [Fact]
    public void The_third_eviction_in_ten_minutes_waits_and_each_further_one_twice_as_long()
    {
        var backoff = new RejoinBackoff();
        var waits = Enumerable.Range(0, 8).Select(i => backoff.Next(TimeSpan.FromMinutes(i)).TotalSeconds);
        Assert.Equal([0.1, 0.1, 30, 60, 120, 240, 300, 300], waits);
    }

    [Fact]
    public void Evictions_of_long_ago_are_forgiven()
    {
        var backoff = new RejoinBackoff();
        for (var i = 0; i < 5; i++) backoff.Next(TimeSpan.FromMinutes(i));
        Assert.Equal(0.1, backoff.Next(TimeSpan.FromMinutes(30)).TotalSeconds);
    }
}
