using System.Collections.Immutable;
using ActorCluster.Primitives;

namespace ActorCluster.Links;

/// <summary>What a transport tells its owner.</summary>
/// <remarks>
/// Called on reader threads: return fast, never block, run no user code. Calls about one channel of one peer are serial, those
/// about different channels are not. Each <see cref="ChannelUp"/> is followed by exactly one <see cref="ChannelLost"/>, before
/// the next up of that channel. A frame is reported on the channel it was sent for, whichever connection carried it, so
/// <see cref="Received"/> may come for a channel that is not up. Order holds within a channel as long as it stays on one connection.
/// An exception ends the connection and is logged; it does not reach the other channels.
/// </remarks>
internal interface ILinkHandler
{
    /// <summary>Numbers and hashes of the newest views known here; the newest 16 go into each handshake.</summary>
    ImmutableArray<(long View, ulong Hash)> RecentViews { get; }

    /// <summary>An authenticated connection stands; sends go over it from now on.</summary>
    void ChannelUp(Incarnation peer, LinkChannel channel);

    /// <summary>The connection ended; frames under way in it may be lost.</summary>
    void ChannelLost(Incarnation peer, LinkChannel channel, ChannelLoss how);

    /// <summary>One whole frame. <paramref name="payload"/> lives until the method returns.</summary>
    void Received(Incarnation peer, LinkChannel channel, byte frameType, ReadOnlySpan<byte> payload);

    /// <summary>The last complete frame of one socket receive was handed over: flush what was held back.</summary>
    void ReceiveEnded(Incarnation peer, LinkChannel channel);

    /// <summary>
    /// A peer that proved the secret lives on another store: its cluster id or store generation differs, or a view that both know
    /// has another hash. Mere lag is no mismatch. The connection is closed; the owner is expected to stop the node (exit 78).
    /// </summary>
    void StoreMismatch(string reason);

    /// <summary>
    /// Whoever answers at the address of a peer that was dialled could not prove this node's secret. Told by the dialling end alone: of those who
    /// dial in without the secret nothing is believed, not even who they are.
    /// </summary>
    void SecretDiffers(Incarnation peer);

    /// <summary>A peer whose secret was proved says that this incarnation is down. On a dialling thread.</summary>
    void ToldDown(Incarnation by);

    /// <summary>False when that incarnation is down for this node: its connection is refused.</summary>
    bool MayAccept(Incarnation inc);
}

/// <summary>Cuts links in tests, deterministically: what it does not let pass vanishes without a trace, as in a black hole.</summary>
internal interface ILinkFilter
{
    /// <summary>Asked per frame and at each dial or accept, from many threads. A handshake needs both directions.</summary>
    /// <param name="peer">The node at the other end.</param>
    /// <param name="connection">The connection that carries the frame, not the channel that the frame belongs to.</param>
    /// <param name="direction">Which way.</param>
    bool Passes(Incarnation peer, LinkChannel connection, LinkDirection direction);

    /// <summary>Asked per receive with <see cref="LinkDirection.Incoming"/>, and with both at each dial or accept: what came waits, and what comes after it waits in the system's
    /// buffers, as over a network that carries nothing now. It ends with a no, or with the connection; a handshake does not wait, it finds nobody.</summary>
    bool Holds(Incarnation peer, LinkChannel connection, LinkDirection direction) => false;
}
