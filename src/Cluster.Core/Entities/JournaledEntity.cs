using System.Buffers;
using ActorCluster.Entities.Wire;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using Google.Protobuf;

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
}

/// <summary>An event with its place in the entity's journal.</summary>
public readonly record struct Recorded<TEvent>(TEvent Event, long Seq, long AtUnixMs);

/// <summary>An entity whose state is the fold of its journal: decided events are appended, and only then answered and told.</summary>
/// <remarks>Turns run on speculative state while earlier events commit; every answer waits for the commit of all that it may have seen (protocol 7.3). When the
/// shard is lost, the entity's memory goes and what was not committed is unknown to its sender.</remarks>
public abstract class JournaledEntity<TEvent> : Entity, IRowOwner
{
    private const int SnapshotEvery = 1000;
    private const int PageRows = 1000;

    private readonly Queue<Owed> _owed = new();
    private readonly Queue<Recorded<TEvent>> _uncommitted = new();
    private readonly CommandWindow _window = new();
    private readonly ArrayBufferWriter<byte> _buffer = new();
    private long _seq;
    private long _committed;
    private long _committedSignal;
    private long _snapshotSeq;
    private bool _dropped;
    private bool _saving;

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

    /// <summary>Name of the snapshot schema; null for an entity without snapshots.</summary>
    protected virtual string? SnapshotSchema => null;

    /// <summary>Writes the whole state; called only while everything is committed.</summary>
    protected virtual void SaveState(IBufferWriter<byte> into) { }

    /// <summary>Reads a state into the fresh entity.</summary>
    protected virtual void LoadState(string schema, ReadOnlySpan<byte> bytes) { }

    /// <inheritdoc />
    protected internal sealed override ValueTask ReceiveAsync(object message) => throw new InvalidOperationException("A journaled entity decides.");

    internal override bool OwesAnswers => _owed.Count > 0 || _uncommitted.Count > 0;

    /// <summary>A hot entity whose snapshot is overdue takes no message until what it has decided is committed.</summary>
    internal override bool WantsQuiet => SnapshotSchema is not null && _uncommitted.Count > 0 && _seq - _snapshotSeq >= 2 * SnapshotEvery;

    void IRowOwner.RowCommitted(long entitySeq)
    {
        Volatile.Write(ref _committedSignal, entitySeq);
        Context.Cell.Attend();
    }

    internal override async ValueTask StartAsync(EntityContext context)
    {
        var (store, entity, shard) = (context.Cell.Host.Store, context.Id.StoreKey, context.Cell.Shard);
        // A batch that was given up in doubt may still land: what is read before it is resolved would be half the truth.
        while (context.Cell.Host.Journal.HasOrphans(shard.No, shard.Epoch))
            await Task.Delay(5).ConfigureAwait(false);

        var snapshot = await store.ReadSnapshotAsync(entity).ConfigureAwait(false);
        if (!snapshot.IsOk) throw new EntityException(EntityFailure.StoreAway(entity, noEffect: true));
        if (snapshot.Value is { } found) Restore(found);
        while (true)
        {
            var page = await store.ReadJournalAsync(entity, _seq + 1, PageRows).ConfigureAwait(false);
            if (!page.IsOk) throw new EntityException(EntityFailure.StoreAway(entity, noEffect: true));
            foreach (var row in page.Value) Replay(row);
            if (page.Value.Length < PageRows) break;
        }
        _committed = _committedSignal = _seq;
        _window.Expire(NowMs());
        await base.StartAsync(context).ConfigureAwait(false);
    }

