namespace ActorCluster.Links;

/// <summary>Received bytes of one connection, cut into frames in place.</summary>
/// <remarks>Not thread-safe: the connection's reader owns it. Spans it gave out die with the next <see cref="Free"/>.</remarks>
internal sealed class FrameBuffer(int frameBytesMax)
{
    private const int FirstBytes = 64 * 1024;
    private const int ReadBytesMin = 4 * 1024;

    private byte[] _bytes = new byte[Math.Min(FirstBytes, frameBytesMax + FrameFormat.LengthBytes)];
    private int _start;
    private int _end;

    /// <summary>Length that no frame may have, once one came; nothing after it can be read.</summary>
    public uint? BadLength { get; private set; }

    /// <summary>Room for the next receive: at least what completes the frame that has begun.</summary>
    public Span<byte> Free()
    {
        if (_start == _end) _start = _end = 0;
        var wanted = Math.Max(FrameBytesBegun(), _end - _start + 1);
        if (_bytes.Length - _start < wanted || (_start > 0 && _bytes.Length - _end < ReadBytesMin)) MakeRoom(wanted);
        return _bytes.AsSpan(_end);
    }

    /// <summary>That many bytes were received into <see cref="Free"/>.</summary>
    public void Filled(int count) => _end += count;

    /// <summary>The next whole frame, left in place; false when it is incomplete or <see cref="BadLength"/> was found.</summary>
    public bool TryPeek(out byte type, out ReadOnlySpan<byte> payload)
    {
        type = 0;
        payload = default;
        if (BadLength is not null || _end - _start < FrameFormat.LengthBytes) return false;
        var length = FrameFormat.ReadLength(_bytes.AsSpan(_start));
        if (length == 0 || length > (uint)frameBytesMax)
        {
            BadLength = length;
            return false;
        }
        if (_end - _start - FrameFormat.LengthBytes < (int)length) return false;
        type = _bytes[_start + FrameFormat.LengthBytes];
        payload = _bytes.AsSpan(_start + FrameFormat.HeaderBytes, (int)length - 1);
        return true;
    }

    /// <summary>Goes on to the frame after the one that <see cref="TryPeek"/> showed.</summary>
    public void Skip() => _start += FrameFormat.LengthBytes + (int)FrameFormat.ReadLength(_bytes.AsSpan(_start));

    private int FrameBytesBegun()
    {
        if (_end - _start < FrameFormat.LengthBytes) return FrameFormat.LengthBytes;
        var length = FrameFormat.ReadLength(_bytes.AsSpan(_start));
        return length > (uint)frameBytesMax ? FrameFormat.LengthBytes : FrameFormat.LengthBytes + (int)length;
    }

    private void MakeRoom(int wanted)
    {
        var held = _bytes.AsSpan(_start, _end - _start);
        var target = _bytes;
        if (wanted > _bytes.Length) target = new byte[Math.Min(Math.Max(wanted, 2 * _bytes.Length), frameBytesMax + FrameFormat.LengthBytes)];
        held.CopyTo(target);
        (_bytes, _start, _end) = (target, 0, held.Length);
    }
}
