using System.Buffers;
using System.Collections.Concurrent;
using ActorCluster.Entities;
using ActorCluster.Primitives;
using ActorCluster.Sharding.Wire;
using Google.Protobuf;

namespace ActorCluster.Sharding;

/// <summary>The node's links as regions see them.</summary>
internal interface INodeLinks
{
    /// <summary>Sends on the data channel; false when nothing was kept.</summary>
    bool Send(Incarnation peer, FrameType type, IMessage message);

    /// <summary>Most bytes of a message's content in one frame.</summary>
    int PayloadBytesMax { get; }

    /// <summary>The owner of some shard is unknown: read the rows again.</summary>
    void RouteWanted();
}

/// <summary>Frame types between nodes; a number is never used for anything else again.</summary>
internal enum FrameType : byte
{
    Beat = 1,
    Hint = 2,
    ShardsMoved = 3,
    EntityMessage = 16,
    EntityReply = 17,
    StreamsTaken = 18,
    StreamRefused = 19,
    Fanout = 20,
}

/// <summary>What the regions of two nodes say to each other.</summary>
internal sealed partial class RegionDriver
{
    /// <summary>Some 20 bytes each: far below the smallest limit of a frame.</summary>
    private const int StreamsPerFrame = 1000;

    /// <summary>Takes a frame of the data channel. Whatever is wrong with it hurts only its sender.</summary>
    public void Received(Incarnation from, FrameType type, ReadOnlySpan<byte> payload)
    {
        switch (type)
        {
            case FrameType.EntityMessage:
                Arrived(from, EntityMessage.Parser.ParseFrom(payload));
                break;
            case FrameType.EntityReply:
                Answered(EntityReply.Parser.ParseFrom(payload));
                break;
            case FrameType.StreamsTaken:
                foreach (var stream in StreamsTaken.Parser.ParseFrom(payload).Streams)
                {
                    if (!_slots.TryGetValue(new ShardNo(stream.Shard), out var slot)) continue;
                    lock (slot.Lock) slot.Outbox.Taken(new Epoch(stream.Epoch), stream.UpTo);
                }
                break;
            case FrameType.StreamRefused:
                var refused = StreamRefused.Parser.ParseFrom(payload);
                if (!_slots.TryGetValue(new ShardNo(refused.Shard), out var of)) break;
                lock (of.Lock) of.Outbox.Refused(new Epoch(refused.Epoch), refused.From, new Epoch(refused.KnownEpoch), MonotonicClock.Now);
                break;
            case FrameType.Fanout:
                var fanout = Fanout.Parser.ParseFrom(payload);
                if (_listeners.TryGetValue(fanout.Topic, out var listener))
                    listener.Received(from, fanout.Key, new Epoch(fanout.Epoch), listener.Codec.Decode(fanout.Payload.Span));
                break;
            default:
                break; // A newer node's frame; it learns by the missing answer.
        }
    }

    /// <summary>All frames of one receive are in: say what became of the streams that they touched. What the link does not take is said again later.</summary>
    public void ReceiveEnded(Incarnation from)
    {
        if (!_touched.TryGetValue(from, out var touched) || touched.IsEmpty) return;
        foreach (var some in touched.Keys.Chunk(StreamsPerFrame))
        {
            var taken = new StreamsTaken();
            foreach (var slot in some)
            {
                touched.TryRemove(slot, out _);
                lock (slot.Lock)
                {
                    if (!TellRefusal(from, slot)) touched.TryAdd(slot, 0);
                    var (epoch, upTo) = slot.Inbox.Taken(from, slot.No);
                    if (upTo > 0) taken.Streams.Add(new StreamsTaken.Types.Stream { Shard = slot.No.Value, Epoch = epoch.Value, UpTo = upTo });
                }
            }
            if (taken.Streams.Count == 0 || _links.Send(from, FrameType.StreamsTaken, taken)) continue;
            foreach (var slot in some) touched.TryAdd(slot, 0);
        }
    }

    /// <summary>Under the shard's lock, so that it cannot be overtaken by news of what comes again; false when the link did not take it.</summary>
    private bool TellRefusal(Incarnation from, Slot slot)
    {
        if (slot.Inbox.OwedRefusal(from, slot.No) is not { } refusal) return true;
        var known = Math.Max(slot.Outbox.Epoch.Value, slot.Serving?.Epoch.Value ?? 0);
        if (!_links.Send(from, FrameType.StreamRefused, new StreamRefused { Shard = slot.No.Value, Epoch = refusal.Epoch.Value, From = refusal.From, KnownEpoch = known })) return false;
        slot.Inbox.Refused(from, slot.No);
        return true;
    }

    public void Send(Incarnation node, string topic, string key, Epoch epoch, object message)
    {
        var listener = _listeners[topic];
        if (node == _self)
        {
            listener.Received(node, key, epoch, message);
            return;
        }
        var buffer = new ArrayBufferWriter<byte>(256);
        listener.Codec.Encode(message, buffer);
        _links.Send(node, FrameType.Fanout, new Fanout { Topic = topic, Key = key, Epoch = epoch.Value, Payload = UnsafeByteOperations.UnsafeWrap(buffer.WrittenMemory) });
    }

