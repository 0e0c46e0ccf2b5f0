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

    /// <summary>The state of node and cluster, for operators.</summary>
    ClusterStatus Status();
}
