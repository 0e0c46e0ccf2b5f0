using System.Buffers;

namespace ActorCluster.Sharding;

/// <summary>A copy of bytes that came, until another thread has decoded them.</summary>
/// <remarks>Small ones are plain arrays: what one thread rents of a pool and another returns goes through its locks, which costs several times as much.</remarks>
internal readonly struct Held
{
    private const int PooledFrom = 1024;

    private readonly byte[]? _array;
    private readonly int _length;

    public Held(ReadOnlySpan<byte> bytes)
    {
        _length = bytes.Length;
        _array = _length < PooledFrom ? new byte[_length] : ArrayPool<byte>.Shared.Rent(_length);
        bytes.CopyTo(_array);
    }

    /// <summary>Nothing was copied, not even no bytes.</summary>
    public bool IsEmpty => _array is null;

    public ReadOnlySpan<byte> Bytes => _array.AsSpan(0, _length);

    /// <summary>They are not needed any more. Once.</summary>
    public void Return()
    {
        if (_length >= PooledFrom) ArrayPool<byte>.Shared.Return(_array!);
    }
}
