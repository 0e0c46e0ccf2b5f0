using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace ActorCluster.Persistence;

/// <summary>CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the processor where it can.</summary>
internal static class Crc32C
{
    /// <summary>The check value of a snapshot: over its entity, sequence, schema and state, so that a row that was mixed up fails too.</summary>
    public static uint Of(EntitySnapshot snapshot)
    {
        Span<byte> seq = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(seq, snapshot.EntitySeq);
        var crc = Add(uint.MaxValue, Encoding.UTF8.GetBytes(snapshot.Entity));
        crc = Add(crc, seq);
        crc = Add(crc, Encoding.UTF8.GetBytes(snapshot.Schema));
        return ~Add(crc, snapshot.Payload.Span);
    }

    public static uint Of(ReadOnlySpan<byte> bytes) => ~Add(uint.MaxValue, bytes);

    private static uint Add(uint crc, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 8)
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }
        foreach (var b in bytes) crc = BitOperations.Crc32C(crc, b);
        return crc;
    }
}
