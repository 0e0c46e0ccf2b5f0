using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>Takes the one answer to a message: a reply or a failure, on any thread, sometimes under a shard's lock: return fast, throw nothing.</summary>
internal interface IReplySink
{
    void Reply(object reply);

    void Fail(EntityFailure failure);
}

/// <summary>One message on its way to an entity; also its node in the mailbox.</summary>
internal sealed class Envelope(EntityId target, object message, IReplySink? sink)
{
    public EntityId Target { get; } = target;

    public object Message { get; } = message;

    /// <summary>Who waits for the answer; null for a tell.</summary>
    public IReplySink? Sink { get; } = sink;

    /// <summary>Makes a repeat harmless; null for a message without an id.</summary>
    public CommandId? Command { get; init; }

    /// <summary>The client's command that must come first, 0 for none.</summary>
    public long After { get; init; }

    /// <summary>The entity's turn has answered it.</summary>
    public bool IsAnswered { get; set; }

    /// <summary>The next in the mailbox.</summary>
    public Envelope? Next { get; set; }
}
