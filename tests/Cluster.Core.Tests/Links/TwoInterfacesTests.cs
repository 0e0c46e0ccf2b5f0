using ActorCluster.Links;

namespace ActorCluster.Tests.Links;

/// <summary>A node whose control channel has an address of its own.</summary>
public class TwoInterfacesTests
{
    [Fact]
    public async Task Each_channel_is_dialled_at_its_own_address()
    {
        await using var older = new LinkNode(1, address: "127.0.0.1:0", control: "127.0.0.2:0");
        await using var younger = new LinkNode(2, address: "127.0.0.1:0", control: "127.0.0.3:0");
        Assert.StartsWith("127.0.0.1:", older.Peer.AddressOf(LinkChannel.Data), StringComparison.Ordinal);
        Assert.StartsWith("127.0.0.2:", older.Peer.AddressOf(LinkChannel.Control), StringComparison.Ordinal);
        older.Transport.SetPeers([younger.Peer]);
        younger.Transport.SetPeers([older.Peer]);
        await older.UpWithAsync(younger);
        await younger.UpWithAsync(older);
        Assert.Equal(LinkSend.Sent, older.Transport.Send(younger.Inc, LinkChannel.Data, 9, [1]));
        await younger.SeesAsync("frame #1 Data 9 01");
        Assert.Equal(ProbeOutcome.Answered, await younger.Transport.ProbeAsync(older.Peer, TimeSpan.FromSeconds(5)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task While_one_of_the_addresses_cannot_be_reached_the_other_carries_both(bool isControlAway)
    {
        var (away, up) = isControlAway ? (LinkChannel.Control, LinkChannel.Data) : (LinkChannel.Data, LinkChannel.Control);
        await using var older = new LinkNode(1, address: "127.0.0.1:0", control: "127.0.0.2:0");
        await using var younger = new LinkNode(2);
        const string Nowhere = "127.0.0.1:1"; // Nobody listens there.
        var (data, control) = away == LinkChannel.Data ? (Nowhere, older.Peer.AddressOf(LinkChannel.Control)) : (older.Peer.AddressOf(LinkChannel.Data), Nowhere);
        older.Transport.SetPeers([younger.Peer]);
        younger.Transport.SetPeers([older.Peer with { Address = $"{data};{control}" }]);
        await younger.SeesAsync($"up {older.Inc} {up}");
        Assert.Equal(LinkSend.Sent, younger.Transport.Send(older.Inc, away, 9, [1, 2]));
        await older.SeesAsync($"frame #2 {away} 9 0102");
        Assert.False(younger.Transport.IsUp(older.Inc, away));
    }
}
