using System.Buffers;
using System.Collections.Immutable;
using ActorCluster.Persistence;

namespace ActorCluster.Entities;

/// <summary>Bytes of an entity's events.</summary>
public interface IEventCodec<TEvent>
{
    /// <summary>Writes an event and returns the stable name of its schema, for example <c>room.message.v1</c>.</summary>
    string Encode(TEvent happened, IBufferWriter<byte> into);

    /// <summary>Reads an event of a schema that this or an earlier release wrote.</summary>
    TEvent Decode(string kind, ReadOnlySpan<byte> bytes);
}

/// <summary>What a journaled entity makes of a message.</summary>
/// <param name="Event">The effect to record; null for none.</param>
/// <param name="HasEvent">There is one.</param>
/// <param name="Reply">Answer, sent after the commit; null for none. Answers that depend on the event's sequence are made by <see cref="JournaledEntity{TEvent}.ReplyFor"/>.</param>
public readonly record struct Decision<TEvent>(TEvent? Event, bool HasEvent, object? Reply)
{
    /// <summary>Record an event, then answer.</summary>
    public static Decision<TEvent> Record(TEvent happened, object? reply = null) => new(happened, true, reply);

    /// <summary>Answer without an effect.</summary>
    public static Decision<TEvent> Answer(object reply) => new(default, false, reply);

    internal ImmutableArray<TimerOrder> Timers { get; init; }

    /// <summary>With the event, a timer is set: after <paramref name="delay"/> the entity decides on <paramref name="message"/>, on whichever node it is then.</summary>
    /// <param name="key">Its name within the entity, 1 to 64 characters, none of them NUL; a timer of that name is replaced.</param>
    /// <param name="delay">By the store's clock, from the decision on; at least 0.</param>
    /// <param name="message">Registered for the entity's type, no read, at most 16 KiB when encoded.</param>
    /// <remarks>The timer exists if and only if the event is committed. It fires at most once with an effect: what the firing records and the end of the timer are one commit. A firing
    /// that fails is repeated. An entity has at most 64 timers; it must say <see cref="JournaledEntity{TEvent}.HasDurableTimers"/>.</remarks>
    /// <exception cref="ArgumentException">The key or the delay is not as said. A message that is not as said fails the turn with EntityFaulted, and nothing is recorded.</exception>
    /// <exception cref="InvalidOperationException">The decision has no event: a timer is set in the commit of one.</exception>
    public Decision<TEvent> SetTimer(string key, TimeSpan delay, object message)
    {
        ArgumentNullException.ThrowIfNull(message);
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        return With(new TimerOrder(key, delay, 0, message));
    }

    /// <summary>As <see cref="SetTimer(string, TimeSpan, object)"/>, at a time of the store's clock; one that is past fires at once.</summary>
    /// <inheritdoc cref="SetTimer(string, TimeSpan, object)" path="/exception" />
    public Decision<TEvent> SetTimer(string key, DateTimeOffset due, object message)
    {
        ArgumentNullException.ThrowIfNull(message);
        return With(new TimerOrder(key, null, due.ToUnixTimeMilliseconds(), message));
    }

    /// <summary>With the event, a timer ends without having fired; harmless when there is none of that name.</summary>
    /// <param name="key">Its name within the entity, as it was set.</param>
    /// <inheritdoc cref="SetTimer(string, TimeSpan, object)" path="/exception" />
    public Decision<TEvent> CancelTimer(string key) => With(new TimerOrder(key, null, 0, null));

    private Decision<TEvent> With(TimerOrder order)
    {
        ArgumentNullException.ThrowIfNull(order.Key, "key");
        if (order.Key.Length is < 1 or > DurableTimer.KeyCharactersMax || order.Key.Contains('\0', StringComparison.Ordinal))
            throw new ArgumentException($"Timer key '{order.Key}' has {order.Key.Length} characters; give 1 to {DurableTimer.KeyCharactersMax}, none of them NUL.", "key");
        if (!HasEvent) throw new InvalidOperationException($"Timer '{order.Key}': a timer is set or cancelled in the commit of an event; record one.");
        return this with { Timers = Timers.IsDefault ? [order] : Timers.Add(order) };
    }
}

/// <summary>What a decision does to a timer.</summary>
/// <param name="Key">Its name.</param>
/// <param name="Delay">When it is due, from now; null for <paramref name="DueUnixMs"/>.</param>
/// <param name="DueUnixMs">When it is due.</param>
/// <param name="Message">Null to cancel it.</param>
internal sealed record TimerOrder(string Key, TimeSpan? Delay, long DueUnixMs, object? Message);

