using System.Net;
using System.Net.Sockets;
using ActorCluster.Links;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Links;

public class LinkProbeTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(200);

    [Fact]
    public async Task A_living_peer_answers_whichever_of_both_is_older()
    {
        await using var older = new LinkNode(1);
        await using var younger = new LinkNode(2);
        Assert.Equal(ProbeOutcome.Answered, await older.Transport.ProbeAsync(younger.Peer, Limit));
        Assert.Equal(ProbeOutcome.Answered, await younger.Transport.ProbeAsync(older.Peer, Limit));
        Assert.Empty(older.Events);
    }

    [Fact]
    public async Task A_later_life_at_the_address_is_another_incarnation()
    {
        await using var prober = new LinkNode(1);
        await using var reborn = new LinkNode(7);
        Assert.Equal(ProbeOutcome.OtherIncarnation, await prober.Transport.ProbeAsync(reborn.Peer with { Inc = new Incarnation(2) }, Limit));
    }

    [Fact]
    public async Task Another_life_that_cannot_prove_the_secret_is_no_evidence()
    {
        await using var prober = new LinkNode(1);
        await using var impostor = new LinkNode(7, "another secret");
        Assert.Equal(ProbeOutcome.Answered, await prober.Transport.ProbeAsync(impostor.Peer with { Inc = new Incarnation(2) }, Limit));
    }

    [Fact]
    public async Task A_port_that_nobody_listens_on_refuses()
    {
        await using var prober = new LinkNode(1);
        var gone = new LinkNode(2);
        await gone.DisposeAsync();
        Assert.Equal(ProbeOutcome.Refused, await prober.Transport.ProbeAsync(gone.Peer, Limit));
    }

    [Fact]
    public async Task A_port_proxy_without_a_process_closes_before_the_hello()
    {
        await using var prober = new LinkNode(1);
        using var proxy = new Socket(SocketType.Stream, ProtocolType.Tcp);
        var probing = prober.Transport.ProbeAsync(Listen(proxy), Limit);
        (await proxy.AcceptAsync().WaitAsync(Limit)).Dispose();
        Assert.Equal(ProbeOutcome.ClosedBeforeHello, await probing);
    }

    [Fact]
    public async Task A_process_that_never_answers_times_out()
    {
        await using var prober = new LinkNode(1);
        using var frozen = new Socket(SocketType.Stream, ProtocolType.Tcp);
        Assert.Equal(ProbeOutcome.TimedOut, await prober.Transport.ProbeAsync(Listen(frozen), Soon));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_cut_link_times_out_at_whichever_end_it_is_cut(bool atProber)
    {
        await using var prober = new LinkNode(1);
        await using var peer = new LinkNode(2);
        if (atProber) prober.Cut(peer.Inc, LinkDirection.Outgoing);
        else peer.Cut(prober.Inc, LinkDirection.Incoming);
        Assert.Equal(ProbeOutcome.TimedOut, await prober.Transport.ProbeAsync(peer.Peer, Soon));
    }

    [Fact]
    public async Task A_cancelled_probe_ends_at_once()
    {
        await using var prober = new LinkNode(1);
        using var frozen = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using var cancel = new CancellationTokenSource();
        var probing = prober.Transport.ProbeAsync(Listen(frozen), Limit, cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => probing.WaitAsync(Limit / 2));
    }

    private static LinkPeer Listen(Socket socket)
    {
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        return new LinkPeer(new Incarnation(2), "n2", socket.LocalEndPoint!.ToString()!);
    }
}
