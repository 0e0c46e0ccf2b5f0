using System.Buffers;
using ActorCluster.Entities;
using Google.Protobuf;

namespace ActorCluster.Sharding;

/// <summary>A message to an entity of another node, from its outbox to its answer.</summary>
internal sealed class OutgoingMessage(Envelope envelope, MessageType type, Action<OutgoingMessage> forget) : IOutgoing, IReplySink
{
    private int _answered;
    private ByteString? _payload;

    public Envelope Envelope { get; } = envelope;

    public MessageType Type { get; } = type;

    /// <summary>Finds the message when its reply comes; 0 for a tell.</summary>
    public long Correlation { get; init; }

    public TimeSpan PostedAt { get; init; }

    public bool IsRepeatable => Envelope.Command is not null || Envelope.Message is IReadRequest;

    public int Size => Payload.Length + 64;

    public bool AwaitsReply => Envelope.Sink is not null && Volatile.Read(ref _answered) == 0 && Envelope.Sink is not IAbandonable { IsAbandoned: true };

    /// <summary>Encoded once, before it is posted: a message that stays in the process never is.</summary>
    public ByteString Payload => _payload ??= Encode();

    public void Fail(Undelivered why)
    {
        var entity = Envelope.Target.StoreKey;
        Fail(why switch
        {
            Undelivered.Busy => EntityFailure.Busy(entity),
            Undelivered.Expired => EntityFailure.Unreachable(entity),
            _ => EntityFailure.Lost(entity),
        });
    }

    public void Fail(EntityFailure failure)
    {
        if (Interlocked.Exchange(ref _answered, 1) != 0) return;
        forget(this);
        Envelope.Sink?.Fail(failure);
    }

    public void Reply(object reply)
    {
        if (Interlocked.Exchange(ref _answered, 1) != 0) return;
        forget(this);
        Envelope.Sink?.Reply(reply);
    }

    /// <summary>The same message for an entity of this node, which answers by way of this one.</summary>
    public Envelope HandOver() =>
        new(Envelope.Target, Envelope.Message, Envelope.Sink is null ? null : this) { Command = Envelope.Command, After = Envelope.After };

    private ByteString Encode()
    {
        var buffer = new ArrayBufferWriter<byte>(128);
        Type.Codec.Encode(Envelope.Message, buffer);
        return ByteString.CopyFrom(buffer.WrittenSpan);
    }
}

/// <summary>A sink whose owner may stop waiting.</summary>
internal interface IAbandonable
{
    bool IsAbandoned { get; }
}
