using System.Buffers;
using System.Text;
using ActorCluster.Entities;
using ActorCluster.Links;
using ActorCluster.Primitives;
using ActorCluster.Sharding.Wire;
using Google.Protobuf;

namespace ActorCluster.Sharding;

/// <summary>The node's links as regions see them.</summary>
internal interface INodeLinks
{
    /// <summary>Sends on the data channel; false when nothing was kept.</summary>
    bool Send(Incarnation peer, FrameType type, ReadOnlySpan<byte> frame, LinkFlush flush);

    /// <summary>As the other overload.</summary>
    bool Send(Incarnation peer, FrameType type, IMessage message, LinkFlush flush);

    /// <summary>Most bytes of a message's content in one frame.</summary>
    int PayloadBytesMax { get; }

    /// <summary>The owner of some shard is unknown: read the rows again.</summary>
    void RouteWanted();

    /// <summary>Where an individually placed entity is served is unknown, or whether it is: look it up, make it if it is new.</summary>
    void EntityWanted(EntityId entity);
}

/// <summary>Frame types between nodes; a number is never used for anything else again.</summary>
internal enum FrameType : byte
{
    Beat = 1,
    Hint = 2,
    ShardsMoved = 3,

    /// <summary>The receiver's incarnation is down; without content.</summary>
    YouAreDown = 4,

    /// <summary>The sender has lost the other channel: what it sent there lately may not have arrived, although the receiver lost it long before; without content.</summary>
    SentMayBeLost = 5,

    /// <summary>The sender does not reach the store and asks that its shards, which it has stopped, be released (<see cref="Wire.ShardsMoved"/>).</summary>
    AskRelease = 6,
    EntityMessage = 16,
    EntityReply = 17,
    StreamsTaken = 18,
    StreamRefused = 19,
    Fanout = 20,

    /// <summary>A frame for a member that its sender has no link to (<see cref="RelayFrame"/>).</summary>
    Relayed = 21,
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
                Arrived(from, new EntityMessageFrame(payload));
                break;
            case FrameType.EntityReply:
                Answered(new EntityReplyFrame(payload));
                break;
            case FrameType.StreamsTaken:
                foreach (var stream in StreamsTaken.Parser.ParseFrom(payload).Streams)
                {
                    if (!TryFind(new ShardNo(stream.Shard), out var slot)) continue;
                    lock (slot.Lock) slot.Outbox.Taken(new Epoch(stream.Epoch), stream.UpTo);
                }
                _room.Open();
                break;
            case FrameType.StreamRefused:
                var refused = StreamRefused.Parser.ParseFrom(payload);
                if (!TryFind(new ShardNo(refused.Shard), out var of)) break;
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

    /// <summary>All frames of one receive are in: say what became of the streams that they touched, unless it can wait for the tick. What the link does not take is said again later.</summary>
    public void ReceiveEnded(Incarnation from)
    {
        if (_streams.TryGetValue(from, out var streams) && streams.IsUrgent) Acknowledge(from, streams);
    }

    private void Acknowledge(Incarnation from, PeerStreams streams)
    {
        var touched = streams.Take();
        for (var done = 0; done < touched.Count;)
        {
            var (taken, first) = (new StreamsTaken(), done);
            for (; done < touched.Count && taken.Streams.Count < StreamsPerFrame; done++)
            {
                var slot = touched[done];
                lock (slot.Lock)
                {
                    if (!TellRefusal(from, slot)) streams.Touch(slot, 0, isAwaited: false);
                    if (slot.Serving is { IsCrowded: true })
                    {
                        // Unacknowledged, it fills its sender's outbox, and whoever awaits its tells there waits.
                        streams.Touch(slot, 0, isAwaited: false);
                        continue;
                    }
                    var (epoch, upTo) = slot.Inbox.Taken(from, slot.No);
                    if (upTo > 0) taken.Streams.Add(new StreamsTaken.Types.Stream { Shard = slot.No.Value, Epoch = epoch.Value, UpTo = upTo });
                }
            }
            if (taken.Streams.Count == 0 || _links.Send(from, FrameType.StreamsTaken, taken, LinkFlush.Soon)) continue;
            for (var i = first; i < done; i++)
                lock (touched[i].Lock) streams.Touch(touched[i], 0, isAwaited: false);
        }
        streams.Return(touched);
    }

    /// <summary>A mailbox has room again: acknowledge what was left unacknowledged, not on the thread that has the next turn to run.</summary>
    private void HasRoomAgain(ShardNo shard)
    {
        if (Interlocked.Exchange(ref _isAcknowledging, 1) == 0) TurnQueue.Deal(_acknowledging);
    }

    private void AcknowledgeAll()
    {
        Interlocked.Exchange(ref _isAcknowledging, 0); // First: what has room from now on is looked at again.
        foreach (var (peer, streams) in _streams) Acknowledge(peer, streams);
    }

    private sealed class Acknowledging(RegionDriver driver) : IThreadPoolWorkItem
    {
        public void Execute() => driver.AcknowledgeAll();
    }

