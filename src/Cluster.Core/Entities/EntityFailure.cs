namespace ActorCluster.Entities;

/// <summary>Why an ask got no reply.</summary>
public enum FailureKind
{
    /// <summary>The entity's mailbox was full; the message took no effect.</summary>
    MailboxFull,

    /// <summary>Too much is held for the entity's shard while it moves; the message took no effect.</summary>
    Busy,

    /// <summary>The entity's owner went away or could not be reached: the message may have taken effect, if it was sent.</summary>
    EntityUnavailable,

    /// <summary>Durable work is refused while the store is out of reach; it may have taken effect if it was under way.</summary>
    StoreUnavailable,

    /// <summary>No reply in time: it may have taken effect, or may still.</summary>
    AskTimeout,

    /// <summary>The entity's type knows no message of that name or version; nothing happened.</summary>
    UnknownMessage,

    /// <summary>A command that must come before this one has not arrived; it took no effect.</summary>
    OutOfOrder,

    /// <summary>The command's id is below the window in which repeats are recognised: this copy took no effect, an earlier one may have.</summary>
    TooOld,

    /// <summary>The entity threw, or ended its turn without an answer.</summary>
    EntityFaulted,

    /// <summary>The message or its reply is larger than a frame between nodes; a message that is too large took no effect.</summary>
    TooLarge,

    /// <summary>The individually placed entity has ended; the message took no effect.</summary>
    EntityEnded,
}

/// <summary>A typed failure of an ask: what, why, and what may have happened.</summary>
/// <param name="Kind">Which failure.</param>
/// <param name="Message">One line for people: what, which value, how to mend it.</param>
/// <param name="NoEffect">True when the message certainly took no effect.</param>
public sealed record EntityFailure(FailureKind Kind, string Message, bool NoEffect)
{
    /// <summary>Sending the same command again, with the same id, may succeed.</summary>
    public bool IsRetryable => Kind is not (FailureKind.UnknownMessage or FailureKind.TooOld or FailureKind.EntityFaulted or FailureKind.TooLarge or FailureKind.EntityEnded);

    internal static EntityFailure MailboxFull(string entity, int limit) => new(FailureKind.MailboxFull, $"The mailbox of {entity} holds {limit} messages; send again later.", true);

    internal static EntityFailure Busy(string entity) => new(FailureKind.Busy, $"Too many messages wait for {entity} while its shard moves; send again later.", true);

    internal static EntityFailure Ended(string entity) => new(FailureKind.EntityEnded, $"{entity} has ended; an id is not used again.", true);

    internal static EntityFailure Lost(string entity) => new(FailureKind.EntityUnavailable, $"The owner of {entity} went away before it answered; the message may have taken effect.", false);

    internal static EntityFailure Unreachable(string entity) => new(FailureKind.EntityUnavailable, $"No owner of {entity} could be reached in time; the message took no effect.", true);

    internal static EntityFailure StoreAway(string entity, bool noEffect) => new(FailureKind.StoreUnavailable, $"{entity} cannot record anything: the store is out of reach; send again later.", noEffect);

    internal static EntityFailure TimedOut(string entity, TimeSpan limit) => new(FailureKind.AskTimeout, $"{entity} did not answer within {limit.TotalSeconds:0.###} s; the message may have taken effect.", false);

    internal static EntityFailure Unknown(string entity, string message) => new(FailureKind.UnknownMessage, $"{entity} knows no message '{message}'; register it under that name on every node, or update the node that owns the entity.", true);

    internal static EntityFailure OutOfOrder(string entity, long after) => new(FailureKind.OutOfOrder, $"{entity} has not seen the client's command {after}, which must come first; send it again, then this one.", true);

    internal static EntityFailure TooOld(string entity, long sequence) => new(FailureKind.TooOld, $"Command {sequence} to {entity} is older than the last 256 commands of its client; whether an earlier copy took effect is not known any more.", false);

    internal static EntityFailure Faulted(string entity, Exception cause, bool noEffect) => new(FailureKind.EntityFaulted, $"{entity} failed: {cause.GetType().Name}: {cause.Message}", noEffect);

    internal static EntityFailure Unanswered(string entity, string message) => new(FailureKind.EntityFaulted, $"{entity} has no reply to '{message}'; the message took its effect. Let the entity answer it, or tell it instead of asking.", false);

    internal static EntityFailure Forgotten(string entity, long seq) => new(FailureKind.EntityFaulted, $"{entity} has executed that command, but its row {seq} is not kept any more, nor what it was answered with.", false);

    internal static EntityFailure TooLarge(string entity, string what, int bytes, int limit, bool noEffect) => new(FailureKind.TooLarge, $"{entity}: {what} takes {bytes} bytes, {limit} fit between nodes; split it, or raise Cluster:Limits:FrameBytes on every node.", noEffect);
}

/// <summary>An ask failed; <see cref="Failure"/> says how.</summary>
public sealed class EntityException(EntityFailure failure) : Exception(failure.Message)
{
    /// <summary>What, why, and what may have happened.</summary>
    public EntityFailure Failure { get; } = failure;
}
