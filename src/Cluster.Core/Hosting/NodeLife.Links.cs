using System.Collections.Immutable;
using ActorCluster.Links;
using ActorCluster.Membership;
using ActorCluster.Membership.Wire;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sharding;
using ActorCluster.Sharding.Wire;
using Google.Protobuf;

namespace ActorCluster.Hosting;

/// <summary>What the links tell the life; on reader threads.</summary>
internal sealed partial class NodeLife
{
    private const int PaddedOneIn = 10;
    private static readonly ByteString Padding = UnsafeByteOperations.UnsafeWrap(new byte[8 * 1024]);

    ImmutableArray<(long View, ulong Hash)> ILinkHandler.RecentViews => _recentViews;

    // One without a row is a newcomer, or so long down that its row was pruned.
    bool ILinkHandler.MayAccept(Incarnation inc) => _published.Snapshot is not { } seen || (seen.Find(inc) is { } row ? row.IsLive : inc > seen.Cluster.Forgotten);

    void ILinkHandler.ChannelUp(Incarnation peer, LinkChannel channel)
    {
        Tell(new NodeInput.ChannelUp(peer, channel));
        Regions.LinkUp(peer);
        DoubtRelays();
    }

    void ILinkHandler.ChannelLost(Incarnation peer, LinkChannel channel, ChannelLoss how)
    {
        Tell(new NodeInput.ChannelLost(peer, channel));
        // Either connection may have carried data; what was under way in it is in doubt, and goes on over the other if that lives.
        Regions.LinkLost(peer);
        var other = channel == LinkChannel.Data ? LinkChannel.Control : LinkChannel.Data;
        if (_links.IsUp(peer, other))
        {
            Regions.LinkUp(peer);
            SendControl(peer, other, FrameType.SentMayBeLost, null); // A half-open connection: the peer has known for long, and answers to what it asked since went into nothing.
        }
        DoubtRelays();
    }

    void ILinkHandler.Received(Incarnation peer, LinkChannel channel, byte frameType, ReadOnlySpan<byte> payload)
    {
        switch ((FrameType)frameType)
        {
            case FrameType.Beat:
                Tell(new NodeInput.Heard(FromWire(peer, Beat.Parser.ParseFrom(payload)), channel));
                break;
            case FrameType.Hint:
                Tell(new NodeInput.Hinted());
                break;
            case FrameType.SentMayBeLost:
                Regions.LinkLost(peer);
                Regions.LinkUp(peer);
                break;
            case FrameType.Relayed:
                Relayed(peer, channel, payload);
                break;
            case FrameType.YouAreDown:
                Tell(new NodeInput.ToldDown(peer));
                break;
            case FrameType.AskRelease:
                Tell(new NodeInput.HelpAsked([.. RoutesOf(payload).Where(r => r.Owner == peer)]));
                break;
            case FrameType.ShardsMoved:
                Regions.Learn(RoutesOf(payload));
                Tell(new NodeInput.Moved());
                break;
            default:
                Regions.Received(peer, (FrameType)frameType, payload);
                break;
        }
    }

    private static ImmutableArray<ShardRoute> RoutesOf(ReadOnlySpan<byte> payload) =>
        [.. ShardsMoved.Parser.ParseFrom(payload).Routes.Select(r => new ShardRoute(new ShardNo(r.Shard), new Epoch(r.Epoch), new Incarnation(r.Owner)))];

    void ILinkHandler.ReceiveEnded(Incarnation peer, LinkChannel channel) => Regions.ReceiveEnded(peer);

    /// <summary>A newcomer on another store goes; a member that serves does not stop for one: the link is refused, so the two never mix.</summary>
    void ILinkHandler.StoreMismatch(string reason)
    {
        if (_published.Mode is NodeMode.Joining) Broken(ExitCodes.StoreMismatch, reason);
        else _log.StoreMismatch(reason);
    }

    void ILinkHandler.ToldDown(Incarnation by) => Tell(new NodeInput.ToldDown(by));

    /// <summary>Ends both connections with a peer as TCP does that was not acknowledged for too long.</summary>
    public void GiveUp(Incarnation peer)
    {
        _links.GiveUp(peer, LinkChannel.Control);
        _links.GiveUp(peer, LinkChannel.Data);
    }

    /// <summary>Ends all links and the listening, as the end of a process does, while the rest still runs.</summary>
    public ValueTask EndLinksAsync() => _links.DisposeAsync();

    void ILinkHandler.SecretDiffers(Incarnation peer) => Tell(new NodeInput.SecretDiffers(peer));

    private static Heartbeat FromWire(Incarnation from, Beat wire) => new(
        from, wire.Sequence, wire.View, (NodeMode)wire.Mode, wire.StoreOk, wire.Health, wire.HearsYou, [.. wire.Row.Select(r => new ReachEntry(new Incarnation(r.Peer), r.Up))], wire.WitnessOk, wire.Placed, TimeSpan.FromMicroseconds(wire.ClockUs), wire.TakesNothing, wire.Sick)
    {
        Announced = wire.Announced,
        Asks = wire.Asks,
        Assents = TimeSpan.FromMicroseconds(wire.AssentsUs),
    };

    /// <summary>
    /// One in ten of the data channel is as large as data, so that a path that loses large packets is found out: what it holds up is not acknowledged, and the connection ends as
    /// silent. Not where the control connection stands in, whose path it would stop up too.
    /// </summary>
    internal static Beat ToWire(Heartbeat beat, LinkChannel channel, bool isOwnConnection)
    {
        var wire = new Beat { Sequence = beat.Seq, View = beat.View, Mode = (int)beat.Mode, StoreOk = beat.StoreOk, Health = beat.Health, HearsYou = beat.HearsYou, WitnessOk = beat.WitnessOk, Placed = beat.Placed, ClockUs = beat.Clock.Ticks / TimeSpan.TicksPerMicrosecond, TakesNothing = beat.TakesNothing, Sick = beat.IsSick, Announced = beat.Announced, Asks = beat.Asks, AssentsUs = beat.Assents.Ticks / TimeSpan.TicksPerMicrosecond };
        if (channel == LinkChannel.Data && isOwnConnection && beat.Seq % PaddedOneIn == 0) wire.Padding = Padding;
        foreach (var entry in beat.Row) wire.Row.Add(new Beat.Types.Reach { Peer = entry.Peer.Value, Up = entry.Up });
        return wire;
    }
}
