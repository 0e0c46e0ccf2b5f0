using System.Diagnostics.CodeAnalysis;
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

    /// <summary>Asks for leave to act outside the store; the type must be registered with <c>externalEffects</c>.</summary>
    /// <param name="limit">How long the act may take, more than 0 and at most 1 s (<see cref="ProtocolTimes.EffectLimit"/>); it is cancelled then.</param>
    /// <param name="effect">The leave, to be disposed when the act has ended; null when refused.</param>
    /// <returns>False when this node may not act now: its lease is near its end, its clock or its links are in doubt, or the shard is on its way to another node. Nothing was done;
    /// fail the message, or try again later.</returns>
    /// <remarks>A process that stands still between this call and the act for longer than what is left of its lease can act late once (protocol 4.5): give the outer system
    /// <see cref="Effect.Epoch"/>, or a key by which it knows a repeat, where it takes one.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The limit is not within its bounds.</exception>
    /// <exception cref="InvalidOperationException">The type is not registered with external effects.</exception>
    public bool TryBeginEffect(TimeSpan limit, [NotNullWhen(true)] out Effect? effect)
    {
        if (limit <= TimeSpan.Zero || limit > _cell.Host.EffectLimit)
            throw new ArgumentOutOfRangeException(nameof(limit), limit, $"An effect of {Id} may take more than 0 and at most {_cell.Host.EffectLimit}; split what takes longer.");
        var gate = _cell.Shard.Effects ?? throw new InvalidOperationException($"{Id} has no external effects; register its type with externalEffects: true.");
        var ownership = _cell.Host.Ownership;
        effect = gate.Enter(limit, _cell.Shard.Type.ActsByAssent ? of => ownership.MayAct(of) || ownership.MayActByAssent(of) : ownership.MayAct);
        return effect is not null;
    }

    /// <summary>Says that this individually placed entity has ended for good. What waits for it is still delivered; then its shard is closed, and each later message to it is refused
    /// (<see cref="FailureKind.EntityEnded"/>). Its id may not be used again.</summary>
    /// <remarks>It may be activated again where its node is lost before the store knows: a journaled entity that finds itself ended says so again. A second call changes nothing. A journaled entity calls
    /// it when its end is committed (<see cref="JournaledEntity{TEvent}.Committed"/>), not while it decides: a decision may be lost, the end of a shard is for good.</remarks>
    /// <exception cref="InvalidOperationException">Its type is not registered as placed.</exception>
    public void End()
    {
        if (!_cell.Shard.Type.IsPlaced) throw new InvalidOperationException($"{Id} shares its shard with others and cannot end it; register its type by WithPlacedEntity.");
        _cell.Host.Ownership.EntityEnded(_cell.Shard.No, _cell.Shard.Epoch);
    }

    /// <summary>Sends the entity a message of its own after a time; a timer of the same name is replaced.</summary>
    /// <param name="name">Name of the timer within the entity.</param>
    /// <param name="due">From now; a negative time counts as 0. One that fires late is delivered late.</param>
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
