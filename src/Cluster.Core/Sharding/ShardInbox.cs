using ActorCluster.Primitives;

namespace ActorCluster.Sharding;

/// <summary>What to do with a message that arrived in a stream.</summary>
internal enum StreamVerdict
{
    /// <summary>It is the next one: deliver it.</summary>
    Take,

    /// <summary>It was taken before: acknowledge it again.</summary>
    Duplicate,

    /// <summary>It and everything after it is refused: <see cref="ShardInbox.OwedRefusal"/> says so until <see cref="ShardInbox.Refused"/>.</summary>
    Refuse,

    /// <summary>Nothing to say: an earlier one was refused already and the sender will come back to it, or the sender counts a newer epoch by now.</summary>
    Ignore,
}

/// <summary>The streams of messages from other nodes to the shards of this one (protocol 5.4).</summary>
/// <remarks>Not thread-safe. One per sender and shard; only the next number is taken, so nothing overtakes what was refused. A stream outlives its shard's stay
/// here, because a repeat of what was taken must never be refused as if it were new; a higher epoch replaces it, and it ends with its sender.</remarks>
internal sealed class ShardInbox
{
    private readonly Dictionary<(Incarnation Sender, ShardNo Shard), Stream> _streams = [];
    private (Incarnation Sender, ShardNo Shard, Stream Stream)? _last;

    /// <summary>The message that was taken last had been refused before: its sender holds what follows back until it hears.</summary>
    public bool TookWhatWasRefused { get; private set; }

    /// <summary>Judges a message. <paramref name="open"/>: this node serves the shard under <paramref name="epoch"/> and takes messages now.</summary>
    public StreamVerdict Arrived(Incarnation sender, ShardNo shard, Epoch epoch, long number, bool open)
    {
        if (_last is not { } last || last.Sender != sender || last.Shard != shard)
        {
            if (!_streams.TryGetValue((sender, shard), out var found)) found = _streams[(sender, shard)] = new Stream(epoch);
            _last = last = (sender, shard, found);
        }
        var stream = last.Stream;
        if (stream.Epoch < epoch) stream.Begin(epoch);
        if (epoch < stream.Epoch) return StreamVerdict.Ignore;
        if (number < stream.Expected) return StreamVerdict.Duplicate;
        if (number == stream.Expected && open)
        {
            TookWhatWasRefused = stream.PassedOver >= stream.Expected;
            stream.Expected++;
            return StreamVerdict.Take;
        }
        // Refused once, and what follows is passed over: a second refusal might arrive after the sender has come back.
        var known = stream.PassedOver >= stream.Expected && number != stream.Expected;
        stream.PassedOver = Math.Max(stream.PassedOver, number);
        if (known) return StreamVerdict.Ignore;
        stream.OwesRefusal = true;
        return StreamVerdict.Refuse;
    }

    /// <summary>The epoch that a sender counts in and the number up to which it was taken, 0 when none.</summary>
    public (Epoch Epoch, long UpTo) Taken(Incarnation sender, ShardNo shard) =>
        _streams.TryGetValue((sender, shard), out var stream) ? (stream.Epoch, stream.Expected - 1) : default;

    /// <summary>The number from which on the sender has still to be told that everything was refused; null when it has been, or when all of it came again.</summary>
    public (Epoch Epoch, long From)? OwedRefusal(Incarnation sender, ShardNo shard) =>
        _streams.TryGetValue((sender, shard), out var stream) && stream.OwesRefusal && stream.PassedOver >= stream.Expected ? (stream.Epoch, stream.Expected) : null;

    /// <summary>The refusal is on its way.</summary>
    public void Refused(Incarnation sender, ShardNo shard)
    {
        if (_streams.TryGetValue((sender, shard), out var stream)) stream.OwesRefusal = false;
    }

    /// <summary>A node is gone for good: its streams end.</summary>
    public void Forget(Incarnation sender)
    {
        _last = null;
        foreach (var key in _streams.Keys.Where(k => k.Sender == sender).ToList()) _streams.Remove(key);
    }

    private sealed class Stream(Epoch epoch)
    {
        public Epoch Epoch { get; private set; } = epoch;

        public long Expected { get; set; } = 1;

        /// <summary>The highest number that came and was not taken. Everything from <see cref="Expected"/> up to it must come again.</summary>
        public long PassedOver { get; set; }

        public bool OwesRefusal { get; set; }

        public void Begin(Epoch epoch) => (Epoch, Expected, PassedOver, OwesRefusal) = (epoch, 1, 0, false);
    }
}
