using System.Collections.Immutable;
using ActorCluster.Persistence;

namespace ActorCluster.Entities;

/// <summary>Durable timers: set, cancelled and fired in the commits of events.</summary>
/// <remarks>Which timers there are is part of the state: it runs ahead with the turns, is dropped with them, and is read anew from what committed. So a firing that
/// comes late, twice, or from an owner's memory that is no longer true finds no timer of its number, and does nothing.</remarks>
public abstract partial class JournaledEntity<TEvent>
{
    private Dictionary<string, long>? _timers; // Number by key; null for an entity without.

    /// <summary>Decisions may set timers that outlive the node (<see cref="Decision{TEvent}.SetTimer(string, TimeSpan, object)"/>). Costs one read more when the entity is activated.</summary>
    protected virtual bool HasDurableTimers => false;

    private async ValueTask LoadTimersAsync(EntityCell cell)
    {
        var read = await cell.Host.Store.ReadTimersAsync(cell.Shard.No, cell.Id.StoreKey).ConfigureAwait(false);
        if (read is not { IsOk: true, Value: { } page }) throw new EntityException(EntityFailure.StoreAway(cell.Id.StoreKey, noEffect: true));
        cell.Host.DurableTimers.ClockRead(page.NowUnixMs);
        _timers = page.Timers.ToDictionary(t => t.Timer.Key, t => t.Timer.No, StringComparer.Ordinal);
    }

    private void Fire(Envelope envelope, TimerDue due)
    {
        var (sink, entity, host) = (envelope.Sink!, Context.Id.StoreKey, Context.Cell.Host);
        try
        {
            if (_timers is null) throw new InvalidOperationException($"{entity} has a timer '{due.Timer.Key}', but its type takes none; override HasDurableTimers to return true.");
            if (_timers.GetValueOrDefault(due.Timer.Key, -1) != due.Timer.No)
            {
                Owe(new Owed(_seq, sink, TimerOutcome.Nothing)); // Fired, cancelled or replaced, by what may still have to commit.
                return;
            }
            if (host.Ownership.Mode is NodeMode.Frozen or NodeMode.Fenced)
            {
                sink.Fail(EntityFailure.StoreAway(entity, noEffect: true));
                return;
            }
            if (host.Journal.IsFull)
            {
                sink.Fail(EntityFailure.Busy(entity));
                return;
            }
            var decision = Decide(due.Message);
            if (decision.HasEvent)
            {
                Record(envelope, decision);
                return;
            }
            _timers.Remove(due.Timer.Key);
            Owe(new Owed(_seq, sink, TimerOutcome.Nothing));
        }
        catch (Exception cause)
        {
            Refuse(envelope, cause);
        }
    }

    /// <summary>What a decision, and the timer that it was made for, change; checked before anything is recorded.</summary>
    private ImmutableArray<TimerChange> ChangesOf(Envelope envelope, Decision<TEvent> decision, long seq)
    {
        var fired = (envelope.Message as TimerDue)?.Timer;
        if (decision.Timers.IsDefaultOrEmpty) return fired is null ? [] : [new TimerChange(fired.Key, null)];
        if (_timers is not { } timers) throw new InvalidOperationException($"{Context.Id} sets or cancels a timer; override HasDurableTimers to return true.");
        var changes = new SortedDictionary<string, DurableTimer?>(StringComparer.Ordinal);
        if (fired is not null) changes[fired.Key] = null;
        foreach (var order in decision.Timers) changes[order.Key] = null;
        // The last order on a name stands.
        var set = decision.Timers.GroupBy(o => o.Key, StringComparer.Ordinal).Select(o => o.Last()).Where(o => o.Message is not null).ToList();
        var left = timers.Keys.Count(k => !changes.ContainsKey(k)) + set.Count;
        if (left > DurableTimer.PerEntityMax) throw new InvalidOperationException($"{Context.Id} would have {left} timers; {DurableTimer.PerEntityMax} is the most. Cancel some, or keep the times in its state and one timer for the next of them.");
        var now = Context.Cell.Host.DurableTimers.NowUnixMs;
        for (var i = 0; i < set.Count; i++) changes[set[i].Key] = TimerOf(set[i], DurableTimer.Number(seq, i), now);
        return [.. changes.Select(c => new TimerChange(c.Key, c.Value))];
    }

    private DurableTimer TimerOf(TimerOrder order, long no, long nowUnixMs)
    {
        if (order.Message is IReadRequest) throw new InvalidOperationException($"Timer '{order.Key}' of {Context.Id}: {order.Message.GetType().Name} is a read request, which records nothing; give a command.");
        var type = Context.Cell.Shard.Type.Messages.Find(order.Message!.GetType())
            ?? throw new InvalidOperationException($"Timer '{order.Key}' of {Context.Id}: {order.Message.GetType().Name} is not registered; add it to the messages of the type.");
        _buffer.ResetWrittenCount();
        type.Codec.Encode(order.Message, _buffer);
        if (_buffer.WrittenCount > DurableTimer.PayloadBytesMax)
            throw new InvalidOperationException($"Timer '{order.Key}' of {Context.Id}: its message takes {_buffer.WrittenCount} bytes; {DurableTimer.PayloadBytesMax} is the most. Keep what is large in the entity's state.");
        var due = order.Delay is { } delay ? Math.Min(nowUnixMs + (long)delay.TotalMilliseconds, DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()) : order.DueUnixMs;
        return new DurableTimer(order.Key, no, due, type.Name, _buffer.WrittenSpan.ToArray());
    }

    private void Note(ImmutableArray<TimerChange> changes)
    {
        foreach (var (key, timer) in changes)
        {
            if (timer is null) _timers!.Remove(key);
            else _timers![key] = timer.No;
        }
    }
}
