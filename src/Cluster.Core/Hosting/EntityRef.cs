using ActorCluster.Entities;
using ActorCluster.Primitives;
using ActorCluster.Sharding;

namespace ActorCluster.Hosting;

/// <summary>An entity's address, ready to be sent to.</summary>
/// <remarks>Thread-safe. Messages of one sender arrive in the order in which their sends were begun.</remarks>
public sealed class EntityRef
{
    private readonly ClusterNode _node;

    internal EntityRef(ClusterNode node, EntityId id) => (_node, Id) = (node, id);

    /// <summary>The address.</summary>
    public EntityId Id { get; }

    /// <summary>Sends a request and waits for its reply, at most <c>Cluster:Limits:AskTimeout</c> (5 s).</summary>
    /// <param name="request">The request; not to be changed afterwards, since an entity of this process gets the very object.</param>
    /// <param name="cancel">Ends the wait; the request may still take effect.</param>
    /// <exception cref="EntityException">No reply: its failure says why, and whether the request may have taken effect.</exception>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    public Task<TReply> AskAsync<TReply>(IRequest<TReply> request, CancellationToken cancel = default) => AskAsync(request, null, cancel);

    /// <summary>As the other overload, with a command id: however often it is sent, it takes effect at most once and is answered alike.</summary>
    public async Task<TReply> AskAsync<TReply>(IRequest<TReply> request, CommandId? command, CancellationToken cancel = default)
    {
        var promise = new AskPromise<TReply>();
        _node.Post(new Envelope(Id, request, promise) { Command = command });
        try
        {
            return await promise.Task.WaitAsync(_node.AskTimeout, cancel).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            promise.IsAbandoned = true;
            throw new EntityException(EntityFailure.TimedOut(Id.StoreKey, _node.AskTimeout));
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            promise.IsAbandoned = true;
            throw;
        }
    }

    /// <summary>Sends a message and does not wait. It is lost where an ask would fail.</summary>
    public void Tell(object message) => _node.Post(new Envelope(Id, message, null));

    private sealed class AskPromise<TReply>() : TaskCompletionSource<TReply>(TaskCreationOptions.RunContinuationsAsynchronously), IReplySink, IAbandonable
    {
        public bool IsAbandoned { get; set; }

        public void Reply(object reply)
        {
            if (reply is TReply expected) TrySetResult(expected);
            else TrySetException(new EntityException(EntityFailure.Faulted("the entity", new InvalidCastException($"it replied a {reply.GetType().Name}, not a {typeof(TReply).Name}"), noEffect: false)));
        }

        public void Fail(EntityFailure failure) => TrySetException(new EntityException(failure));
    }
}
