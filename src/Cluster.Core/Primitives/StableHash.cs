using System.Text;

namespace ActorCluster.Primitives;

/// <summary>The hash that nodes must agree on: the same bytes give the same number on every node, in every release.</summary>
/// <remarks>FNV-1a, 64 bit (draft-eastlake-fnv), then the finaliser of MurmurHash3 (fmix64): without it the high bits hardly
/// change with the last character, and "room-1" to "room-9" would share a shard. Its version is <see cref="Version"/>;
/// a node with another version may not join.</remarks>
public static class StableHash
{
    /// <summary>Version of the algorithm, compared at join.</summary>
    public const int Version = 1;

    /// <summary>Hash of a type and a key: FNV-1a over the UTF-8 bytes of type, 0x00, key, then the finaliser.</summary>
    public static ulong Of(ReadOnlySpan<char> type, ReadOnlySpan<char> key) => Finish(Fnv(OfType(type), key));

    /// <summary>The part of the hash that is the same for all keys of a type.</summary>
    internal static ulong OfType(ReadOnlySpan<char> type) => (Fnv(14695981039346656037UL, type) ^ 0) * 1099511628211UL;

    /// <summary>As <see cref="ShardOf(EntityId, int)"/>, for one who has the type's part.</summary>
    internal static int ShardOf(ulong ofType, ReadOnlySpan<char> key, int shardCount) => (int)(Finish(Fnv(ofType, key)) % (ulong)shardCount);

    /// <summary>Returns the shard of an entity among its type's hashed shards.</summary>
    /// <param name="entity">The entity's address.</param>
    /// <param name="shardCount">Shards of the type, 1 to 65,536. Changing it moves almost every entity.</param>
    /// <returns>A number in [0, <paramref name="shardCount"/>).</returns>
    public static int ShardOf(EntityId entity, int shardCount) => (int)(Of(entity.Type, entity.Id) % (ulong)shardCount);

    /// <summary>Hash of two numbers; for one seed no two numbers have the same.</summary>
    internal static ulong Of(long seed, long number) => Finish(Finish((ulong)seed) ^ (ulong)number);

    private static ulong Fnv(ulong hash, ReadOnlySpan<char> text)
    {
        // Nearly all are ASCII, whose bytes are its characters.
        var at = 0;
        for (; at < text.Length && text[at] < 0x80; at++) hash = (hash ^ text[at]) * 1099511628211UL;
        return at == text.Length ? hash : FnvUtf8(hash, text[at..]);
    }

    private static ulong FnvUtf8(ulong hash, ReadOnlySpan<char> text)
    {
        Span<byte> buffer = stackalloc byte[384];
        while (!text.IsEmpty)
        {
            // 128 UTF-16 units never need more than 384 bytes; a surrogate pair is never cut in two.
            var take = Math.Min(text.Length, 128);
            if (take < text.Length && char.IsHighSurrogate(text[take - 1])) take--;
            var count = Encoding.UTF8.GetBytes(text[..take], buffer);
            foreach (var b in buffer[..count]) hash = (hash ^ b) * 1099511628211UL;
            text = text[take..];
        }
        return hash;
    }

    private static ulong Finish(ulong hash)
    {
        hash ^= hash >> 33;
        hash *= 0xff51afd7ed558ccdUL;
        hash ^= hash >> 33;
        hash *= 0xc4ceb9fe1a85ec53UL;
        return hash ^ (hash >> 33);
    }
}
