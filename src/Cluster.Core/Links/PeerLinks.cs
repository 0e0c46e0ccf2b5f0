using ActorCluster.Primitives;

namespace ActorCluster.Links;

/// <summary>The two channels of one peer: which connection serves each, and in which order the owner hears of them.</summary>
/// <remarks>
/// Each channel has a lock around every call to the handler about it, since three threads can have something to say of it: its
/// own reader, the other connection's reader with a frame of this channel, and whoever attaches a replacement. No thread holds
/// two of these locks, so they cannot lock each other out.
/// </remarks>
internal sealed class PeerLinks(Incarnation peer, ILinkHandler handler)
{
    private readonly Lock[] _channels = [new(), new()];
    private readonly LinkConnection?[] _current = new LinkConnection?[2];

    public Incarnation Peer { get; } = peer;

    /// <summary>Dialers, wanted set and connections that need this object; the transport's lock guards it.</summary>
    public int Users { get; set; }

    /// <summary>The connection of a channel, or null.</summary>
    public LinkConnection? this[LinkChannel channel] => Volatile.Read(ref _current[(int)channel]);

    /// <summary>Sends on the channel's own connection, or on the other one while that is dead.</summary>
    public LinkSend Send(LinkChannel channel, byte type, ReadOnlySpan<byte> payload, LinkFlush flush, ILinkFilter? filter)
    {
        for (var i = 0; i < 2; i++)
        {
            if (this[i == 0 ? channel : Other(channel)] is not { } connection) continue;
            if (filter is not null && connection.Ended is null && !filter.Passes(Peer, connection.Channel, LinkDirection.Outgoing)) return LinkSend.Sent;
            var sent = connection.Send(channel, type, payload, flush);
            if (sent != LinkSend.NoLink) return sent;
        }
        return LinkSend.NoLink;
    }

    /// <summary>The connection that a send of a channel would take now, or null.</summary>
    public LinkConnection? Carrier(LinkChannel channel)
    {
        if (this[channel] is { Ended: null } own) return own;
        return this[Other(channel)] is { Ended: null } other ? other : null;
    }

    /// <summary>Puts a connection in service; the one it replaces is reported lost first.</summary>
    public void Attach(LinkConnection connection)
    {
        lock (_channels[(int)connection.Channel])
        {
            if (this[connection.Channel] is { } old)
            {
                old.End(ChannelLoss.Closed);
                ReportLost(old);
            }
            Volatile.Write(ref _current[(int)connection.Channel], connection);
            handler.ChannelUp(Peer, connection.Channel);
        }
    }

    /// <summary>Takes an ended connection out of service, unless a replacement did so already.</summary>
    public void Detach(LinkConnection connection)
    {
        lock (_channels[(int)connection.Channel]) ReportLost(connection);
    }

    /// <summary>Hands the whole frames of one receive over; false when one of them broke the format.</summary>
    public bool Deliver(LinkConnection connection, FrameBuffer received, bool discard)
    {
        while (received.TryPeek(out var type, out _))
        {
            var channel = ChannelOf(connection, type);
            lock (_channels[(int)channel])
            {
                if (connection.LostReported) return true; // Replaced: after its end was reported, nothing comes of it any more.
                while (received.TryPeek(out type, out var payload) && ChannelOf(connection, type) == channel)
                {
                    var frameType = (byte)(type & FrameFormat.UserTypeMax);
                    if (frameType == FrameFormat.HandshakeType) return false;
                    received.Skip();
                    if (!discard) handler.Received(Peer, channel, frameType, payload);
                }
                if (!discard) handler.ReceiveEnded(Peer, channel);
            }
        }
        return received.BadLength is null;
    }

    private void ReportLost(LinkConnection connection)
    {
        if (connection.LostReported) return;
        connection.LostReported = true;
        Volatile.Write(ref _current[(int)connection.Channel], null);
        handler.ChannelLost(Peer, connection.Channel, connection.Ended ?? ChannelLoss.Local);
    }

    private static LinkChannel ChannelOf(LinkConnection connection, byte type) =>
        (type & FrameFormat.OtherChannelBit) == 0 ? connection.Channel : Other(connection.Channel);

    private static LinkChannel Other(LinkChannel channel) => channel == LinkChannel.Control ? LinkChannel.Data : LinkChannel.Control;
}
