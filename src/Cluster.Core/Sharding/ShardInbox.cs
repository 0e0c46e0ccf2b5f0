using ActorCluster.Primitives;

namespace ActorCluster.Sharding;

/// <summary>What to do with a message that arrived in a stream.</summary>
internal enum StreamVerdict
{
    /// <summary>It is the next one: deliver it.</summary>
    Take,

    /// <summary>It was taken before: acknowledge it again.</summary>
    Duplicate,

    /// <summary>Refuse it and everything after it, and say so to the sender.</summary>
    Refuse,

    /// <summary>An earlier one was refused already; the sender will come back to it.</summary>
    Ignore,
}

/// <summary>The streams of messages from other nodes to the shards of this one (protocol 5.4).</summary>
/// <remarks>Not thread-safe. One per sender and shard; only the next number is taken, so nothing overtakes what was refused.</remarks>
internal sealed class ShardInbox
{
    private readonly Dictionary<(Incarnation Sender, ShardNo Shard), Stream> _streams = [];

    /// <summary>Judges a message. <paramref name="open"/>: this node serves the shard under <paramref name="epoch"/> and takes messages now.</summary>
    public StreamVerdict Arrived(Incarnation sender, ShardNo shard, Epoch epoch, long number, bool open)
    {
        if (!_streams.TryGetValue((sender, shard), out var stream) || stream.Epoch < epoch)
        {
            stream = _streams[(sender, shard)] = new Stream(epoch);
            if (!open)
            {
                // Refused once, and what follows is passed over: a second refusal might arrive after the sender has come back.
                (stream.Expected, stream.Refusing) = (number, true);
                return StreamVerdict.Refuse;
            }
        }
        if (epoch < stream.Epoch) return StreamVerdict.Refuse;
        if (number < stream.Expected) return StreamVerdict.Duplicate;
        if (number == stream.Expected && open)
        {
            stream.Expected++;
            stream.Refusing = false;
            return StreamVerdict.Take;
        }
        if (stream.Refusing && number != stream.Expected) return StreamVerdict.Ignore;
        stream.Refusing = true;
        return StreamVerdict.Refuse;
    }

    /// <summary>The number up to which a stream was taken, 0 when none.</summary>
    public long TakenUpTo(Incarnation sender, ShardNo shard, Epoch epoch) =>
        _streams.TryGetValue((sender, shard), out var stream) && stream.Epoch == epoch ? stream.Expected - 1 : 0;

    /// <summary>A node is gone for good: its streams end.</summary>
    public void Forget(Incarnation sender)
    {
        foreach (var key in _streams.Keys.Where(k => k.Sender == sender).ToList()) _streams.Remove(key);
    }

    /// <summary>A shard is served no more: its streams end, the next epoch starts anew.</summary>
    public void Forget(ShardNo shard)
    {
        foreach (var key in _streams.Keys.Where(k => k.Shard == shard).ToList()) _streams.Remove(key);
    }

    private sealed class Stream(Epoch epoch)
    {
        public Epoch Epoch { get; } = epoch;

        public long Expected { get; set; } = 1;

        public bool Refusing { get; set; }
    }
}
