using System.Buffers;
using Google.Protobuf;

namespace ActorCluster.Entities;

/// <summary>A codec of Protocol Buffers: from a message to its wire form and back.</summary>
internal sealed class WireCodec<T>(Func<T, IMessage> toWire, Func<ReadOnlyMemory<byte>, T> fromWire) : IMessageCodec
    where T : notnull
{
    public void Encode(object message, IBufferWriter<byte> into) => toWire((T)message).WriteTo(into);

    public object Decode(ReadOnlySpan<byte> bytes) => fromWire(bytes.ToArray());
}
