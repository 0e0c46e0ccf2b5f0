using System.Buffers;
using System.Collections.Immutable;
using ActorCluster.Links;
using ActorCluster.Membership;
using ActorCluster.Primitives;
using ActorCluster.Sharding;

namespace ActorCluster.Hosting;

/// <summary>Frames for members that no link reaches go through one that both reach (protocol 2.6, decision 20).</summary>
internal sealed partial class NodeLife
{
    /// <summary>Through whom a peer is reached; null while its way changes, then nothing leaves for it. The control thread alone replaces it.</summary>
    private volatile ImmutableDictionary<Incarnation, Incarnation?> _relays = ImmutableDictionary<Incarnation, Incarnation?>.Empty;

    /// <summary>Sends by the way that a peer is reached by; false when nothing was kept.</summary>
    private bool SendTo(Incarnation peer, LinkChannel channel, FrameType type, ReadOnlySpan<byte> frame, LinkFlush flush)
    {
        if (_relays.IsEmpty || !_relays.TryGetValue(peer, out var via)) return _links.Send(peer, channel, (byte)type, frame, flush) == LinkSend.Sent;
        if (via is not { } relay || frame.Length + RelayFrame.AroundContent >= _setup.Options.Limits.FrameBytes) return false;
        var bytes = ArrayPool<byte>.Shared.Rent(frame.Length + RelayFrame.AroundContent);
        try
        {
            return _links.Send(relay, channel, (byte)FrameType.Relayed, RelayFrame.Write(bytes, Self, peer, type, frame), flush) == LinkSend.Sent;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private void ChangeWay(Incarnation to, Incarnation? via)
    {
        // In this order: were a frame sent by the new way before those under way by the old one count as lost, it could overtake them, and their refusal would look certain.
        _relays = _relays.SetItem(to, null);
        Regions.LinkLost(to);
        _relays = via is null ? _relays.Remove(to) : _relays.SetItem(to, via);
        Regions.LinkUp(to);
        SendTo(to, LinkChannel.Data, FrameType.SentMayBeLost, [], LinkFlush.Now);
        if (via is { } relay) _log.Relayed(to, relay);
        else _log.RelayedNoMore(to);
    }

    /// <summary>A link of this node came or went, and may have been part of a way through another: each such way has this node's link at one end, so nobody else need watch it.</summary>
    private void DoubtRelays()
    {
        foreach (var (peer, via) in _relays)
        {
            if (via is null) continue;
            Regions.LinkLost(peer);
            Regions.LinkUp(peer);
            SendTo(peer, LinkChannel.Data, FrameType.SentMayBeLost, [], LinkFlush.Now);
        }
    }

    private void Relayed(Incarnation from, LinkChannel channel, ReadOnlySpan<byte> payload)
    {
        var frame = new RelayFrame(payload);
        if (!RelayFrame.Carries(frame.Type)) return;
        switch (RelayRoutes.Judge(Self, from, frame.Origin, frame.Destination, IsLive))
        {
            case RelayVerdict.Deliver:
                ((ILinkHandler)this).Received(frame.Origin, channel, (byte)frame.Type, frame.Content);
                Regions.ReceiveEnded(frame.Origin);
                break;
            case RelayVerdict.Forward:
                // What its link does not take is lost, as on a full link: the link's bound is the relay's. Streams send it again.
                _links.Send(frame.Destination, channel, (byte)FrameType.Relayed, payload, LinkFlush.Soon);
                break;
            default:
                break;
        }
    }
}
