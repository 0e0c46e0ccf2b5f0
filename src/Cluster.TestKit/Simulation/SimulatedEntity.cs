using System.Collections.Immutable;
using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>A journaled entity of the user's in the simulator, instead of the chat room: its own class decides, applies, replies, encodes, saves and loads there, so what is judged is what runs in production.</summary>
/// <remarks>
/// Made by <see cref="Of"/>. What the engine does around an entity is the simulator's own host, as for the chat room: turns on speculative state, window of command ids, group commit, snapshots (every 20
/// rows, where there is a <see cref="JournaledEntity{TEvent}.SnapshotSchema"/>), moves, fencing. Not called: <see cref="Entity.ActivateAsync"/>, <c>Hear</c> and <c>Committed</c>; <c>Context</c> throws, so a
/// decision that needs its id must be told it. Durable timers end the run as a violation of <c>Exit</c>: test such an entity in a <see cref="TestCluster"/>.
/// <para>Beside the invariants of the protocol the simulator asks <c>Replay</c> of it: whatever it recorded and replied, a fresh instance that has read the journal up to there must decide, record and reply the same.</para>
/// </remarks>
public abstract record SimulatedEntity
{
    private protected SimulatedEntity(string type, Action<MessageCatalog> messages)
    {
        Type = type;
        Messages = new MessageCatalog();
        messages(Messages);
    }

    /// <summary>Name of the type; its entities have ids <c>r0</c>, <c>r1</c> and so on in drawn runs, as many as <see cref="SimulationOptions.Rooms"/> says.</summary>
    public string Type { get; }

    internal MessageCatalog Messages { get; }

    /// <summary>Puts an entity into the simulator.</summary>
    /// <typeparam name="TEvent">What its journal holds.</typeparam>
    /// <param name="type">Name of the type as in production, 1 to 64 characters of a-z, 0-9, '-' and '.'.</param>
    /// <param name="make">Makes a fresh one. Called at each activation, on one thread per run, and on several where a campaign has several; what it is given must not be shared state.</param>
    /// <param name="messages">Registers its messages, as in production: they and the replies go through their codecs.</param>
    public static SimulatedEntity<TEvent> Of<TEvent>(string type, Func<JournaledEntity<TEvent>> make, Action<MessageCatalog> messages)
    {
        ArgumentException.ThrowIfNullOrEmpty(type);
        ArgumentNullException.ThrowIfNull(make);
        ArgumentNullException.ThrowIfNull(messages);
        return new SimulatedEntity<TEvent>(type, make, messages);
    }

    internal abstract SimUserEntity Make();

    /// <summary>The message that a client sends next.</summary>
    internal abstract object DrawMessage(Random random);

    /// <summary>What the user's checker says against a history; null for nothing.</summary>
    internal abstract string? Judge(string entity, IReadOnlyList<JournalRow> rows, IReadOnlyList<SimulatedCommand> commands);
}

/// <summary>A journaled entity of the user's, what clients send it, and what must hold of its histories.</summary>
/// <typeparam name="TEvent">What its journal holds.</typeparam>
public sealed record SimulatedEntity<TEvent> : SimulatedEntity
{
    private readonly Func<JournaledEntity<TEvent>> _make;

    internal SimulatedEntity(string type, Func<JournaledEntity<TEvent>> make, Action<MessageCatalog> messages)
        : base(type, messages) => _make = make;

    /// <summary>Draws the next message of a client from a stream that the seed decides; an <see cref="IReadRequest"/> is a read. Nothing else may decide: no clock, no state, no other randomness. Needed for drawn runs, not for a <see cref="SimulatedCluster"/> without clients.</summary>
    public Func<Random, object>? Draw { get; init; }

    /// <summary>Judges one entity's history when a run has come to rest; any exception is a violation of <c>Checker</c>, with its message. Null: nothing is asked beside the built-in invariants.</summary>
    public Action<SimulatedHistory<TEvent>>? Check { get; init; }

    internal override SimUserEntity Make() => new(_make(), Messages);

    internal override object DrawMessage(Random random) =>
        (Draw ?? throw new InvalidOperationException($"{Type} has no {nameof(Draw)}; say what its clients send, or give the run no clients."))(random);

    internal override string? Judge(string entity, IReadOnlyList<JournalRow> rows, IReadOnlyList<SimulatedCommand> commands)
    {
        if (Check is null) return null;
        IJournaledCore codec = _make();
        var history = new SimulatedHistory<TEvent>(entity, [.. rows.Select(r => new SimulatedEvent<TEvent>((TEvent)codec.Decode(r.Kind, r.Payload.Span), r.EntitySeq, r.Command))], [.. commands]);
        try
        {
            Check(history);
            return null;
        }
        catch (Exception complaint)
        {
            return complaint.Message.ReplaceLineEndings(" ");
        }
    }
}

/// <summary>All that one entity's journal and its clients have when a run has come to rest.</summary>
/// <param name="Entity">Its key, <c>type/id</c>.</param>
/// <param name="Events">What was committed, in order, the first at sequence 1; also what was truncated since.</param>
/// <param name="Commands">What its clients sent, in order of time; reads are not among them.</param>
public sealed record SimulatedHistory<TEvent>(string Entity, ImmutableArray<SimulatedEvent<TEvent>> Events, ImmutableArray<SimulatedCommand> Commands);

/// <summary>A committed event.</summary>
/// <param name="Event">What the codec reads.</param>
/// <param name="Seq">Its place in the journal, gapless from 1.</param>
/// <param name="Command">The command whose effect it is.</param>
public sealed record SimulatedEvent<TEvent>(TEvent Event, long Seq, CommandId? Command);

/// <summary>A command as its client knows it.</summary>
/// <param name="Id">Its id, the same in all attempts.</param>
/// <param name="Message">What was sent.</param>
/// <param name="IsAnswered">The client has an answer; else it gave up, and the command took effect or not.</param>
/// <param name="Reply">The answer, read by its codec; null while there is none.</param>
/// <param name="Seq">Sequence of its event; 0 when it had none, or there is no answer.</param>
/// <param name="Attempts">How often it was sent, 1 at least unless the run ended before.</param>
public sealed record SimulatedCommand(CommandId Id, object Message, bool IsAnswered, object? Reply, long Seq, int Attempts);
