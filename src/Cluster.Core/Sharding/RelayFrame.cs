using ActorCluster.Primitives;

namespace ActorCluster.Sharding;

/// <summary>A frame on its way through a third node, as it lies in the frame that carries it (protocol 2.6).</summary>
internal readonly ref struct RelayFrame
{
    /// <summary>Most bytes around the content.</summary>
    public const int AroundContent = 64;

    public readonly Incarnation Origin;
    public readonly Incarnation Destination;
    public readonly FrameType Type;
    public readonly ReadOnlySpan<byte> Content;

    public RelayFrame(ReadOnlySpan<byte> frame)
    {
        for (var wire = new WireReader(frame); wire.TryNext(out var field);)
        {
            switch (field)
            {
                case 1: Origin = new Incarnation(wire.Int64()); break;
                case 2: Destination = new Incarnation(wire.Int64()); break;
                case 3: Type = (FrameType)wire.Int64(); break;
                case 4: Content = wire.Bytes(); break;
                default: wire.Skip(); break;
            }
        }
    }

    /// <summary>Never beats, which a broken edge must be missing, and nothing that ends a life.</summary>
    public static bool Carries(FrameType type) => type is FrameType.Hint or FrameType.ShardsMoved or FrameType.SentMayBeLost or >= FrameType.EntityMessage and <= FrameType.Fanout;

    /// <summary>Writes it; <paramref name="into"/> has room for the content and <see cref="AroundContent"/>.</summary>
    public static ReadOnlySpan<byte> Write(Span<byte> into, Incarnation origin, Incarnation destination, FrameType type, ReadOnlySpan<byte> content)
    {
        var wire = new WireWriter(into);
        wire.Int64(1, origin.Value);
        wire.Int64(2, destination.Value);
        wire.Int64(3, (long)type);
        wire.Bytes(4, content);
        return into[..wire.Length];
    }
}
