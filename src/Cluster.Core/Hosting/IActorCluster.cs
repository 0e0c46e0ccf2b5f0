using ActorCluster.Entities;
using ActorCluster.Persistence;

namespace ActorCluster.Hosting;

/// <summary>The cluster as seen from this node.</summary>
/// <remarks>Thread-safe.</remarks>
public interface IActorCluster
{
    /// <summary>What this node may do now.</summary>
    NodeMode Mode { get; }

    /// <summary>The entity of this class and id, wherever it is; sending to it activates it. Cheap: no call is made.</summary>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is not registered on this node, or the id is not 1 to 255 UTF-8 bytes.</exception>
    EntityRef Entity<T>(string id)
        where T : Entity;

    /// <summary>The singleton of this class, wherever it is.</summary>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is not registered on this node as a singleton.</exception>
    EntityRef Singleton<T>()
        where T : Entity;

    /// <summary>Moves a singleton to another of its hosts: planned, so messages wait and none is lost. Takes 0.2 s as a rule; reverted after 10 s.</summary>
    /// <param name="name">The singleton's name.</param>
    /// <param name="toNode">Name of the node that is to hold it.</param>
    /// <param name="expectedTerm">The term that the caller saw (<see cref="SingletonStatus.Term"/>): it switches this term and no other, so a repeat does nothing and says how the first one ended.</param>
    /// <param name="cancel">Ends the wait; the switch may still happen.</param>
    /// <returns>Done, or why not: the node is not up, not one of its hosts, does not reach the store; the term is another; it was reverted; nothing was heard in time.</returns>
    /// <exception cref="ArgumentException">There is no singleton of that name on this node.</exception>
    Task<SwitchResult> SwitchAsync(string name, string toNode, long expectedTerm, CancellationToken cancel = default);

    /// <summary>The state of node and cluster, for operators.</summary>
    ClusterStatus Status();
}
