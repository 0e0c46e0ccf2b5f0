using System.Net;
using System.Net.Sockets;
using ActorCluster.Links;

namespace ActorCluster.Tests.Links;

public class HandshakeTests
{
    [Theory]
    [InlineData("s1", null, "s1", null)]
    [InlineData("s1", "s2", "s1", null)]
    [InlineData("s1", null, "s2", "s1")]
    [InlineData("s1", "s2", "s2", "s3")]
    public async Task Nodes_that_share_a_secret_link(string a1, string? a2, string b1, string? b2)
    {
        await using var older = new LinkNode(1, a1, a2);
        await using var younger = new LinkNode(2, b1, b2);
        younger.Transport.SetPeers([older.Peer]);
        await older.UpWithAsync(younger);
        await younger.UpWithAsync(older);
    }

    [Fact]
    public async Task Nodes_with_different_secrets_stay_apart_and_both_say_what_to_do()
    {
        await using var older = new LinkNode(1, "s1");
        await using var younger = new LinkNode(2, "s2");
        younger.Transport.SetPeers([older.Peer]);
        await older.SeesAsync("Set the same Cluster:Secret on both");
        await younger.SeesAsync("Set the same Cluster:Secret on both");
        Assert.DoesNotContain(older.Events, e => e.Contains("up", StringComparison.Ordinal));
        Assert.DoesNotContain(younger.Events, e => e.Contains("up", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Another_cluster_id_is_a_store_mismatch_on_both_ends()
    {
        var other = Guid.Parse("11111111-2222-3333-4444-555555555555");
        await using var older = new LinkNode(1);
        await using var younger = new LinkNode(2, cluster: other);
        younger.Transport.SetPeers([older.Peer]);
        await older.SeesAsync($"mismatch: Cluster id differs: n2#2 lives in {other}, this node in {LinkNode.Cluster}. Point both nodes at the same store.");
        await younger.SeesAsync($"mismatch: Cluster id differs: n1#1 lives in {LinkNode.Cluster}, this node in {other}. Point both nodes at the same store.");
    }

    [Fact]
    public async Task Another_store_generation_is_a_store_mismatch_for_the_end_that_is_behind()
    {
        await using var older = new LinkNode(1, generation: 3);
        await using var younger = new LinkNode(2, generation: 2);
        younger.Transport.SetPeers([older.Peer]);
        await younger.SeesAsync("mismatch: Store generation differs: n1#1 has 3, this node has 2. The store was recovered; restart the node with the lower one.");
        Assert.Empty(older.Events); // It refuses the link, and nothing is wrong with its own store.
    }

    [Fact]
    public async Task A_view_that_both_know_with_another_hash_is_a_store_mismatch()
    {
        await using var older = new LinkNode(1, views: [(4, 0x44), (5, 0x55)]);
        await using var younger = new LinkNode(2, views: [(5, 0x66), (6, 0x77)]);
        younger.Transport.SetPeers([older.Peer]);
        await older.SeesAsync("mismatch: View 5 differs: n2#2 has hash 0000000000000066, this node has 0000000000000055. Point both nodes at the same store.");
        Assert.DoesNotContain(older.Events, e => e.StartsWith("up", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_node_that_lags_some_views_behind_links()
    {
        await using var older = new LinkNode(1, views: [(4, 0x44), (5, 0x55), (6, 0x66)]);
        await using var younger = new LinkNode(2, views: [(3, 0x33), (4, 0x44)]);
        younger.Transport.SetPeers([older.Peer]);
        await older.UpWithAsync(younger);
    }

    [Fact]
    public async Task A_stranger_without_the_secret_cannot_raise_a_store_mismatch()
    {
        await using var older = new LinkNode(1, "s1");
        await using var stranger = new LinkNode(2, "s2", cluster: Guid.NewGuid());
        stranger.Transport.SetPeers([older.Peer]);
        await older.SeesAsync("Set the same Cluster:Secret on both");
        Assert.Empty(older.Events);
    }

    [Fact]
    public async Task An_incarnation_that_is_down_for_a_node_is_refused_with_that_reason()
    {
        await using var older = new LinkNode(1) { Accepts = inc => inc.Value != 2 };
        await using var younger = new LinkNode(2);
        younger.Transport.SetPeers([older.Peer]);
        await younger.SeesAsync("to n1#1 was refused there: Down");
        await younger.SeesAsync("#1 says that it is down");
        Assert.Empty(older.Events);
    }

    [Fact]
    public void An_address_in_use_is_named_with_the_mend()
    {
        using var first = LinkListener.Bind("127.0.0.1:0");
        var refused = Assert.Throws<LinkBindException>(() => LinkListener.Bind(first.Bound.ToString()));
        Assert.Equal($"Link address {first.Bound} is in use by another process. Stop that process, or set Cluster:Node:Link to a free port.", refused.Message);
    }

    [Fact]
    public void Plaintext_beyond_loopback_has_to_be_allowed()
    {
        var refused = Assert.Throws<ArgumentException>(() => new LinkNode(1, address: "0.0.0.0:0"));
        Assert.Contains("Set AllowPlaintext if the network between the nodes is trusted", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Garbage_at_any_stage_harms_only_its_own_connection()
    {
        await using var older = new LinkNode(1, with: o => o.HandshakeTimeout = TimeSpan.FromMilliseconds(200));
        var address = IPEndPoint.Parse(older.Peer.Address);
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var bytes = new byte[random.Next(0, 6000)];
            random.NextBytes(bytes);
            if (seed % 4 == 1 && bytes.Length >= 5) new byte[] { (byte)(bytes.Length - 4), (byte)((bytes.Length - 4) >> 8), 0, 0, 0 }.CopyTo(bytes, 0); // A whole frame, nonsense inside.
            if (seed % 4 == 2 && bytes.Length >= 5) new byte[] { 0, 0, 0, 0, 0 }.CopyTo(bytes, 0);
            if (seed % 4 == 3 && bytes.Length >= 5) new byte[] { 255, 255, 255, 255, 0 }.CopyTo(bytes, 0);
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(address);
            try
            {
                await socket.SendAsync(bytes);
                socket.Shutdown(SocketShutdown.Send);
            }
            catch (SocketException) { } // Closed on us while we were still talking: as it should be.
        }
        await using var younger = new LinkNode(2);
        younger.Transport.SetPeers([older.Peer]);
        await younger.UpWithAsync(older);
        Assert.DoesNotContain(older.Lines, l => l.Contains("own code", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Silent_strangers_up_to_the_limit_hold_a_peer_up_for_no_longer_than_the_handshake_limit()
    {
        await using var older = new LinkNode(1, with: o => (o.UnauthenticatedMax, o.HandshakeTimeout) = (4, TimeSpan.FromMilliseconds(300)));
        var strangers = Enumerable.Range(0, 8).Select(_ => new Socket(SocketType.Stream, ProtocolType.Tcp)).ToList();
        foreach (var stranger in strangers) await stranger.ConnectAsync(IPEndPoint.Parse(older.Peer.Address));
        await using var younger = new LinkNode(2);
        younger.Transport.SetPeers([older.Peer]);
        await younger.UpWithAsync(older);
        strangers.ForEach(s => s.Dispose());
    }
}
