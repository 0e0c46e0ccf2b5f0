using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>One active entity: its mailbox and its turns.</summary>
/// <remarks>The mailbox is a chain of envelopes under a short lock; no channel, task or timer belongs to an idle cell. At most one turn runs: whoever finds the cell
/// unscheduled schedules it on the pool's global queue.</remarks>
internal sealed class EntityCell(EntityHost host, LocalShard shard, EntityId id, Entity entity, int generation) : IThreadPoolWorkItem
{
    private const int TurnsPerSlice = 64;

    private readonly Lock _lock = new();
    private Envelope? _first;
    private Envelope? _last;
    private int _count;
    private bool _scheduled;
    private bool _attention;
    private bool _started;
    private bool _stopped;
    private Func<string, EntityFailure>? _owedFailure;

    public EntityHost Host { get; } = host;

    public LocalShard Shard { get; } = shard;

    public EntityId Id { get; } = id;

    public Entity Entity { get; } = entity;

    /// <summary>Which memory of its shard it belongs to; rows of an earlier one are not journaled any more.</summary>
    public int Generation { get; } = generation;

    public long LastUsedMs { get; private set; } = Environment.TickCount64;

    /// <summary>Adds a message; false when the cell has stopped and a new one must be found.</summary>
    public bool Enqueue(Envelope envelope)
    {
        var full = false;
        lock (_lock)
        {
            if (_stopped) return false;
            if (_count >= Host.MailboxMax && envelope.Message is not EntityContext.TimerFired)
            {
                full = true;
            }
            else
            {
                if (_last is null) _first = envelope;
                else _last.Next = envelope;
                _last = envelope;
                _count++;
                if (_scheduled) return true;
                _scheduled = true;
            }
        }
        if (full)
        {
            envelope.Sink?.Fail(EntityFailure.MailboxFull(Id.StoreKey, Host.MailboxMax));
            return true;
        }
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        return true;
    }

    /// <summary>Asks for a turn without a message: something committed.</summary>
    public void Attend()
    {
        lock (_lock)
        {
            if (_stopped) return;
            _attention = true;
            if (_scheduled) return;
            _scheduled = true;
        }
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>No turn runs, nothing waits, no answer is owed.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_lock) return !_scheduled && _first is null && !Entity.OwesAnswers;
        }
    }

    /// <summary>Stops the cell if it is idle and was so for a while; messages that come meanwhile find a new cell.</summary>
    public bool TryPassivate(long idleSinceMs)
    {
        lock (_lock)
        {
            if (_stopped || _scheduled || _first is not null || LastUsedMs > idleSinceMs) return false;
            if (_started && (Entity.OwesAnswers || Entity.IsBusy || Entity.Context.HasTimers)) return false;
            return _stopped = true;
        }
    }

    /// <summary>Drops the entity's memory at once: waiting messages and owed answers fail. A turn under way ends by itself, its effects are fenced.</summary>
    public void Kill(Func<string, EntityFailure> waiting, Func<string, EntityFailure> owed)
    {
        Envelope? chain;
        bool turnRuns;
        lock (_lock)
        {
            if (_stopped) return;
            _stopped = true;
            turnRuns = _scheduled;
            if (turnRuns) _owedFailure = owed; // What it owes belongs to the turn; the turn tells when it ends.
            (chain, _first, _last, _count) = (_first, null, null, 0);
        }
        for (; chain is not null; chain = chain.Next) chain.Sink?.Fail(waiting(Id.StoreKey));
        if (!turnRuns && _started) Entity.Dropped(owed);
    }

    void IThreadPoolWorkItem.Execute() => Run();

    private void Run()
    {
        for (var turn = 0; turn < TurnsPerSlice; turn++)
        {
            if (!_started)
            {
                _started = true;
                if (!Proceed(Guard(() => Entity.StartAsync(new EntityContext(this))))) return;
            }
            if (!TakeNext(out var envelope)) return;
            if (envelope is null) continue;
            LastUsedMs = Environment.TickCount64;
            if (!Proceed(Turn(envelope))) return;
        }
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>False when there is nothing to do: the slice ends. A null envelope means that only attention was asked for.</summary>
    private bool TakeNext(out Envelope? envelope)
    {
        envelope = null;
        bool attention;
        lock (_lock) (attention, _attention) = (_attention, false);
        if (attention) Entity.Attend();
        lock (_lock)
        {
            if (_stopped)
            {
                if (_owedFailure is { } owed) Entity.Dropped(owed);
                _owedFailure = null;
                return false;
            }
            if (_attention) return true;
            if (_first is null || Entity.WantsQuiet)
            {
                _scheduled = false;
                return false;
            }
            envelope = _first;
            _first = envelope.Next;
            if (_first is null) _last = null;
            _count--;
            return true;
        }
    }

    private ValueTask Turn(Envelope envelope)
    {
        if (envelope.Message is EntityContext.TimerFired timer)
        {
            if (Entity.Context.Fire(timer) is not { } message) return ValueTask.CompletedTask;
            envelope = new Envelope(Id, message, null);
        }
        var taken = envelope;
        return Guard(() => Entity.TurnAsync(taken), taken);
    }

    /// <summary>User code may throw at once or later; either way it hurts only the sender of the message.</summary>
    private async ValueTask Guard(Func<ValueTask> step, Envelope? envelope = null)
    {
        try
        {
            await step().ConfigureAwait(false);
        }
        catch (Exception cause)
        {
            Host.Log.EntityFaulted(cause, Id.StoreKey);
            if (envelope is null) FailedToStart(cause);
            else envelope.Sink?.Fail(EntityFailure.Faulted(Id.StoreKey, cause));
        }
    }

    private void FailedToStart(Exception cause)
    {
        Shard.Remove(this);
        var failure = cause is EntityException known ? known.Failure : EntityFailure.Faulted(Id.StoreKey, cause);
        Kill(_ => failure, _ => failure);
    }

    /// <summary>True when the step has ended already; else the slice ends and the rest follows the step.</summary>
    private bool Proceed(ValueTask step)
    {
        if (step.IsCompleted) return true;
        _ = FollowAsync(step);
        return false;
    }

    private async Task FollowAsync(ValueTask step)
    {
        await step.ConfigureAwait(false);
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }
}