/// <summary>An event with its place in the entity's journal.</summary>
public readonly record struct Recorded<TEvent>(TEvent Event, long Seq, long AtUnixMs);

/// <summary>An entity whose state is the fold of its journal: decided events are appended, and only then answered and told.</summary>
/// <remarks>Turns run on speculative state while earlier events commit; every answer waits for the commit of all that it may have seen (protocol 7.3). When the
/// shard is lost, the entity's memory goes and what was not committed is unknown to its sender. An entity that throws while it takes an event in has a
/// state that its journal does not: nothing of that event is recorded, and the memory is loaded anew.</remarks>
public abstract partial class JournaledEntity<TEvent> : Entity, IRowOwner
{
    private readonly Queue<Owed> _owed = new();
    private readonly Queue<Recorded<TEvent>> _uncommitted = new();
    private readonly CommandWindow _window = new();
    private readonly ArrayBufferWriter<byte> _buffer = new();
    private long _seq;
    private long _committed;
    private long _committedSignal;
    private bool _dropped;
    private bool _diverged;

    /// <summary>Sequence of the last committed event, 0 before the first.</summary>
    protected long CommittedSeq => _committed;

    /// <summary>Codec of the events.</summary>
    protected abstract IEventCodec<TEvent> Events { get; }

    /// <summary>Decides what a message does. Pure: reads the entity's state, changes nothing, may run on uncommitted state.</summary>
    protected abstract Decision<TEvent> Decide(object message);

    /// <summary>Takes a message that concerns only this activation (a listener that comes or goes): answered at once, never recorded, no speculation told.</summary>
    /// <returns>Null when the message is to be decided.</returns>
    protected virtual object? Hear(object message) => null;

    /// <summary>Takes an event into the state; called for each event once, in order.</summary>
    protected abstract void Apply(TEvent happened, long seq);

    /// <summary>The reply to a command whose event got this sequence; asked right after <see cref="Apply"/> when the decision carried none.</summary>
    protected virtual object? ReplyFor(TEvent happened, long seq) => null;

    /// <summary>Events are on stable storage: the moment to tell others. In order, each once while the entity stays in memory; those of a reload are not told again.</summary>
    protected virtual void Committed(IReadOnlyList<Recorded<TEvent>> events) { }

    /// <inheritdoc />
    protected internal sealed override ValueTask ReceiveAsync(object message) => throw new InvalidOperationException("A journaled entity decides.");

    internal override bool OwesAnswers => _owed.Count > 0 || _uncommitted.Count > 0;

    /// <summary>A hot entity whose snapshot is overdue, or one that must be loaded anew, takes no message until what it has decided is committed.</summary>
    internal override bool WantsQuiet => _uncommitted.Count > 0 && (_diverged || (SnapshotSchema is not null && _seq - _snapshotSeq >= 2 * SnapshotEvery));

    void IRowOwner.RowCommitted(long entitySeq)
    {
        Volatile.Write(ref _committedSignal, entitySeq);
        Context.Cell.Attend();
    }

    internal override ValueTask TurnAsync(Envelope envelope)
    {
        if (envelope.Message is TimerDue due)
        {
            Fire(envelope, due);
            return ValueTask.CompletedTask;
        }
        var (sink, entity, ownership) = (envelope.Sink, Context.Id, Context.Cell.Host.Ownership);
        var isOvertaken = false;
        if (envelope.Command is { } id)
        {
            switch (_window.Find(id, out var executed))
            {
                case CommandKnowledge.Overtaken:
                    isOvertaken = envelope.After != Envelope.Unordered;
                    break;
                case CommandKnowledge.Repeat:
                    AnswerRepeat(envelope, executed);
                    return ValueTask.CompletedTask;
                case CommandKnowledge.TooOld:
                    Owe(sink, EntityFailure.TooOld(entity.StoreKey, id.Sequence));
                    return ValueTask.CompletedTask;
            }
            if (envelope.After > 0 && !_window.HasHandled(id.Client, envelope.After))
            {
                Owe(sink, EntityFailure.OutOfOrder(entity.StoreKey, envelope.After));
                return ValueTask.CompletedTask;
            }
        }
        var isRead = envelope.Message is IReadRequest;
        Decision<TEvent> decision;
        try
        {
            if (Hear(envelope.Message) is { } heard)
            {
                sink?.Reply(heard);
                return ValueTask.CompletedTask;
            }
            if (!isRead && ownership.Mode is NodeMode.Frozen or NodeMode.Fenced)
            {
                sink?.Fail(EntityFailure.StoreAway(entity.StoreKey, noEffect: true));
                return ValueTask.CompletedTask;
            }
            if (!isRead && Context.Cell.Host.Journal.IsFull)
            {
                sink?.Fail(EntityFailure.Busy(entity.StoreKey));
                return ValueTask.CompletedTask;
            }
            decision = Decide(envelope.Message);
            if (isRead && decision.HasEvent) throw new InvalidOperationException($"{envelope.Message.GetType().Name} is a read request, but the entity decided an event for it.");
            if (decision.HasEvent && isOvertaken)
            {
                Owe(sink, EntityFailure.TooOld(entity.StoreKey, envelope.Command!.Value.Sequence));
                return ValueTask.CompletedTask;
            }
            if (decision.HasEvent)
            {
                Record(envelope, decision);
                return ValueTask.CompletedTask;
            }
        }
        catch (Exception cause)
        {
            Refuse(envelope, cause);
            return ValueTask.CompletedTask;
        }
        if (envelope.Command is { } handled) _window.NoteHandled(handled);
        if (sink is null) return ValueTask.CompletedTask;
        if (decision.Reply is not { } reply)
        {
            sink.Fail(EntityFailure.Unanswered(entity.StoreKey, envelope.Message.GetType().Name));
            return ValueTask.CompletedTask;
        }
        // A refusal tells of the state as much as a read does.
        if (!ownership.MayReadUnmarked) return AnswerConfirmedAsync(sink, reply);
        Owe(new Owed(_seq, sink, reply));
        return ValueTask.CompletedTask;
    }

