using System.Buffers;
using ActorCluster.Entities;

namespace ActorCluster.TestKit.Simulation;

/// <summary>A user's journaled entity, hosted by what it decides, applies, encodes and saves.</summary>
internal sealed class SimUserEntity(IJournaledCore entity, MessageCatalog messages) : ISimCore
{
    public bool HasSnapshots => entity.SnapshotSchema is not null;

    public SimDecision Decide(object command)
    {
        var decision = entity.Decide(command);
        if (!decision.Timers.IsDefaultOrEmpty) throw new NotSupportedException($"{entity.GetType().Name} sets a durable timer for {command.GetType().Name}; the simulator hosts entities without, test this one in a {nameof(TestCluster)}.");
        return new SimDecision(decision.Event, Reply: decision.Reply);
    }

    public (string Kind, byte[] Payload) Encode(object happened) => entity.Encode(happened);

    public object Decode(string kind, ReadOnlySpan<byte> payload) => entity.Decode(kind, payload);

    public void Apply(object happened, long seq) => entity.Apply(happened, seq);

    public object? ReplyFor(object happened, long seq) => entity.ReplyFor(happened, seq);

    public byte[]? EncodeReply(object command, long seq, object? reply)
    {
        if (reply is null || TypeOf(messages, command).ReplyCodec is not { } codec) return null;
        var into = new ArrayBufferWriter<byte>();
        codec.Encode(reply, into);
        return into.WrittenSpan.ToArray();
    }

    public object? DecodeReply(object command, long seq, ReadOnlySpan<byte> kept) => TypeOf(messages, command).ReplyCodec?.Decode(kept);

    public (string Schema, byte[] State) Save() => (entity.SnapshotSchema!, entity.Save());

    public void Load(string schema, ReadOnlySpan<byte> state) => entity.Load(schema, state);

    /// <summary>The message as it comes out at another node: written and read by its codec.</summary>
    public static object Sent(MessageCatalog messages, object message)
    {
        var codec = TypeOf(messages, message).Codec;
        var into = new ArrayBufferWriter<byte>();
        codec.Encode(message, into);
        return codec.Decode(into.WrittenSpan);
    }

    private static MessageType TypeOf(MessageCatalog messages, object message) =>
        messages.Find(message.GetType()) ?? throw new InvalidOperationException($"{message.GetType().Name} is not registered; add it to the messages of the entity.");
}
