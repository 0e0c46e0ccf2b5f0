using ActorCluster.Primitives;

namespace ActorCluster.Tests.Placement;

public class StableHashTests
{
    [Theory] // Computed by an independent implementation; a change of any of them moves every room of every cluster.
    [InlineData("room", "", 0xc4d1603681aebba9)]
    [InlineData("room", "room-1", 0x7b822c1ed9947952)]
    [InlineData("room", "room-2", 0x99f04c1caf6025d6)]
    [InlineData("a", "ü", 0xc425eac757e32397)]
    [InlineData("room", "🙂", 0x6234dd55f9c94153)]
    public void The_same_bytes_give_the_same_number_for_ever(string type, string key, ulong expected) => Assert.Equal(expected, StableHash.Of(type, key));

    [Fact]
    public void Neighbouring_keys_spread_over_the_shards() =>
        Assert.True(Enumerable.Range(1, 100).Select(i => StableHash.ShardOf(new EntityId("room", $"room-{i}"), 256)).Distinct().Count() > 70);

    [Fact]
    public void A_long_key_is_hashed_to_its_end() =>
        Assert.NotEqual(StableHash.Of("room", new string('x', 500) + "a"), StableHash.Of("room", new string('x', 500) + "b"));
}
