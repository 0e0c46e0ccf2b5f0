using System.Collections.Immutable;
using ActorCluster.Hosting;
using ActorCluster.Primitives;
using ActorCluster.Sharding;

namespace ActorCluster.Tests.Hosting;

public class AnnouncementTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1000, 1)]
    [InlineData(65_536, 66)]
    public void Any_number_of_moved_shards_is_told_in_order_in_frames_of_the_smallest_limit(int shards, int frames)
    {
        var moved = Enumerable.Range(1, shards).Select(i => new ShardRoute(new ShardNo(i), new Epoch(long.MaxValue), new Incarnation(long.MaxValue))).ToImmutableArray();
        var wire = NodeLife.ToWire(moved).ToList();
        Assert.Equal(frames, wire.Count);
        Assert.All(wire, w => Assert.True(w.CalculateSize() < 65_536, $"{w.Routes.Count} routes take {w.CalculateSize()} bytes."));
        Assert.Equal(moved.Select(m => m.Shard.Value), wire.SelectMany(w => w.Routes).Select(r => r.Shard));
    }
}