    private void Arrived(Incarnation from, EntityMessage message)
    {
        var (no, epoch) = (new ShardNo(message.Shard), new Epoch(message.Epoch));
        if (!_slots.TryGetValue(no, out var slot))
        {
            _links.Send(from, FrameType.StreamRefused, new StreamRefused { Shard = message.Shard, Epoch = message.Epoch, From = message.Number });
            return;
        }
        lock (slot.Lock)
        {
            var local = slot.Local;
            var verdict = slot.Inbox.Arrived(from, no, epoch, message.Number, local is { IsOpen: true } && local.Epoch == epoch);
            if (verdict != StreamVerdict.Ignore) _touched.GetOrAdd(from, static _ => new ConcurrentDictionary<Slot, byte>()).TryAdd(slot, 0);
            if (verdict == StreamVerdict.Take) Deliver(from, slot, local!, message);
        }
    }

    private void Deliver(Incarnation from, Slot slot, LocalShard local, EntityMessage message)
    {
        if (message.Entity.Length == 0) return; // A place in the stream whose message was given up.
        var target = new EntityId(slot.Type.Name, message.Entity);
        var type = slot.Type.Messages.Find(message.Name);
        var sink = message.Correlation == 0 ? null : new RemoteSink(this, from, message.Correlation, target, type);
        if (type is null)
        {
            sink?.Fail(EntityFailure.Unknown(target.StoreKey, message.Name));
            return;
        }
        object content;
        try { content = type.Codec.Decode(message.Payload.Span); }
        catch (Exception cause)
        {
            sink?.Fail(EntityFailure.Unknown(target.StoreKey, $"{message.Name} ({cause.Message})"));
            return;
        }
        CommandId? command = message.ClientSequence == 0 ? null : new CommandId(new ClientId(new UInt128(message.ClientHigh, message.ClientLow)), message.ClientSequence);
        if (local.TryDeliver(new Envelope(target, content, sink) { Command = command, After = message.After })) return;
        if (sink is null) Interlocked.Increment(ref _tellsDropped);
        else sink.Fail(EntityFailure.Unreachable(target.StoreKey)); // Lost to another owner in this moment.
    }

    private void Answered(EntityReply reply)
    {
        if (!_awaiting.TryGetValue(reply.Correlation, out var message)) return; // Answered already, or given up.
        if (reply.Failure != 0)
        {
            message.Fail(new EntityFailure((FailureKind)(reply.Failure - 1), reply.FailureMessage, reply.NoEffect));
            return;
        }
        try { message.Reply(message.Type.ReplyCodec!.Decode(reply.Payload.Span)); }
        catch (Exception cause) { message.Fail(EntityFailure.Faulted($"Reading the reply of {message.Envelope.Target.StoreKey} to {message.Type.Name}", cause, noEffect: false)); }
    }

    private bool SendTo(Incarnation owner, ShardNo shard, Epoch epoch, long number, OutgoingMessage? message)
    {
        var wire = new EntityMessage { Shard = shard.Value, Epoch = epoch.Value, Number = number };
        if (message is not null)
        {
            wire.Correlation = message.Correlation;
            wire.Entity = message.Envelope.Target.Id;
            wire.Name = message.Type.Name;
            wire.Payload = message.Payload;
            wire.After = message.Envelope.After;
            if (message.Envelope.Command is { } id)
                (wire.ClientHigh, wire.ClientLow, wire.ClientSequence) = ((ulong)(id.Client.Value >> 64), (ulong)id.Client.Value, id.Sequence);
        }
        return _links.Send(owner, FrameType.EntityMessage, wire);
    }

    /// <summary>Answers a message of another node. A reply that the link does not take is lost; its sender times out or asks again.</summary>
    private sealed class RemoteSink(RegionDriver region, Incarnation to, long correlation, EntityId target, MessageType? type) : IReplySink
    {
        private int _answered;

        public void Reply(object reply)
        {
            if (Interlocked.Exchange(ref _answered, 1) != 0) return;
            if (type?.ReplyCodec is not { } codec)
            {
                Send(EntityFailure.Unanswered(target.StoreKey, $"{type?.Name}, which is registered without its reply"));
                return;
            }
            var buffer = new ArrayBufferWriter<byte>(64);
            try
            {
                codec.Encode(reply, buffer);
            }
            catch (Exception cause)
            {
                Send(EntityFailure.Faulted($"Encoding the reply of {target.StoreKey} to {type.Name}", cause, noEffect: false));
                return;
            }
            if (buffer.WrittenCount > region._links.PayloadBytesMax)
                Send(EntityFailure.TooLarge(target.StoreKey, $"the reply to {type.Name}", buffer.WrittenCount, region._links.PayloadBytesMax, noEffect: false));
            else
                region._links.Send(to, FrameType.EntityReply, new EntityReply { Correlation = correlation, Payload = UnsafeByteOperations.UnsafeWrap(buffer.WrittenMemory) });
        }

        public void Fail(EntityFailure failure)
        {
            if (Interlocked.Exchange(ref _answered, 1) == 0) Send(failure);
        }

        private void Send(EntityFailure failure) =>
            region._links.Send(to, FrameType.EntityReply, new EntityReply { Correlation = correlation, Failure = (int)failure.Kind + 1, FailureMessage = failure.Message, NoEffect = failure.NoEffect });
    }
}
