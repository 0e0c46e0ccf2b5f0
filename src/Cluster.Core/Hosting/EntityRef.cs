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
    public Task<TReply> AskAsync<TReply>(IRequest<TReply> request, CommandId? command, CancellationToken cancel = default)
    {
        if (cancel.IsCancellationRequested) return Task.FromCanceled<TReply>(cancel);
        var promise = new AskPromise<TReply>(Id);
        _node.Asks.Add(promise); // First, so that an answer finds it there to be taken out.
        try
        {
            _node.Post(new Envelope(Id, request, promise) { Command = command });
        }
        catch
        {
            AskClock.Remove(promise);
            throw;
        }
        return cancel.CanBeCanceled ? promise.WaitAsync(cancel) : promise.Task;
    }

    /// <summary>Sends a message and does not wait. It is lost where an ask would fail.</summary>
    public void Tell(object message) => _node.Post(new Envelope(Id, message, null));

    private sealed class AskPromise<TReply>(EntityId target) : TaskCompletionSource<TReply>(TaskCreationOptions.RunContinuationsAsynchronously), IReplySink, IAbandonable, IAsk
    {
        private AskPlace _place;

        public bool IsAbandoned => Task.IsCompleted;

        public ref AskPlace Place => ref _place;

        public void Reply(object reply)
        {
            AskClock.Remove(this);
            if (reply is TReply expected) TrySetResult(expected);
            else TrySetException(new EntityException(EntityFailure.Faulted("the entity", new InvalidCastException($"it replied a {reply.GetType().Name}, not a {typeof(TReply).Name}"), noEffect: false)));
        }

        public void Fail(EntityFailure failure)
        {
            AskClock.Remove(this);
            TrySetException(new EntityException(failure));
        }

        public void TimeOut(TimeSpan limit) => Fail(EntityFailure.TimedOut(target.StoreKey, limit));

        /// <summary>Waits until the caller has had enough; nobody waits for the answer then.</summary>
        public async Task<TReply> WaitAsync(CancellationToken cancel)
        {
            await using var registration = cancel.UnsafeRegister(
                static (promise, token) =>
                {
                    AskClock.Remove((AskPromise<TReply>)promise!);
                    ((AskPromise<TReply>)promise!).TrySetCanceled(token);
                },
                this).ConfigureAwait(false);
            return await Task.ConfigureAwait(false);
        }
    }
}
