using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>One active entity: its mailbox and its turns.</summary>
/// <remarks>The mailbox is a chain of envelopes under a short lock; no channel, task or timer belongs to an idle cell. At most one turn runs: whoever finds the cell
/// unscheduled schedules it on the <see cref="TurnQueue"/>. The lock is the object itself: there may be millions, nearly all idle. What the entity holds is touched by its turns alone, or under the lock while none is scheduled; no
/// answer is given and no other lock but that of the timers is taken under it.</remarks>
internal sealed class EntityCell(LocalShard shard, string id, Entity entity, int generation) : IThreadPoolWorkItem
{
    private const int TurnsPerSlice = 64;

    private Envelope? _first;
    private Envelope? _last;
    private int _count;
    private bool _isCrowded;
    private bool _scheduled;
    private bool _attention;
    private bool _started;
    private bool _stopped;
    private int _lastUsed = shard.Host.Round;
    private Func<string, EntityFailure>? _owedFailure;
    private int _turnThread;

    public EntityHost Host => Shard.Host;

    public LocalShard Shard { get; } = shard;

    public string Key { get; } = id;

    public EntityId Id => new(Shard.Type.Name, Key);

    public Entity Entity { get; } = entity;

    /// <summary>Which memory of its shard it belongs to; rows of an earlier one are not journaled any more.</summary>
    public int Generation { get; } = generation;

    /// <summary>Messages that wait; a hint.</summary>
    public int Waiting => Volatile.Read(ref _count);

    /// <summary>The calling thread is the one that runs a turn, in the part before its first real wait.</summary>
    public bool IsInTurn => _turnThread == Environment.CurrentManagedThreadId;

    /// <summary>The ask that the turn has answered: its caller is resumed when the turn has ended.</summary>
    public Ask? Answered { private get; set; }

    /// <summary>Adds a message; false when the cell has stopped and a new one must be found.</summary>
    public bool Enqueue(Envelope envelope)
    {
        var full = false;
        lock (this)
        {
            if (_stopped) return false;
            // What another node tells is bounded by what it may have unacknowledged: it came in an order that a gap would break unnoticed.
            if (_count >= Host.MailboxMax && envelope.Message is not EntityContext.TimerFired && envelope is not { IsFromElsewhere: true, Sink: null })
            {
                full = true;
            }
            else
            {
                if (_last is null) _first = envelope;
                else _last.Next = envelope;
                _last = envelope;
                if (++_count == Host.MailboxMax / 2 && !_isCrowded) Shard.Crowded(_isCrowded = true);
                if (_scheduled) return true;
                _scheduled = true;
            }
        }
        if (full)
        {
            envelope.Sink?.Fail(EntityFailure.MailboxFull(Id.StoreKey, Host.MailboxMax));
            return true;
        }
        TurnQueue.Add(this);
        return true;
    }

    /// <summary>Asks for a turn without a message: something committed.</summary>
    public void Attend()
    {
        lock (this)
        {
            if (_stopped) return;
            _attention = true;
            if (_scheduled) return;
            _scheduled = true;
        }
        TurnQueue.Add(this);
    }

    /// <summary>No turn runs, nothing waits, no answer is owed.</summary>
    public bool IsIdle
    {
        get
        {
            lock (this) return IsQuiet;
        }
    }

    private bool IsQuiet => !_scheduled && _first is null && !Entity.OwesAnswers;

    /// <summary>Stops the cell if it is idle and was not used after that round of the sweep; messages that come meanwhile find a new cell.</summary>
    public bool TryPassivate(int idleSince)
    {
        lock (this)
        {
            if (_stopped || !IsQuiet || _lastUsed > idleSince) return false;
            if (_started && (Entity.HasTimers || WantsToStay())) return false;
            return _stopped = true;
        }
    }

    /// <summary>Stops the cell if it is idle, however lately and whatever it would like: its shard moves.</summary>
    public bool TryStop()
    {
        lock (this)
        {
            if (_stopped) return true;
            if (!IsQuiet) return false;
            _stopped = true;
            Entity.EndTimers();
            return true;
        }
    }

    /// <summary>Drops the entity's memory at once: waiting messages and owed answers fail. A turn under way ends by itself, its effects are fenced.</summary>
    public void Kill(Func<string, EntityFailure> waiting, Func<string, EntityFailure> owed)
    {
        Envelope? chain;
        bool turnRuns;
        lock (this)
        {
            if (_stopped) return;
            _stopped = true;
            turnRuns = _scheduled;
            if (turnRuns) _owedFailure = owed; // What it owes belongs to the turn; the turn tells when it ends.
            (chain, _first, _last, _count) = (_first, null, null, 0);
            if (_isCrowded) Shard.Crowded(_isCrowded = false);
        }
        for (; chain is not null; chain = chain.Next) Fail(chain, waiting(Id.StoreKey));
        if (!turnRuns && _started) End(owed);
    }

    void IThreadPoolWorkItem.Execute() => Run();

