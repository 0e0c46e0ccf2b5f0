using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>Takes the one answer to a message: a reply or a failure, on any thread, sometimes under a shard's lock: return fast, throw nothing.</summary>
internal interface IReplySink
{
    void Reply(object reply);

    void Fail(EntityFailure failure);
}

/// <summary>One message on its way to an entity; also its node in the mailbox.</summary>
internal class Envelope
{
    /// <summary>As <see cref="After"/>: may run although a later command of its client has run.</summary>
    public const long Unordered = -1;

    public Envelope(EntityId target, object message, IReplySink? sink) => (Target, Message, Sink) = (target, message, sink);

    /// <summary>For a message that is used again: <see cref="Address"/> comes before each use.</summary>
    protected Envelope() => Message = "";

    public EntityId Target { get; private set; }

    public object Message { get; private set; }

    /// <summary>Who waits for the answer; null for a tell.</summary>
    public IReplySink? Sink { get; private set; }

    /// <summary>Makes a repeat harmless; null for a message without an id.</summary>
    public CommandId? Command
    {
        get => Order?.Command;
        init => Order = value is { } id ? new CommandOrder(id, After) : null;
    }

    /// <summary>The client's command that must come first, 0 for none; <see cref="Unordered"/> where the client's commands have no order.</summary>
    public long After
    {
        get => Order?.After ?? Unordered;
        init => Order = Order is { } order ? order with { After = value } : null; // Without an id there is no order: give the id first.
    }

    /// <summary>Both of them, apart because few messages have any.</summary>
    public CommandOrder? Order { get; protected set; }

    /// <summary>Another node sent it.</summary>
    public virtual bool IsFromElsewhere => false;

    /// <summary>The entity's turn has answered it.</summary>
    public bool IsAnswered { get; set; }

    /// <summary>The next in the mailbox.</summary>
    public Envelope? Next { get; set; }

    /// <summary>To be called once, at the beginning of the turn: whatever has still to be done before there is a message.</summary>
    /// <returns>Why there is none.</returns>
    public virtual EntityFailure? Open() => null;

    protected void Decoded(object message) => Message = message;

    protected void Address(EntityId target, object message, IReplySink? sink, CommandId? command)
    {
        (Target, Message, Sink) = (target, message, sink);
        Order = command is { } id ? new CommandOrder(id, Unordered) : null;
        (IsAnswered, Next) = (false, null);
    }
}

/// <summary>A command's id and its place among those of its client.</summary>
/// <param name="Command">The id.</param>
/// <param name="After">As <see cref="Envelope.After"/>.</param>
internal sealed record CommandOrder(CommandId Command, long After);