    internal override void Attend()
    {
        var upTo = Volatile.Read(ref _committedSignal);
        if (_dropped || upTo <= _committed) return;
        _committed = upTo;
        var told = new List<Recorded<TEvent>>();
        while (_uncommitted.TryPeek(out var next) && next.Seq <= upTo) told.Add(_uncommitted.Dequeue());
        try
        {
            Committed(told);
        }
        catch (Exception cause)
        {
            Context.Cell.Host.Log.ListenerFaulted(cause, Context.Id.StoreKey);
        }
        while (_owed.TryPeek(out var owed) && owed.Seq <= upTo)
        {
            _owed.Dequeue();
            Pay(owed);
        }
        if (_uncommitted.Count > 0) return;
        if (_diverged) LoadAnew();
        else if (_seq - _snapshotSeq >= SnapshotEvery) _ = SaveAsync();
    }

    internal override void Dropped(Func<string, EntityFailure> why)
    {
        _dropped = true;
        if (_owed.Count == 0) return;
        var failure = why(Context.Id.StoreKey);
        while (_owed.TryDequeue(out var owed)) Pay(owed with { Failure = failure });
    }

    private void Record(Envelope envelope, Decision<TEvent> decision)
    {
        var cell = Context.Cell;
        var (happened, seq, at) = (decision.Event!, _seq + 1, NowMs());
        var timers = ChangesOf(envelope, decision, seq);
        _buffer.ResetWrittenCount();
        var kind = Events.Encode(happened, _buffer);
        ReadOnlyMemory<byte> payload = _buffer.WrittenSpan.ToArray();
        ReadOnlyMemory<byte>? result;
        object? reply;
        try
        {
            Apply(happened, seq);
            reply = envelope.Message is TimerDue ? TimerOutcome.Recorded : decision.Reply ?? ReplyFor(happened, seq);
            result = EncodeReply(envelope, reply);
        }
        catch (Exception cause)
        {
            _diverged = true;
            cell.Host.Log.EntityDiverged(cause, cell.Id.StoreKey);
            throw;
        }
        _seq = seq;
        Note(timers);
        if (envelope.Command is { } id) _window.NoteExecuted(id, seq, at);
        _uncommitted.Enqueue(new Recorded<TEvent>(happened, seq, at));
        if (envelope.Sink is { } sink)
            Owe(reply is not null ? new Owed(seq, sink, reply) : new Owed(seq, sink, null, EntityFailure.Unanswered(cell.Id.StoreKey, envelope.Message.GetType().Name)));
        if (!cell.Host.Journal.Add(cell.Shard.No, cell.Shard.Epoch, cell.Generation, new JournalRow(cell.Id.StoreKey, seq, envelope.Command, kind, payload, result, at) { Timers = timers }, this))
            cell.Kill(EntityFailure.Lost, EntityFailure.Lost); // The shard was lost in this very turn: nothing of it will commit.
    }