    internal override ValueTask TurnAsync(Envelope envelope)
    {
        var (sink, entity) = (envelope.Sink, Context.Id.StoreKey);
        Context.Current = envelope;
        if (envelope.Command is { } id)
        {
            switch (_window.Find(id, out var executed))
            {
                case CommandKnowledge.Repeat:
                    AnswerRepeat(envelope, executed);
                    return ValueTask.CompletedTask;
                case CommandKnowledge.TooOld:
                    sink?.Fail(EntityFailure.TooOld(entity, id.Sequence));
                    return ValueTask.CompletedTask;
            }
            if (envelope.After > 0 && !_window.HasHandled(id.Client, envelope.After))
            {
                sink?.Fail(EntityFailure.OutOfOrder(entity, envelope.After));
                return ValueTask.CompletedTask;
            }
        }
        if (Hear(envelope.Message) is { } heard)
        {
            sink?.Reply(heard);
            return ValueTask.CompletedTask;
        }
        var isRead = envelope.Message is IReadRequest;
        if (!isRead && Context.Cell.Host.Ownership.Mode is NodeMode.Frozen or NodeMode.Fenced)
        {
            sink?.Fail(EntityFailure.StoreAway(entity, noEffect: true));
            return ValueTask.CompletedTask;
        }
        if (!isRead && Context.Cell.Host.Journal.IsFull)
        {
            sink?.Fail(EntityFailure.Busy(entity));
            return ValueTask.CompletedTask;
        }
        var decision = Decide(envelope.Message);
        if (decision.HasEvent)
        {
            Record(envelope, decision);
            return ValueTask.CompletedTask;
        }
        if (envelope.Command is { } handled) _window.NoteHandled(handled);
        if (isRead && !Context.Cell.Host.Ownership.MayReadUnmarked) return AnswerConfirmedAsync(sink, decision.Reply);
        Owe(_seq, sink, decision.Reply);
        return ValueTask.CompletedTask;
    }

    internal override void Attend()
    {
        var upTo = Volatile.Read(ref _committedSignal);
        if (_dropped || upTo <= _committed) return;
        _committed = upTo;
        var told = new List<Recorded<TEvent>>();
        while (_uncommitted.TryPeek(out var next) && next.Seq <= upTo) told.Add(_uncommitted.Dequeue());
        Committed(told);
        while (_owed.TryPeek(out var owed) && owed.Seq <= upTo)
        {
            _owed.Dequeue();
            Pay(owed);
        }
        if (_uncommitted.Count == 0 && _seq - _snapshotSeq >= SnapshotEvery) _ = SaveAsync();
    }

    internal override void Dropped(Func<string, EntityFailure> why)
    {
        _dropped = true;
        if (_owed.Count == 0) return;
        var failure = why(Context.Id.StoreKey);
        while (_owed.TryDequeue(out var owed)) owed.Sink?.Fail(failure);
    }

    internal override async ValueTask SettleAsync()
    {
        if (_seq - _snapshotSeq >= SnapshotEvery / 4) await SaveAsync().ConfigureAwait(false);
    }

    private void Record(Envelope envelope, Decision<TEvent> decision)
    {
        var cell = Context.Cell;
        var (happened, seq, at) = (decision.Event!, _seq + 1, NowMs());
        _buffer.ResetWrittenCount();
        var kind = Events.Encode(happened, _buffer);
        var payload = _buffer.WrittenSpan.ToArray();
        Apply(happened, seq);
        _seq = seq;
        var reply = decision.Reply ?? ReplyFor(happened, seq);
        var row = new JournalRow(cell.Id.StoreKey, seq, envelope.Command, kind, payload, EncodeReply(envelope, reply), at);
        if (envelope.Command is { } id) _window.NoteExecuted(id, seq, at);
        _uncommitted.Enqueue(new Recorded<TEvent>(happened, seq, at));
        Owe(seq, envelope.Sink, reply);
        if (!cell.Host.Journal.Add(cell.Shard.No, cell.Shard.Epoch, cell.Generation, row, this))
            cell.Kill(EntityFailure.Lost, EntityFailure.Lost); // The shard was lost in this very turn: nothing of it will commit.
    }

    private ReadOnlyMemory<byte> EncodeReply(Envelope envelope, object? reply)
    {
        if (reply is null || envelope.Command is null || ReplyCodec(envelope) is not { } codec) return default;
        _buffer.ResetWrittenCount();
        codec.Encode(reply, _buffer);
        return _buffer.WrittenSpan.ToArray();
    }

    private IMessageCodec? ReplyCodec(Envelope envelope) => Context.Cell.Shard.Type.Messages.Find(envelope.Message.GetType())?.ReplyCodec;

    private void Owe(long seq, IReplySink? sink, object? reply)
    {
        if (sink is not null && reply is not null) Owe(new Owed(seq, sink, reply));
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
        if (envelope.Sink is { } sink) Owe(new Owed(executed <= _committed ? executed : _seq, sink, null, executed, ReplyCodec(envelope)));
    }

