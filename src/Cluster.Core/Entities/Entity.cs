namespace ActorCluster.Entities;

/// <summary>An actor: addressed by type and id, activated by its first message, one message at a time, gone when idle.</summary>
/// <remarks>All members are called in the entity's turn, never two at once. What it holds in memory ends with its passivation, a move of its
/// shard or a crash; use <see cref="JournaledEntity{TEvent}"/> for what must last.</remarks>
public abstract class Entity
{
    private EntityContext? _context;

    /// <summary>The entity's surroundings; not before activation.</summary>
    protected internal EntityContext Context => _context ?? throw new InvalidOperationException("The entity is not active yet; use Context from ActivateAsync on, not in the constructor.");

    /// <summary>Called once before the first message. If it throws, waiting messages fail and the next one activates anew.</summary>
    protected internal virtual ValueTask ActivateAsync() => ValueTask.CompletedTask;

    /// <summary>Takes one message; answer by <see cref="EntityContext.Reply"/>. If it throws, or answers nothing, the sender of an ask gets EntityFaulted and the entity lives on.</summary>
    protected internal abstract ValueTask ReceiveAsync(object message);

    /// <summary>True while the entity must stay in memory although no message comes.</summary>
    protected internal virtual bool IsBusy => false;

    internal virtual ValueTask StartAsync(EntityContext context)
    {
        _context = context;
        return ActivateAsync();
    }

    internal virtual ValueTask TurnAsync(Envelope envelope)
    {
        Context.Current = envelope;
        ValueTask turn;
        try
        {
            turn = ReceiveAsync(envelope.Message);
        }
        catch
        {
            Context.Current = null; // Whatever the turn has started answers nothing any more.
            throw;
        }
        if (!turn.IsCompletedSuccessfully) return FinishAsync(turn, envelope);
        EndTurn(envelope);
        return ValueTask.CompletedTask;
    }

    /// <summary>Something beside messages asks for attention; called first in a turn.</summary>
    internal virtual void Attend() { }

    /// <summary>True while no further message may be taken.</summary>
    internal virtual bool WantsQuiet => false;

    /// <summary>True while answers are owed.</summary>
    internal virtual bool OwesAnswers => false;

    /// <summary>The entity's memory is being dropped: whoever waits is told.</summary>
    internal virtual void Dropped(Func<string, EntityFailure> why) { }

    /// <summary>Everything has settled, no turn will come and the shard moves: a chance to write a snapshot.</summary>
    internal virtual ValueTask SettleAsync() => ValueTask.CompletedTask;

    internal bool HasTimers => _context is { HasTimers: true };

    internal void EndTimers() => _context?.EndTimers();

    private async ValueTask FinishAsync(ValueTask turn, Envelope envelope)
    {
        try
        {
            await turn.ConfigureAwait(false);
        }
        finally
        {
            Context.Current = null;
        }
        EndTurn(envelope);
    }

    private void EndTurn(Envelope envelope)
    {
        Context.Current = null;
        if (envelope.Sink is { } sink && !envelope.IsAnswered) sink.Fail(EntityFailure.Unanswered(envelope.Target.StoreKey, envelope.Message.GetType().Name));
    }
}