    /// <summary>User code threw before anything was recorded.</summary>
    private void Refuse(Envelope envelope, Exception cause)
    {
        var cell = Context.Cell;
        cell.Host.Log.EntityFaulted(cause, cell.Id.StoreKey);
        // Handled for good, like a refusal: else the client's next command would wait for it for ever.
        if (envelope.Command is { } id) _window.NoteHandled(id);
        Owe(envelope.Sink, EntityFailure.Faulted(cell.Id.StoreKey, cause, noEffect: true));
        if (_diverged && _uncommitted.Count == 0) LoadAnew();
    }

    /// <summary>Memory that its journal does not explain goes, once nothing of it is under way: a new activation may only load what will not change.</summary>
    private void LoadAnew()
    {
        Context.Cell.Kill(EntityFailure.Unreachable, EntityFailure.Lost);
        Context.Cell.Shard.Remove(Context.Cell);
    }

    private ReadOnlyMemory<byte>? EncodeReply(Envelope envelope, object? reply)
    {
        if (reply is null || envelope.Command is null || ReplyCodec(envelope) is not { } codec) return null;
        _buffer.ResetWrittenCount();
        codec.Encode(reply, _buffer);
        return _buffer.WrittenSpan.ToArray();
    }

    private IMessageCodec? ReplyCodec(Envelope envelope) => Context.Cell.Shard.Type.Messages.Find(envelope.Message.GetType())?.ReplyCodec;

    private void Owe(IReplySink? sink, EntityFailure failure)
    {
        if (sink is not null) Owe(new Owed(_seq, sink, null, failure));
    }

    private void Owe(Owed owed)
    {
        if (owed.Seq <= _committed) Pay(owed);
        else _owed.Enqueue(owed);
    }

    /// <summary>A repeat gets the answer of the first copy, from its journal row, and not before that row is committed.</summary>
    private void AnswerRepeat(Envelope envelope, long executed)
    {
        // Waiting for all that is decided, not just for its own row, keeps the queue in order.
        if (envelope.Sink is { } sink) Owe(new Owed(executed <= _committed ? executed : _seq, sink, null, null, executed, envelope));
    }

    private void Pay(Owed owed)
    {
        try
        {
            if (owed.Failure is { } failure) owed.Sink.Fail(failure);
            else if (owed.Reply is { } reply) owed.Sink.Reply(reply);
            else _ = PayFromJournalAsync(owed);
        }
        catch (Exception cause)
        {
            Context.Cell.Host.Log.AnswerFailed(cause, Context.Id.StoreKey);
        }
    }

    private async Task PayFromJournalAsync(Owed owed)
    {
        var (host, entity) = (Context.Cell.Host, Context.Id.StoreKey);
        try
        {
            var row = await host.Store.ReadJournalAsync(entity, owed.Executed, 1).ConfigureAwait(false);
            if (!row.IsOk) owed.Sink.Fail(EntityFailure.StoreAway(entity, noEffect: false));
            else if (row.Value.Length == 0 || row.Value[0].EntitySeq != owed.Executed) owed.Sink.Fail(EntityFailure.Forgotten(entity, owed.Executed));
            else if (row.Value[0].Result is { } kept && ReplyCodec(owed.Repeat!) is { } codec)
                owed.Sink.Reply(codec.Decode(kept.Span));
            else owed.Sink.Fail(EntityFailure.Unanswered(entity, owed.Repeat!.Message.GetType().Name)); // Its first copy was executed; no reply of it was kept.
        }
        catch (Exception cause)
        {
            host.Log.AnswerFailed(cause, entity);
            owed.Sink.Fail(EntityFailure.Faulted(entity, cause, noEffect: false));
        }
    }

    /// <summary>This node may have been replaced without knowing: ask the store once, after the read arrived, before memory is believed.</summary>
    private async ValueTask AnswerConfirmedAsync(IReplySink sink, object reply)
    {
        var (cell, entity) = (Context.Cell, Context.Id.StoreKey);
        var confirmed = await cell.Host.Store.ConfirmAsync(cell.Host.Ownership.Self, [(cell.Shard.No, cell.Shard.Epoch)]).ConfigureAwait(false);
        if (!confirmed.IsOk) sink.Fail(EntityFailure.StoreAway(entity, noEffect: true));
        else if (confirmed.Value.IsEmpty) sink.Fail(EntityFailure.Unreachable(entity));
        else Owe(new Owed(_seq, sink, reply));
    }

    private static long NowMs() => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    /// <summary>An answer that waits for a commit: a reply or a failure at hand, or the reply to an executed command, still to be read.</summary>
    private readonly record struct Owed(long Seq, IReplySink Sink, object? Reply, EntityFailure? Failure = null, long Executed = 0, Envelope? Repeat = null);
}
