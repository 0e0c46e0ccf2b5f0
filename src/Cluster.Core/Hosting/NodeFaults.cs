using ActorCluster.Links;
using ActorCluster.Primitives;

namespace ActorCluster.Hosting;

/// <summary>What a test does to a node in its process from within; a service of the host, absent in production.</summary>
/// <param name="Links">What the node's links carry.</param>
/// <param name="Gate">Holds the node's control thread and its turns.</param>
internal sealed record NodeFaults(ILinkFilter Links, PauseGate Gate);
