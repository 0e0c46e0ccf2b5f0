using System.Runtime.InteropServices;

namespace ActorCluster.Demo.Histories;

/// <summary>What a row of a room is, as far as the checker distinguishes.</summary>
internal enum RowKind : byte
{
    Unknown,
    Created,
    Joined,
    Left,
    Message,
}

/// <summary>One number for what a member sees of a row, so that millions of deliveries fit in memory.</summary>
internal static class RowHash
{
    private const ulong Prime = 0x9E3779B97F4A7C15UL;

    /// <summary>64 bits over kind and user, and a message's text; never 0, which stands for "nothing seen".</summary>
    /// <remarks>Only this process compares it. Two different rows share it once in 2^64 pairs: no run is long enough to meet one.</remarks>
    public static ulong Of(RowKind kind, ReadOnlySpan<char> user, ReadOnlySpan<char> text)
    {
        var hash = Add(Add((ulong)kind + 1, user), kind == RowKind.Message ? text : []);
        return hash == 0 ? 1 : hash;
    }

    private static ulong Add(ulong hash, ReadOnlySpan<char> text)
    {
        hash = Mix(hash ^ (ulong)text.Length);
        foreach (var four in MemoryMarshal.Cast<char, ulong>(text)) hash = Mix(hash ^ four);
        foreach (var rest in text[(text.Length & ~3)..]) hash = Mix(hash ^ rest);
        return hash;
    }

    private static ulong Mix(ulong hash)
    {
        var high = Math.BigMul(hash ^ Prime, Prime, out var low);
        return high ^ low;
    }
}
