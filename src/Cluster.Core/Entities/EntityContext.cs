using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>What an entity may know and do beside its messages.</summary>
/// <remarks>To be used in the entity's own turns only.</remarks>
public sealed class EntityContext
{
    private readonly EntityCell _cell;
    private Dictionary<string, EntityTimer>? _timers;

    internal EntityContext(EntityCell cell) => _cell = cell;

    /// <summary>The entity's address.</summary>
    public EntityId Id => _cell.Id;

    /// <summary>The epoch under which its shard is served here: the fencing token for effects outside.</summary>
    public Epoch Epoch => _cell.Shard.Epoch;

    /// <summary>This node's incarnation.</summary>
    public Incarnation Node => _cell.Host.Ownership.Self;

    /// <summary>Services of the host.</summary>
    public IServiceProvider Services => _cell.Host.Services;

    internal EntityCell Cell => _cell;

    internal Envelope? Current { get; set; }

    internal bool HasTimers => _timers is { Count: > 0 };

    /// <summary>Answers the message of this turn; a second answer is ignored, and so is one to a tell.</summary>
    /// <exception cref="InvalidOperationException">There is no message to answer: the turn has ended, or the entity is journaled and answers by its decision.</exception>
    public void Reply<T>(T reply)
        where T : notnull
    {
        var current = Current ?? throw new InvalidOperationException($"{Id} answers nothing now: Reply belongs into the turn of a message, and a journaled entity answers by its decision.");
        if (current.Sink is not { } sink || current.IsAnswered) return;
        current.IsAnswered = true;
        if (sink is not Ask ask || !_cell.IsInTurn) sink.Reply(reply);
        else if (ask is Ask<T> typed ? typed.TryAnswerInTurn(reply) : ask.TryAnswerInTurn(reply)) _cell.Answered = ask;
    }

    /// <summary>Sends the entity a message of its own after a time; a timer of the same name is replaced.</summary>
    /// <param name="name">Name of the timer within the entity.</param>
    /// <param name="due">From now; at least 0.</param>
    /// <param name="message">Delivered like any message, without a sender. In memory only: it ends with the entity.</param>
    public void SetTimer(string name, TimeSpan due, object message)
    {
        _timers ??= [];
        if (!_timers.TryGetValue(name, out var timer)) timer = _timers[name] = new EntityTimer(_cell, name);
        timer.Message = message;
        _cell.Host.Timers.Set(timer, due);
    }

    /// <summary>Ends a timer; one that is due already and waits in the mailbox is ignored when its turn comes.</summary>
    public void CancelTimer(string name)
    {
        if (_timers is not null && _timers.Remove(name, out var timer)) _cell.Host.Timers.Cancel(timer);
    }

    internal void EndTimers()
    {
        if (_timers is null) return;
        foreach (var timer in _timers.Values) _cell.Host.Timers.Cancel(timer);
        _timers = null;
    }

    /// <summary>The message of a timer that still holds, else null.</summary>
    internal object? Fire(TimerFired fired)
    {
        var timer = fired.Timer;
        if (timer.Version != fired.Version || _timers is null || !_timers.Remove(timer.Name)) return null;
        return timer.Message;
    }

    internal sealed record TimerFired(EntityTimer Timer, long Version);
}
