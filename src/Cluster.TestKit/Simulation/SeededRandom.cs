namespace ActorCluster.TestKit.Simulation;

/// <summary>A stream of the simulator as the <see cref="Random"/> that users know; the same numbers on every runtime.</summary>
internal sealed class SeededRandom(ulong seed, string stream) : Random(0)
{
    private readonly SimRandom _stream = new(seed, stream);

    public override int Next() => Next(int.MaxValue);

    public override int Next(int maxValue) => Next(0, maxValue);

    public override int Next(int minValue, int maxValue) => (int)NextInt64(minValue, maxValue);

    public override long NextInt64() => NextInt64(0, long.MaxValue);

    public override long NextInt64(long maxValue) => NextInt64(0, maxValue);

    public override long NextInt64(long minValue, long maxValue)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minValue, maxValue);
        return minValue == maxValue ? minValue : minValue + (long)(_stream.Next() % (ulong)(maxValue - minValue));
    }

    public override double NextDouble() => _stream.Unit();

    public override float NextSingle() => (float)(_stream.Next() >> 40) / (1 << 24);

    public override void NextBytes(byte[] buffer) => NextBytes(buffer.AsSpan());

    public override void NextBytes(Span<byte> buffer)
    {
        for (var i = 0; i < buffer.Length; i++) buffer[i] = (byte)(_stream.Next() >> 56);
    }

    protected override double Sample() => _stream.Unit();
}
