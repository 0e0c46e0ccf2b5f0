using ActorCluster.Primitives;

namespace ActorCluster.Links;

/// <summary>A node that this node wants to be linked with.</summary>
/// <param name="Inc">The life of the node that is meant; another one behind the same address is not this peer.</param>
/// <param name="Name">Its node name, for log lines.</param>
/// <param name="Address">What to dial: <c>host:port</c>, IPv6 as <c>[::1]:8091</c>; with an interface for each channel <c>data;control</c>.</param>
internal sealed record LinkPeer(Incarnation Inc, string Name, string Address)
{
    /// <summary>Stands between the two addresses of a node that has two.</summary>
    public const char Between = ';';

    /// <summary>What to dial for a channel.</summary>
    public string AddressOf(LinkChannel channel) =>
        Address.IndexOf(Between, StringComparison.Ordinal) is >= 0 and var at ? channel == LinkChannel.Data ? Address[..at] : Address[(at + 1)..] : Address;
}

/// <summary>Who this node is, as its handshakes say.</summary>
/// <param name="Cluster">The store's cluster id; nodes of two clusters never link.</param>
/// <param name="StoreGeneration">Raised when a store is restored; nodes on two generations never link.</param>
/// <param name="Inc">This process's life.</param>
/// <param name="Name">Node name, 1 to 255 characters.</param>
/// <param name="ProtoMin">Oldest protocol version spoken.</param>
/// <param name="ProtoMax">Newest protocol version spoken; two nodes link when their ranges overlap.</param>
internal sealed record LinkIdentity(Guid Cluster, long StoreGeneration, Incarnation Inc, string Name, int ProtoMin, int ProtoMax);
