using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>What an entity may know and do beside its messages.</summary>
/// <remarks>To be used in the entity's own turns only.</remarks>
public sealed class EntityContext
{
    private readonly EntityCell _cell;
    private Dictionary<string, long>? _timers;
    private long _timerId;

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
    public void Reply(object reply) => Current?.Sink?.Reply(reply);

    /// <summary>Sends the entity a message of its own after a time; a timer of the same name is replaced.</summary>
    /// <param name="name">Name of the timer within the entity.</param>
    /// <param name="due">From now; at least 0.</param>
    /// <param name="message">Delivered like any message, without a sender. In memory only: it ends with the entity.</param>
    public void SetTimer(string name, TimeSpan due, object message)
    {
        var id = ++_timerId;
        (_timers ??= [])[name] = id;
        _cell.Host.Timers.Set(due, () => _cell.Enqueue(new Envelope(_cell.Id, new TimerFired(name, id, message), null)));
    }

    /// <summary>Ends a timer; one that is due already and waits in the mailbox is ignored when its turn comes.</summary>
    public void CancelTimer(string name) => _timers?.Remove(name);

    /// <summary>The message of a timer that still holds, else null.</summary>
    internal object? Fire(TimerFired timer) =>
        _timers is not null && _timers.TryGetValue(timer.Name, out var id) && id == timer.Id && _timers.Remove(timer.Name) ? timer.Message : null;

    internal sealed record TimerFired(string Name, long Id, object Message);
}