    /// <summary>Under the shard's lock, so that it cannot be overtaken by news of what comes again; false when the link did not take it.</summary>
    private bool TellRefusal(Incarnation from, Slot slot)
    {
        if (slot.Inbox.OwedRefusal(from, slot.No) is not { } refusal) return true;
        var known = Math.Max(slot.Outbox.Epoch.Value, slot.Serving?.Epoch.Value ?? 0);
        if (!_links.Send(from, FrameType.StreamRefused, new StreamRefused { Shard = slot.No.Value, Epoch = refusal.Epoch.Value, From = refusal.From, KnownEpoch = known }, LinkFlush.Soon)) return false;
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
        _links.Send(node, FrameType.Fanout, new Fanout { Topic = topic, Key = key, Epoch = epoch.Value, Payload = UnsafeByteOperations.UnsafeWrap(buffer.WrittenMemory) }, LinkFlush.Soon);
    }

    /// <summary>Takes the answer to a message of another node back to it. Alone it leaves at once; with others behind it, together with theirs.</summary>
    public void Tell(Incarnation to, long correlation, ReadOnlySpan<byte> reply) =>
        _links.Send(to, FrameType.EntityReply, EntityFrames.WriteReply(correlation, reply), TurnQueue.NothingWaits is true ? LinkFlush.Now : LinkFlush.Soon);

    /// <summary>As the other overload: why there is no reply.</summary>
    public void Tell(Incarnation to, long correlation, EntityFailure failure) => _links.Send(
        to, FrameType.EntityReply, new EntityReply { Correlation = correlation, Failure = (int)failure.Kind + 1, FailureMessage = failure.Message, NoEffect = failure.NoEffect }, LinkFlush.Soon);

    private void Arrived(Incarnation from, in EntityMessageFrame message)
    {
        if (!TryFind(message.Shard, out var slot))
        {
            _links.Send(from, FrameType.StreamRefused, new StreamRefused { Shard = message.Shard.Value, Epoch = message.Epoch.Value, From = message.Number }, LinkFlush.Soon);
            return;
        }
        lock (slot.Lock)
        {
            var local = slot.Local;
            var verdict = slot.Inbox.Arrived(from, message.Shard, message.Epoch, message.Number, local is { IsOpen: true } && local.Epoch == message.Epoch);
            if (verdict != StreamVerdict.Ignore)
            {
                if (slot.Heard is not { } heard || heard.Peer != from) slot.Heard = heard = (from, _streams.GetOrAdd(from, static _ => new PeerStreams()));
                heard.Streams.Touch(slot, message.Payload.Length, isAwaited: verdict != StreamVerdict.Take || slot.Inbox.TookWhatWasRefused);
            }
            if (verdict == StreamVerdict.Take) Deliver(from, slot, local!, message);
        }
    }

    private void Deliver(Incarnation from, Slot slot, LocalShard local, in EntityMessageFrame message)
    {
        if (message.Entity.IsEmpty) return; // A place in the stream whose message was given up.
        Span<char> text = stackalloc char[256];
        if (message.Entity.Length >= text.Length || message.Name.Length >= text.Length)
            throw new InvalidDataException($"Node {from} addresses an entity by {message.Entity.Length} bytes and a message by {message.Name.Length}; neither is ever longer than 255.");
        var length = Encoding.UTF8.GetChars(message.Entity, text);
        var cell = local.Find(text[..length]);
        var target = new EntityId(slot.Type.Name, cell?.Key ?? new string(text[..length]));
        length = Encoding.UTF8.GetChars(message.Name, text);
        if (slot.Type.Messages.Find(text[..length]) is not { } type)
        {
            if (message.Correlation != 0) Tell(from, message.Correlation, EntityFailure.Unknown(target.StoreKey, new string(text[..length])));
            return;
        }
        var incoming = new IncomingMessage(this, from, message.Correlation, target, type, message.Payload) { Command = message.Command, After = message.After };
        if (cell?.Enqueue(incoming) == true || local.TryDeliver(incoming)) return;
        if (message.Correlation == 0) Interlocked.Increment(ref _tellsDropped);
        else incoming.Fail(EntityFailure.Unreachable(target.StoreKey)); // Lost to another owner in this moment.
    }

    private void Answered(in EntityReplyFrame reply)
    {
        if (!_awaiting.TryGetValue(reply.Correlation, out var message)) return; // Answered already, or given up.
        if (reply.Failure is { } failure) message.Fail(failure);
        else message.Replied(reply.Payload);
    }

    private bool SendTo(Incarnation owner, ShardNo shard, Epoch epoch, long number, OutgoingMessage? message)
    {
        // The only ask under way, or the last thing that this thread does for now: it leaves at once. Else others share its way, and nobody waits for a tell.
        var isAlone = message is { Correlation: > 0 } && (TurnQueue.NothingWaits ?? Volatile.Read(ref _underWay) <= 1);
        return _links.Send(owner, FrameType.EntityMessage, EntityFrames.Write(shard, epoch, number, message), isAlone ? LinkFlush.Now : LinkFlush.Soon);
    }
}