    private void Pay(Owed owed)
    {
        if (owed.Reply is not null) owed.Sink.Reply(owed.Reply);
        else _ = PayFromJournalAsync(owed);
    }

    private async Task PayFromJournalAsync(Owed owed)
    {
        var entity = Context.Id.StoreKey;
        var row = await Context.Cell.Host.Store.ReadJournalAsync(entity, owed.Executed, 1).ConfigureAwait(false);
        if (!row.IsOk || row.Value.Length == 0 || row.Value[0].EntitySeq != owed.Executed) owed.Sink.Fail(EntityFailure.StoreAway(entity, noEffect: false));
        else if (owed.Codec is { } codec && row.Value[0].Result.Length > 0) owed.Sink.Reply(codec.Decode(row.Value[0].Result.Span));
        else owed.Sink.Fail(EntityFailure.Lost(entity));
    }

    /// <summary>This node may have been replaced without knowing: ask the store once, after the read arrived, before memory is believed.</summary>
    private async ValueTask AnswerConfirmedAsync(IReplySink? sink, object? reply)
    {
        var (cell, entity) = (Context.Cell, Context.Id.StoreKey);
        var confirmed = await cell.Host.Store.ConfirmAsync(cell.Host.Ownership.Self, [(cell.Shard.No, cell.Shard.Epoch)]).ConfigureAwait(false);
        if (!confirmed.IsOk) sink?.Fail(EntityFailure.StoreAway(entity, noEffect: true));
        else if (confirmed.Value.IsEmpty) sink?.Fail(EntityFailure.Lost(entity));
        else Owe(_seq, sink, reply);
    }

    private void Replay(JournalRow row)
    {
        if (row.EntitySeq != _seq + 1) throw new InvalidDataException($"Journal of {row.Entity}: row {_seq + 1} is missing, {row.EntitySeq} follows.");
        Apply(Events.Decode(row.Kind, row.Payload.Span), row.EntitySeq);
        _seq = row.EntitySeq;
        if (row.Command is { } id) _window.NoteExecuted(id, row.EntitySeq, row.AtUnixMs);
    }

    private async Task SaveAsync()
    {
        if (SnapshotSchema is not { } schema || _saving || _uncommitted.Count > 0 || _snapshotSeq == _seq) return;
        _saving = true;
        var (cell, seq) = (Context.Cell, _seq);
        _window.Expire(NowMs());
        var content = new EntitySnapshotContent();
        var state = new ArrayBufferWriter<byte>();
        SaveState(state);
        content.State = ByteString.CopyFrom(state.WrittenSpan);
        foreach (var (id, lowWater, lastMs, commands) in _window.Contents)
        {
            var client = new EntitySnapshotContent.Types.Client { IdHigh = (ulong)(id.Value >> 64), IdLow = (ulong)id.Value, LowWater = lowWater, LastUnixMs = lastMs };
            foreach (var (sequence, entitySeq) in commands)
            {
                client.Sequences.Add(sequence);
                client.EntitySeqs.Add(entitySeq);
            }
            content.Clients.Add(client);
        }
        _snapshotSeq = seq; // Not again for the next thousand rows, even if this one fails.
        var saved = await cell.Host.Store.SaveSnapshotAsync(cell.Shard.No, cell.Shard.Epoch, cell.Host.Ownership.Self, new EntitySnapshot(cell.Id.StoreKey, seq, schema, content.ToByteArray())).ConfigureAwait(false);
        if (!saved.IsOk) cell.Host.Log.SnapshotFailed(cell.Id.StoreKey, saved.Verdict, saved.Reason);
        _saving = false;
    }

    private void Restore(EntitySnapshot snapshot)
    {
        var content = EntitySnapshotContent.Parser.ParseFrom(snapshot.Payload.Span);
        LoadState(snapshot.Schema, content.State.Span);
        foreach (var client in content.Clients)
            _window.Restore(new ClientId(new UInt128(client.IdHigh, client.IdLow)), client.LowWater, client.LastUnixMs, client.Sequences.Zip(client.EntitySeqs));
        _seq = _snapshotSeq = snapshot.EntitySeq;
    }

    private static long NowMs() => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    /// <summary>An answer that waits for a commit: a reply at hand, or that of an executed command, still to be read.</summary>
    private sealed record Owed(long Seq, IReplySink Sink, object? Reply, long Executed = 0, IMessageCodec? Codec = null);
}
