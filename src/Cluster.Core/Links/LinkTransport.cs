using ActorCluster.Primitives;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Links;

/// <summary>Connections of this node to its peers, two per peer.</summary>
internal sealed class LinkTransport(LinkListener listener, LinkIdentity self, LinkOptions options, ILinkHandler handler, ILogger log) : IAsyncDisposable
{
    private readonly object[] _parts = [listener, self, options, handler, log];

    /// <summary>Cuts links in tests; null lets everything pass.</summary>
    public ILinkFilter? Filter { get; set; }

    public void SetPeers(IReadOnlyCollection<LinkPeer> peers) => throw Missing();

    public LinkSend Send(Incarnation peer, LinkChannel channel, byte frameType, ReadOnlySpan<byte> payload, LinkFlush flush = LinkFlush.Now) => throw Missing();

    public void Flush(Incarnation peer, LinkChannel channel) => throw Missing();

    public ValueTask WaitForRoomAsync(Incarnation peer, LinkChannel channel, CancellationToken cancel) => throw Missing();

    public bool IsUp(Incarnation peer, LinkChannel channel) => throw Missing();

    public void GiveUp(Incarnation peer, LinkChannel channel) => throw Missing();

    public ValueTask<ProbeOutcome> ProbeAsync(LinkPeer peer, TimeSpan limit, CancellationToken cancel) => throw Missing();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private NotImplementedException Missing() => new($"Not written yet ({_parts.Length} parts).");
}
