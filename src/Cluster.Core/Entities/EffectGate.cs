using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>What one shard does outside the store: let in while the node may act, counted until it has ended (protocol 4.5).</summary>
/// <remarks>Thread-safe. The shard is released, and its former owner's name cleared, only when the gate is closed and nobody is inside.</remarks>
internal sealed class EffectGate(ShardNo shard, Epoch epoch, Incarnation node)
{
    private readonly Lock _lock = new();
    private readonly HashSet<Effect> _inside = [];
    private TaskCompletionSource? _empty;
    private bool _closed;

    /// <summary>Completes when nobody is inside; to be asked for after <see cref="Close"/>.</summary>
    public Task Ended
    {
        get
        {
            lock (_lock)
            {
                if (_inside.Count == 0) return Task.CompletedTask;
                return (_empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }
        }
    }

    /// <summary>Lets an effect in, or says that the gate is closed by null.</summary>
    /// <param name="limit">How long it may take.</param>
    /// <param name="mayAct">Asked with the gate held, so that nothing comes between the answer and the entry.</param>
    public Effect? Enter(TimeSpan limit, Func<TimeSpan, bool> mayAct)
    {
        lock (_lock)
        {
            if (_closed || !mayAct(limit)) return null;
            var effect = new Effect(this, shard, epoch, node, limit);
            _inside.Add(effect);
            return effect;
        }
    }

    /// <summary>Lets nobody in any more.</summary>
    /// <param name="cancel">Whoever is inside is told to end at once.</param>
    public void Close(bool cancel)
    {
        Effect[] inside;
        lock (_lock)
        {
            _closed = true;
            inside = cancel ? [.. _inside] : [];
        }
        foreach (var effect in inside) effect.Cancel();
    }

    /// <summary>The shard stays here.</summary>
    public void Open()
    {
        lock (_lock) _closed = false;
    }

    internal bool Left(Effect effect)
    {
        TaskCompletionSource? empty = null;
        lock (_lock)
        {
            if (!_inside.Remove(effect)) return false;
            if (_inside.Count == 0) (empty, _empty) = (_empty, null);
        }
        empty?.TrySetResult();
        return true;
    }
}
