using ActorCluster.Entities;
using ActorCluster.Primitives;

namespace ActorCluster.Sharding;

/// <summary>The two hot frames between nodes, as <c>sharding.proto</c> has them, without an object for each.</summary>
internal static class EntityFrames
{
    /// <summary>Most bytes that a message's address and numbers take: an id of 255 and a name of 64 characters, ten numbers.</summary>
    public const int AroundPayload = 1024;

    [ThreadStatic]
    private static byte[]? _buffer;

    /// <summary>This thread's buffer with room for a payload; valid until the thread writes its next frame.</summary>
    public static Span<byte> Buffer(int payloadBytes)
    {
        var wanted = payloadBytes + AroundPayload;
        if (_buffer is not null && _buffer.Length >= wanted) return _buffer;
        return wanted > 64 * 1024 ? new byte[wanted] : _buffer = new byte[Math.Max(wanted, 4 * 1024)]; // A large one is rare and not kept.
    }

    /// <summary>Writes an EntityMessage; <paramref name="message"/> is null for a number whose message was given up.</summary>
    public static ReadOnlySpan<byte> Write(ShardNo shard, Epoch epoch, long number, OutgoingMessage? message)
    {
        var into = Buffer(message?.Payload.Length ?? 0);
        var wire = new WireWriter(into);
        wire.Int64(1, shard.Value);
        wire.Int64(2, epoch.Value);
        wire.Int64(3, number);
        if (message is null) return into[..wire.Length];
        wire.Int64(4, message.Correlation);
        wire.Text(5, message.Target.Id);
        wire.Text(6, message.Type.Name);
        wire.Bytes(7, message.Payload);
        if (message.Order is { Command: var id, After: var after })
        {
            wire.Fixed64(8, (ulong)(id.Client.Value >> 64));
            wire.Fixed64(9, (ulong)id.Client.Value);
            wire.Int64(10, id.Sequence);
            wire.Int64(11, after + 1);
        }
        return into[..wire.Length];
    }

    /// <summary>Writes an EntityReply with a payload.</summary>
    public static ReadOnlySpan<byte> WriteReply(long correlation, ReadOnlySpan<byte> payload)
    {
        var into = Buffer(payload.Length);
        var wire = new WireWriter(into);
        wire.Int64(1, correlation);
        wire.Bytes(2, payload);
        return into[..wire.Length];
    }
}

/// <summary>An EntityMessage as it lies in the frame.</summary>
internal readonly ref struct EntityMessageFrame
{
    public readonly ShardNo Shard;
    public readonly Epoch Epoch;
    public readonly long Number;
    public readonly long Correlation;
    public readonly ReadOnlySpan<byte> Entity;
    public readonly ReadOnlySpan<byte> Name;
    public readonly ReadOnlySpan<byte> Payload;
    public readonly CommandId? Command;
    public readonly long After;

    public EntityMessageFrame(ReadOnlySpan<byte> frame)
    {
        ulong high = 0, low = 0;
        var sequence = 0L;
        After = Envelope.Unordered;
        for (var wire = new WireReader(frame); wire.TryNext(out var field);)
        {
            switch (field)
            {
                case 1: Shard = new ShardNo(wire.Int64()); break;
                case 2: Epoch = new Epoch(wire.Int64()); break;
                case 3: Number = wire.Int64(); break;
                case 4: Correlation = wire.Int64(); break;
                case 5: Entity = wire.Bytes(); break;
                case 6: Name = wire.Bytes(); break;
                case 7: Payload = wire.Bytes(); break;
                case 8: high = wire.Fixed64(); break;
                case 9: low = wire.Fixed64(); break;
                case 10: sequence = wire.Int64(); break;
                case 11: After = wire.Int64() - 1; break;
                default: wire.Skip(); break;
            }
        }
        if (sequence != 0) Command = new CommandId(new ClientId(new UInt128(high, low)), sequence);
    }
}

/// <summary>An EntityReply as it lies in the frame.</summary>
internal readonly ref struct EntityReplyFrame
{
    public readonly long Correlation;
    public readonly ReadOnlySpan<byte> Payload;
    public readonly EntityFailure? Failure;

    public EntityReplyFrame(ReadOnlySpan<byte> frame)
    {
        var (kind, text, noEffect) = (0L, "", false);
        for (var wire = new WireReader(frame); wire.TryNext(out var field);)
        {
            switch (field)
            {
                case 1: Correlation = wire.Int64(); break;
                case 2: Payload = wire.Bytes(); break;
                case 3: kind = wire.Int64(); break;
                case 4: text = System.Text.Encoding.UTF8.GetString(wire.Bytes()); break;
                case 5: noEffect = wire.Int64() != 0; break;
                default: wire.Skip(); break;
            }
        }
        if (kind != 0) Failure = new EntityFailure((FailureKind)(kind - 1), text, noEffect);
    }
}
