using ActorCluster.Primitives;

namespace ActorCluster.Tests.Primitives;

public class EntityIdTests
{
    [Theory]
    [InlineData("a")]
    [InlineData("\ud83d\ude42")]
    public void A_valid_id_passes(string id) => new EntityId("room", id).Check();

    [Fact]
    public void The_bound_counts_bytes_and_not_characters()
    {
        new EntityId("room", new string('x', 255)).Check();
        new EntityId("room", new string('ü', 127)).Check();
        Assert.Contains("256 UTF-8 bytes", Assert.Throws<ArgumentException>(() => new EntityId("room", new string('ü', 128)).Check()).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new EntityId("room", "").Check());
    }

    [Fact]
    public void Half_of_a_pair_is_refused()
    {
        const char high = (char)0xd83d, low = (char)0xde42;
        Assert.All([$"{high}", $"a{low}", $"{low}{high}"], id => Assert.Throws<ArgumentException>(() => new EntityId("room", id).Check()));
    }

    [Theory]
    [InlineData(126)]
    [InlineData(127)]
    [InlineData(128)]
    public void A_pair_that_lies_across_the_hashs_blocks_is_hashed_as_one(int before)
    {
        // FNV-1a and the finaliser over the bytes in one piece.
        var key = new string('x', before) + "\ud83d\ude42" + "tail";
        var hash = 14695981039346656037UL;
        foreach (var b in System.Text.Encoding.UTF8.GetBytes("room\0" + key)) hash = (hash ^ b) * 1099511628211UL;
        hash ^= hash >> 33;
        hash *= 0xff51afd7ed558ccdUL;
        hash ^= hash >> 33;
        hash *= 0xc4ceb9fe1a85ec53UL;
        Assert.Equal(hash ^ (hash >> 33), StableHash.Of("room", key));
    }
}
