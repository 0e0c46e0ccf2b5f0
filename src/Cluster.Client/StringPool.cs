using System.Text.Json;

namespace ActorCluster.Client;

/// <summary>Gives one string object for names that come again and again: users, rooms, nodes. Never grows; a collision only costs a copy.</summary>
internal static class StringPool
{
    private const int Slots = 4096;
    private const int LengthMax = 128;
    private static readonly string?[] Pool = new string?[Slots];

    public static string Get(ref Utf8JsonReader reader)
    {
        if (reader.ValueSpan.Length > LengthMax) return reader.GetString()!;
        Span<char> chars = stackalloc char[LengthMax];
        return Get(chars[..reader.CopyString(chars)]);
    }

    private static string Get(ReadOnlySpan<char> chars)
    {
        if (chars.IsEmpty) return "";
        ref var slot = ref Pool[(uint)string.GetHashCode(chars) % Slots];
        var known = Volatile.Read(ref slot); // Two threads may both write: either string is right.
        if (known is not null && chars.SequenceEqual(known)) return known;
        var made = new string(chars);
        Volatile.Write(ref slot, made);
        return made;
    }
}
