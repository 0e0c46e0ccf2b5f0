using System.Buffers.Binary;
using System.Text;

namespace ActorCluster.Sharding;

/// <summary>Writes fields in the encoding of Protocol Buffers straight into a span: for the few frames that are sent by the hundred thousand a second.</summary>
/// <remarks>What is 0 or empty is left out, as proto3 has it. The span must be large enough; see <see cref="EntityFrames"/>.</remarks>
internal ref struct WireWriter(Span<byte> into)
{
    private readonly Span<byte> _into = into;

    public int Length { get; private set; }

    public void Int64(int field, long value)
    {
        if (value == 0) return;
        Varint((ulong)field << 3);
        Varint((ulong)value);
    }

    public void Fixed64(int field, ulong value)
    {
        if (value == 0) return;
        Varint(((ulong)field << 3) | 1);
        BinaryPrimitives.WriteUInt64LittleEndian(_into[Length..], value);
        Length += 8;
    }

    public void Bytes(int field, ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty) return;
        Varint(((ulong)field << 3) | 2);
        Varint((ulong)value.Length);
        value.CopyTo(_into[Length..]);
        Length += value.Length;
    }

    public void Text(int field, string value)
    {
        if (value.Length == 0) return;
        Varint(((ulong)field << 3) | 2);
        Varint((ulong)Encoding.UTF8.GetByteCount(value));
        Length += Encoding.UTF8.GetBytes(value, _into[Length..]);
    }

    private void Varint(ulong value)
    {
        while (value >= 0x80)
        {
            _into[Length++] = (byte)(value | 0x80);
            value >>= 7;
        }
        _into[Length++] = (byte)value;
    }
}

/// <summary>Reads what <see cref="WireWriter"/> or any other writer of Protocol Buffers wrote.</summary>
/// <remarks>Throws <see cref="InvalidDataException"/> where the bytes are no such thing.</remarks>
internal ref struct WireReader(ReadOnlySpan<byte> from)
{
    private ReadOnlySpan<byte> _rest = from;
    private int _wire;

    /// <summary>Goes to the next field; false at the end.</summary>
    public bool TryNext(out int field)
    {
        field = 0;
        if (_rest.IsEmpty) return false;
        var tag = Varint();
        (field, _wire) = ((int)(tag >> 3), (int)(tag & 7));
        return true;
    }

    public long Int64()
    {
        Require(0);
        return (long)Varint();
    }

    public ulong Fixed64()
    {
        Require(1);
        var value = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
        return value;
    }

    public ReadOnlySpan<byte> Bytes()
    {
        Require(2);
        var length = Varint();
        return length > (ulong)_rest.Length ? throw Torn() : Take((int)length);
    }

    /// <summary>Passes over a field of a newer release.</summary>
    public void Skip()
    {
        switch (_wire)
        {
            case 0: Varint(); break;
            case 1: Take(8); break;
            case 2: Bytes(); break;
            case 5: Take(4); break;
            default: throw new InvalidDataException($"A field has wire type {_wire}, which nothing that nodes send has.");
        }
    }

    private void Require(int wire)
    {
        if (_wire != wire) throw new InvalidDataException($"A field has wire type {_wire} instead of {wire}.");
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length) throw Torn();
        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }

    private ulong Varint()
    {
        var value = 0UL;
        for (var i = 0; i < 10 && i < _rest.Length; i++)
        {
            value |= (ulong)(_rest[i] & 0x7F) << (7 * i);
            if (_rest[i] >= 0x80) continue;
            _rest = _rest[(i + 1)..];
            return value;
        }
        throw Torn();
    }

    private static InvalidDataException Torn() => new("A frame ends within a field.");
}
