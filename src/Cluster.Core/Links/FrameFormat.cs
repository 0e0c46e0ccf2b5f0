using System.Buffers.Binary;

namespace ActorCluster.Links;

/// <summary>A frame on the wire: 4 bytes little-endian length of (type + payload), 1 byte type, payload.</summary>
internal static class FrameFormat
{
    public const int LengthBytes = 4;
    public const int HeaderBytes = LengthBytes + 1;

    /// <summary>Type of handshake frames; after the handshake it is a fault.</summary>
    public const byte HandshakeType = 0;

    /// <summary>Set in the type of a frame that belongs to the other channel than the connection that carries it.</summary>
    public const byte OtherChannelBit = 0x80;

    /// <summary>Largest type that users of the room may give; the smallest is 1.</summary>
    public const byte UserTypeMax = 0x7F;

    /// <summary>Writes the header of a frame whose payload has that many bytes.</summary>
    public static void WriteHeader(Span<byte> target, byte type, int payloadBytes)
    {
        BinaryPrimitives.WriteInt32LittleEndian(target, payloadBytes + 1);
        target[LengthBytes] = type;
    }

    /// <summary>Length of (type + payload) as it was sent. Unsigned, so that garbage is a large number and not a negative one.</summary>
    public static uint ReadLength(ReadOnlySpan<byte> source) => BinaryPrimitives.ReadUInt32LittleEndian(source);
}
