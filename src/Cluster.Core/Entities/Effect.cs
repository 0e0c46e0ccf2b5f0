using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>Leave to act outside the store for a limited time; to be disposed as soon as the act has ended.</summary>
/// <remarks>Thread-safe. The node's lease, and with it the next owner, waits for it: whoever holds one beyond its limit breaks what it protects.</remarks>
public sealed class Effect : IDisposable
{
    private readonly EffectGate _gate;
    private readonly CancellationTokenSource _end;

    internal Effect(EffectGate gate, ShardNo shard, Epoch epoch, Incarnation node, TimeSpan limit)
    {
        (_gate, Shard, Epoch, Node, Limit) = (gate, shard, epoch, node, limit);
        _end = new CancellationTokenSource(limit);
        Cancelled = _end.Token;
    }

    /// <summary>The shard in whose name is acted.</summary>
    public ShardNo Shard { get; }

    /// <summary>Fencing token: grows with each owner. Give it to the outer system where that can refuse a lower one.</summary>
    public Epoch Epoch { get; }

    /// <summary>The incarnation that acts.</summary>
    public Incarnation Node { get; }

    /// <summary>What was asked for.</summary>
    public TimeSpan Limit { get; }

    /// <summary>Cancelled when the limit is over or the shard is lost; whatever is under way must then end within 400 ms.</summary>
    public CancellationToken Cancelled { get; }

    /// <summary>The act has ended.</summary>
    public void Dispose()
    {
        if (_gate.Left(this)) _end.Dispose();
    }

    internal void Cancel()
    {
        try { _end.Cancel(); }
        catch (ObjectDisposedException) { } // It ended in this moment.
    }
}
