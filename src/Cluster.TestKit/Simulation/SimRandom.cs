using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>One stream of choices. Each concern draws on its own, so that removing a fault does not reshuffle the rest of a run.</summary>
/// <remarks>SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every runtime. Not thread-safe.</remarks>
internal sealed class SimRandom(ulong seed, string stream)
{
    private ulong _state = seed * 0x9E3779B97F4A7C15UL ^ StableHash.Of("simulation", stream);

    public ulong Next()
    {
        var z = _state += 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    /// <summary>A number in [0, <paramref name="limit"/>).</summary>
    public int Below(int limit) => (int)(Next() % (ulong)limit);

    /// <summary>A number in [0, 1).</summary>
    public double Unit() => (Next() >> 11) * (1.0 / (1UL << 53));

    public bool Chance(double probability) => Unit() < probability;

    /// <summary>A time between two others.</summary>
    public TimeSpan Between(TimeSpan low, TimeSpan high) => low + ((high - low) * Unit());

    /// <summary>A time between two others, evenly on a logarithmic scale: short ones are as likely as long ones.</summary>
    public TimeSpan Spread(TimeSpan low, TimeSpan high) => low * Math.Pow(high / low, Unit());

    /// <summary>An exponentially distributed time.</summary>
    public TimeSpan Exponential(TimeSpan mean) => mean * -Math.Log(1 - Unit());

    public T Pick<T>(IReadOnlyList<T> choices) => choices[Below(choices.Count)];

    /// <summary>An id that this stream decides.</summary>
    public Guid Id()
    {
        Span<byte> bytes = stackalloc byte[16];
        BitConverter.TryWriteBytes(bytes, Next());
        BitConverter.TryWriteBytes(bytes[8..], Next());
        return new Guid(bytes);
    }
}