    private void Run()
    {
        if (Host.Gate is { IsPaused: true } gate && gate.Parks(this)) return;
        Ask? answered = null;
        for (var turn = 0; turn < TurnsPerSlice; turn++)
        {
            if (!_started && !Proceed(StartAsync())) return;
            if (!TakeNext(out var envelope))
            {
                answered?.Resume(); // Here: its caller needs no thread of its own, and nobody waits for this one.
                return;
            }
            answered?.ResumeSoon(); // The next turn may take its time.
            answered = null;
            if (envelope is null) continue;
            _lastUsed = Host.Round;
            if (!Proceed(Turn(envelope))) return;
            (answered, Answered) = (Answered, null);
        }
        TurnQueue.Add(this);
        answered?.Resume();
    }

    /// <summary>False when there is nothing to do: the slice ends. A null envelope means that only attention was asked for.</summary>
    private bool TakeNext(out Envelope? envelope)
    {
        envelope = null;
        bool attention, stopped, hasRoomAgain;
        lock (this)
        {
            hasRoomAgain = false;
            stopped = _stopped;
            (attention, _attention) = (_attention, false);
            if (!stopped && !attention)
            {
                if (_first is null || Entity.WantsQuiet)
                {
                    _scheduled = false;
                    return false;
                }
                envelope = _first;
                _first = envelope.Next;
                if (_first is null) _last = null;
                hasRoomAgain = --_count == Host.MailboxMax / 4 && _isCrowded;
                if (!hasRoomAgain) return true;
                Shard.Crowded(_isCrowded = false);
            }
        }
        if (hasRoomAgain)
        {
            Host.RoomAgain?.Invoke(Shard.No);
            return true;
        }
        if (attention) Attended();
        if (!stopped) return true;
        if (_started) End(_owedFailure);
        return false;
    }

    private void Attended()
    {
        try
        {
            Entity.Attend();
        }
        catch (Exception cause)
        {
            Host.Log.EntityFaulted(cause, Id.StoreKey);
        }
    }

    /// <summary>The last thing that happens to an entity's memory.</summary>
    private void End(Func<string, EntityFailure>? owed)
    {
        _owedFailure = null;
        Entity.EndTimers();
        if (owed is null) return;
        try
        {
            Entity.Dropped(owed);
        }
        catch (Exception cause)
        {
            Host.Log.EntityFaulted(cause, Id.StoreKey);
        }
    }

    private bool WantsToStay()
    {
        try
        {
            return Entity.IsBusy;
        }
        catch (Exception cause)
        {
            Host.Log.EntityFaulted(cause, Id.StoreKey);
            return true;
        }
    }

    private async ValueTask StartAsync()
    {
        lock (this)
        {
            if (_stopped) return; // Its shard was lost before it began: nobody waits for it any more.
            _started = true;
        }
        try
        {
            await Entity.StartAsync(new EntityContext(this)).ConfigureAwait(false);
        }
        catch (Exception cause)
        {
            Host.Log.EntityFaulted(cause, Id.StoreKey);
            var failure = cause is EntityException known ? known.Failure : EntityFailure.Faulted(Id.StoreKey, cause, noEffect: true);
            Shard.Remove(this);
            Kill(_ => failure, _ => failure);
        }
    }

    private ValueTask Turn(Envelope envelope)
    {
        if (envelope.Message is EntityContext.TimerFired timer)
        {
            if (Entity.Context.Fire(timer) is not { } message) return ValueTask.CompletedTask;
            envelope = new Envelope(Id, message, null);
        }
        if (envelope.Open() is { } failure)
        {
            Fail(envelope, failure);
            return ValueTask.CompletedTask;
        }
        _turnThread = Environment.CurrentManagedThreadId;
        try
        {
            var turn = Entity.TurnAsync(envelope);
            _turnThread = 0;
            if (turn.IsCompletedSuccessfully) return ValueTask.CompletedTask;
            Answered?.DetachFromTurn();
            Answered = null;
            return FinishAsync(turn, envelope);
        }
        catch (Exception cause)
        {
            _turnThread = 0;
            Faulted(envelope, cause);
            return ValueTask.CompletedTask;
        }
    }

    private async ValueTask FinishAsync(ValueTask turn, Envelope envelope)
    {
        try
        {
            await turn.ConfigureAwait(false);
        }
        catch (Exception cause)
        {
            Faulted(envelope, cause);
        }
    }

    /// <summary>User code may throw at once or later; either way it hurts only the sender of the message.</summary>
    private void Faulted(Envelope envelope, Exception cause)
    {
        Host.Log.EntityFaulted(cause, Id.StoreKey);
        if (!envelope.IsAnswered) Fail(envelope, EntityFailure.Faulted(Id.StoreKey, cause, noEffect: false));
    }

    private void Fail(Envelope envelope, EntityFailure failure)
    {
        try
        {
            envelope.Sink?.Fail(failure);
        }
        catch (Exception cause)
        {
            Host.Log.AnswerFailed(cause, Id.StoreKey);
        }
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
        TurnQueue.Add(this);
    }
}
