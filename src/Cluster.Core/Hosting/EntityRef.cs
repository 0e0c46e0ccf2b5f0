using ActorCluster.Entities;
using ActorCluster.Primitives;

namespace ActorCluster.Hosting;

/// <summary>An entity's address, ready to be sent to. A small value: it may be kept, or made anew for each message.</summary>
/// <remarks>Thread-safe. Messages of one sender arrive in the order in which their sends were begun; a <see cref="TellAsync"/> is begun when it has been awaited. Get one by <see cref="IActorCluster.Entity"/>.</remarks>
public readonly struct EntityRef : IEquatable<EntityRef>
{
    private readonly ClusterNode? _node;

    internal EntityRef(ClusterNode node, EntityId id) => (_node, Id) = (node, id);

    /// <summary>The address.</summary>
    public EntityId Id { get; }

    private ClusterNode Node => _node ?? throw new InvalidOperationException("This is the default EntityRef, which addresses nothing; get one by IActorCluster.Entity<T>(id).");

    /// <summary>Sends a request and waits for its reply, at most <c>Cluster:Limits:AskTimeout</c> (5 s).</summary>
    /// <param name="request">The request; not to be changed afterwards, since an entity of this process gets the very object.</param>
    /// <param name="cancel">Ends the wait; the request may still take effect.</param>
    /// <returns>To be awaited once, or turned into a Task by <c>AsTask()</c>. The caller may be resumed on the thread that ran the entity's turn, after it.</returns>
    /// <exception cref="EntityException">No reply: its failure says why, and whether the request may have taken effect.</exception>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    public ValueTask<TReply> AskAsync<TReply>(IRequest<TReply> request, CancellationToken cancel = default)
    {
        if (cancel.IsCancellationRequested) return ValueTask.FromCanceled<TReply>(cancel);
        return Send(request, null, cancel);
    }

    /// <summary>As the other overload, with a command id: however often it is sent, it takes effect at most once and is answered alike. A client's commands may
    /// run in any order; one that is sent while an earlier one is unanswered does not wait for it.</summary>
    /// <exception cref="ArgumentException">The entity is not journaled: it would not remember what it has executed. Nothing was sent.</exception>
    public ValueTask<TReply> AskAsync<TReply>(IRequest<TReply> request, CommandId command, CancellationToken cancel = default)
    {
        if (cancel.IsCancellationRequested) return ValueTask.FromCanceled<TReply>(cancel);
        if (!Node.RemembersCommands(Id.Type)) throw new ArgumentException($"{Id} is not journaled and does not remember commands; ask it without a command id, or derive it from JournaledEntity.", nameof(command));
        return Send(request, command, cancel);
    }

    /// <summary>Sends a message and does not wait. It is lost where an ask would fail, and nobody is told.</summary>
    /// <exception cref="InvalidOperationException">This is the default <see cref="EntityRef"/>, which addresses nothing; so for the asks and <see cref="TellAsync"/>.</exception>
    public void Tell(object message) => Node.Tell(Id, message);

    /// <summary>Sends a message, after waiting while its entity's mailbox, or what waits for its shard, is more than half full: for those who send much. Whoever
    /// awaits each of its tells loses none to a full mailbox as long as the others do so too.</summary>
    /// <exception cref="EntityException">There was no room within <c>Cluster:Limits:AskTimeout</c>, or the node is not up; nothing was sent.</exception>
    public ValueTask TellAsync(object message, CancellationToken cancel = default) => Node.TellAsync(Id, message, cancel);

    private ValueTask<TReply> Send<TReply>(IRequest<TReply> request, CommandId? command, CancellationToken cancel)
    {
        var node = Node;
        var ask = Ask<TReply>.Rent(node.Asks);
        var reply = ask.Start(Id, request, command, cancel);
        node.Post(ask);
        return reply;
    }

    /// <inheritdoc />
    public bool Equals(EntityRef other) => _node == other._node && Id == other.Id;

    /// <inheritdoc />
    public override bool Equals(object? obj) => obj is EntityRef other && Equals(other);

    /// <inheritdoc />
    public override int GetHashCode() => Id.GetHashCode();

    /// <summary>The same entity of the same node.</summary>
    public static bool operator ==(EntityRef left, EntityRef right) => left.Equals(right);

    /// <summary>Not the same.</summary>
    public static bool operator !=(EntityRef left, EntityRef right) => !left.Equals(right);
}
