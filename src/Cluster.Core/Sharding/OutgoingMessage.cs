using System.Buffers;
using ActorCluster.Entities;
using ActorCluster.Primitives;

namespace ActorCluster.Sharding;

/// <summary>A message to an entity of another node, from its outbox to its answer.</summary>
/// <remarks>Holds by itself whatever it is sent from: once it is answered, the envelope may be another message's.</remarks>
internal sealed class OutgoingMessage : Outgoing, IReplySink, IThreadPoolWorkItem
{
    private readonly IReplySink? _sink;
    private readonly object _message;
    private readonly Action<OutgoingMessage> _forget;
    private int _answered;
    private byte[]? _payload;
    private Held _reply;

    public OutgoingMessage(Envelope envelope, EntityType entityType, MessageType type, Action<OutgoingMessage> forget)
    {
        (_sink, _message, Target, Order) = (envelope.Sink, envelope.Message, envelope.Target, envelope.Order);
        (Type, _forget) = (type, forget);
        IsRepeatable = _message is IReadRequest || (Order is not null && entityType.RemembersCommands);
    }

    /// <summary>A tell.</summary>
    public OutgoingMessage(EntityId target, object message, MessageType type, Action<OutgoingMessage> forget)
    {
        (_message, Target, Type, _forget) = (message, target, type, forget);
        IsRepeatable = _message is IReadRequest;
    }

    public EntityId Target { get; }

    public CommandOrder? Order { get; }

    public MessageType Type { get; }

    /// <summary>Finds the message when its reply comes; 0 for a tell.</summary>
    public long Correlation { get; init; }

    public override bool IsRepeatable { get; }

    public override int Size => Payload.Length + 64;

    public override bool AwaitsReply => _sink is not null && Volatile.Read(ref _answered) == 0 && _sink is not IAbandonable { IsAbandoned: true };

    /// <summary>Encoded once, before it is posted: a message that stays in the process never is.</summary>
    public byte[] Payload => _payload ??= Encode();

    public override void Fail(Undelivered why)
    {
        var entity = Target.StoreKey;
        Fail(why switch
        {
            Undelivered.Busy => EntityFailure.Busy(entity),
            Undelivered.Expired => EntityFailure.Unreachable(entity),
            _ => EntityFailure.Lost(entity),
        });
    }

    public void Fail(EntityFailure failure)
    {
        if (!TryAnswer()) return;
        _sink?.Fail(failure);
    }

    public void Reply(object reply)
    {
        if (!TryAnswer()) return;
        _sink?.Reply(reply);
    }

    /// <summary>The reply as it came, on a reader thread. A user's ask is decoded and resumed as a turn; what the engine itself asks is answered at once, so that it stays in order with what comes next.</summary>
    public void Replied(ReadOnlySpan<byte> reply)
    {
        if (!TryAnswer()) return;
        if (_sink is not Ask)
        {
            object decoded;
            try { decoded = Type.ReplyCodec!.Decode(reply); }
            catch (Exception cause)
            {
                _sink!.Fail(Unreadable(cause));
                return;
            }
            _sink!.Reply(decoded);
            return;
        }
        _reply = new Held(reply);
        TurnQueue.Add(this);
    }

    void IThreadPoolWorkItem.Execute()
    {
        var ask = (Ask)_sink!;
        object decoded;
        try { decoded = Type.ReplyCodec!.Decode(_reply.Bytes); }
        catch (Exception cause)
        {
            ask.Fail(Unreadable(cause));
            return;
        }
        _reply.Return();
        ask.ReplyAndResume(decoded);
    }

    /// <summary>The same message for an entity of this node, which answers by way of this one.</summary>
    public Envelope HandOver() => new(Target, _message, _sink is null ? null : this) { Command = Order?.Command, After = Order?.After ?? Envelope.Unordered };

    private EntityFailure Unreadable(Exception cause) => EntityFailure.Faulted($"Reading the reply of {Target.StoreKey} to {Type.Name}", cause, noEffect: false);

    private bool TryAnswer()
    {
        if (Interlocked.Exchange(ref _answered, 1) != 0) return false;
        _forget(this);
        return true;
    }

    private byte[] Encode()
    {
        var buffer = EncodeBuffer.Lend();
        Type.Codec.Encode(_message, buffer);
        var payload = buffer.WrittenSpan.ToArray();
        EncodeBuffer.Return(buffer);
        return payload;
    }
}

/// <summary>What codecs write into: one for each thread, used again. Lent, since what a codec runs may encode another message meanwhile.</summary>
internal static class EncodeBuffer
{
    private const int KeptBytesMax = 64 * 1024;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _own;

    /// <summary>An empty one. Where it is not given back, because the codec failed, the next one is new.</summary>
    public static ArrayBufferWriter<byte> Lend()
    {
        var lent = _own ?? new ArrayBufferWriter<byte>(256);
        _own = null;
        return lent;
    }

    /// <summary>Its content is not needed any more.</summary>
    public static void Return(ArrayBufferWriter<byte> buffer)
    {
        if (buffer.Capacity > KeptBytesMax) return;
        buffer.ResetWrittenCount();
        _own = buffer;
    }
}
