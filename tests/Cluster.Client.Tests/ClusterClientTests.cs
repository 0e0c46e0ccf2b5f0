using System.Threading.Channels;

namespace ActorCluster.Client.Tests;

/// <summary>The client on real sockets: what its session decides is checked elsewhere, here that it is done.</summary>
public class ClusterClientTests
{
    [Fact]
    public async Task A_dropped_connection_is_resumed_on_the_next_host_with_the_unanswered_command()
    {
        await using var a = await SocketServer.StartAsync("a");
        await using var b = await SocketServer.StartAsync("b");
        await using var client = new ClusterClient(new() { Hosts = [a.Address], User = "ada" });
        var shown = Channel.CreateUnbounded<RoomItem>();
        client.ItemsReceived += items =>
        {
            foreach (var item in items.Items) shown.Writer.TryWrite(item);
        };

        var connecting = client.ConnectAsync(Cancel);
        var first = await a.AcceptedAsync();
        await first.WelcomeAsync(a, b);
        await connecting;
        Assert.Equal(("ada", "a", "c1"), (first.User, client.Node, client.ClientId));

        var joining = client.JoinAsync("raku", Cancel);
        await first.ReadAsync();
        await first.SendAsync("""{"op":"ok","id":1,"seq":7,"members":3}""");
        Assert.Equal(new Joined(7, 3), await joining);
        await first.SendAsync("""{"op":"items","room":"raku","items":[{"seq":8,"kind":"message","user":"bob","text":"hi","at":5}]}""");
        Assert.Equal("hi", (await shown.Reader.ReadAsync(Cancel)).Text);

        var saying = client.SayAsync("raku", "still there?", Cancel);
        await first.ReadAsync();
        first.Drop();

        var second = await b.AcceptedAsync();
        var hello = await second.WelcomeAsync(a, b);
        Assert.Equal(("t1", 8), ((string?)hello["token"], (int)hello["rooms"]![0]!["after"]!));
        Assert.Equal((2, "still there?"), await SaidAsync(second));
        await second.SendAsync("""{"op":"items","room":"raku","items":[{"seq":8,"kind":"message","user":"bob","text":"hi","at":5},{"seq":9,"kind":"message","user":"ada","text":"still there?","at":6}]}""");
        await second.SendAsync("""{"op":"ok","id":2,"seq":9}""");

        Assert.Equal(9, await saying);
        Assert.Equal(9, (await shown.Reader.ReadAsync(Cancel)).Seq);
        Assert.Equal(("b", 1), (client.Node, client.FailOvers));
    }

    [Fact]
    public async Task A_host_that_refuses_connections_is_passed_over()
    {
        var gone = await SocketServer.StartAsync("gone");
        var address = gone.Address;
        await gone.DisposeAsync();
        await using var b = await SocketServer.StartAsync("b");
        await using var client = new ClusterClient(new() { Hosts = [address, b.Address] });
        var connecting = client.ConnectAsync(Cancel);
        await (await b.AcceptedAsync()).WelcomeAsync();
        await connecting;
        Assert.Equal("b", client.Node);
    }

    [Fact]
    public async Task A_retryable_refusal_is_sent_again_without_the_caller_noticing()
    {
        await using var a = await SocketServer.StartAsync("a");
        await using var client = new ClusterClient(new() { Hosts = [a.Address] });
        var server = await ConnectAsync(client, a);
        var saying = client.SayAsync("raku", "hi", Cancel);
        await server.ReadAsync();
        await server.SendAsync("""{"op":"err","id":1,"code":"Busy","message":"Later.","retry":true,"afterMs":1}""");
        Assert.Equal((1, "hi"), await SaidAsync(server));
        await server.SendAsync("""{"op":"ok","id":1,"seq":4}""");
        Assert.Equal(4, await saying);
    }

    [Fact]
    public async Task A_final_refusal_is_thrown_with_its_code()
    {
        await using var a = await SocketServer.StartAsync("a");
        await using var client = new ClusterClient(new() { Hosts = [a.Address] });
        var server = await ConnectAsync(client, a);
        var saying = client.SayAsync("raku", "hi", Cancel);
        await server.ReadAsync();
        await server.SendAsync("""{"op":"err","id":1,"code":"NotInRoom","message":"Join it first.","retry":false}""");
        var refused = await Assert.ThrowsAsync<CommandRefusedException>(() => saying);
        Assert.Equal((ErrorCodes.NotInRoom, "Join it first."), (refused.Code, refused.Message));
    }

    [Fact]
    public async Task Connecting_without_a_user_says_what_the_server_said()
    {
        await using var a = await SocketServer.StartAsync("a");
        await using var client = new ClusterClient(new() { Hosts = [a.Address] });
        var connecting = client.ConnectAsync(Cancel);
        var server = await a.AcceptedAsync();
        await server.ReadAsync();
        await server.SendAsync("""{"op":"bye","code":"NoUser","message":"Sign in first."}""");
        var refused = await Assert.ThrowsAsync<ClusterClientException>(() => connecting);
        Assert.Equal(ErrorCodes.NoUser, refused.Code);
        Assert.Contains("Sign in first.", refused.Message, StringComparison.Ordinal);
        Assert.Equal(ErrorCodes.NoUser, (await Assert.ThrowsAsync<ClusterClientException>(() => client.SayAsync("raku", "hi", Cancel))).Code);
    }

    [Fact]
    public async Task Disposing_twice_ends_commands_without_an_answer_once()
    {
        await using var a = await SocketServer.StartAsync("a");
        var client = new ClusterClient(new() { Hosts = [a.Address] });
        var server = await ConnectAsync(client, a);
        var saying = client.SayAsync("raku", "hi", Cancel);
        await server.ReadAsync();
        await client.DisposeAsync();
        await client.DisposeAsync();
        Assert.Equal(ErrorCodes.Disposed, (await Assert.ThrowsAsync<ClusterClientException>(() => saying)).Code);
        server.Drop();
    }

    [Fact]
    public async Task Cancelling_a_command_stops_the_waiting_only()
    {
        await using var a = await SocketServer.StartAsync("a");
        await using var client = new ClusterClient(new() { Hosts = [a.Address] });
        var server = await ConnectAsync(client, a);
        using var cancel = new CancellationTokenSource();
        var first = client.SayAsync("raku", "one", cancel.Token);
        await server.ReadAsync();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        var second = client.SayAsync("raku", "two", Cancel);
        Assert.Equal(1, (int)(await server.ReadAsync())["prev"]!); // The first is still unanswered.
        await server.SendAsync("""{"op":"ok","id":1,"seq":4}""");
        await server.SendAsync("""{"op":"ok","id":2,"seq":5}""");
        Assert.Equal(5, await second);
    }

    [Fact]
    public async Task A_handler_that_throws_ends_the_client()
    {
        await using var a = await SocketServer.StartAsync("a");
        await using var client = new ClusterClient(new() { Hosts = [a.Address] });
        client.ItemsReceived += _ => throw new InvalidOperationException("Disk full.");
        var server = await ConnectAsync(client, a);
        var joining = client.JoinAsync("raku", Cancel);
        await server.ReadAsync();
        await server.SendAsync("""{"op":"ok","id":1,"seq":7,"members":3}""");
        await joining;
        var saying = client.SayAsync("raku", "hi", Cancel);
        await server.ReadAsync();
        await server.SendAsync("""{"op":"items","room":"raku","items":[{"seq":8,"kind":"message","user":"bob","text":"hi","at":5}]}""");
        var ended = await Assert.ThrowsAsync<ClusterClientException>(() => saying);
        Assert.Equal((ErrorCodes.HandlerFailed, "Disk full."), (ended.Code, ended.InnerException!.Message));
        server.Drop();
    }

    [Fact]
    public async Task A_handler_that_throws_at_the_welcome_leaves_no_command_without_an_end()
    {
        await using var a = await SocketServer.StartAsync("a");
        await using var client = new ClusterClient(new() { Hosts = [a.Address] });
        var server = await ConnectAsync(client, a);
        var saying = client.SayAsync("raku", "hi", Cancel);
        await server.ReadAsync();
        client.ConnectionChanged += change =>
        {
            if (change is ConnectionChange.Connected) throw new InvalidOperationException("Disk full.");
        };
        server.Drop();
        var second = await a.AcceptedAsync();
        await second.ReadAsync();
        await second.SendAsync("""{"op":"welcome","v":1,"client":"c2","token":"t2","resumed":false,"node":"a","hosts":[]}""");
        Assert.Equal(ErrorCodes.HandlerFailed, (await Assert.ThrowsAsync<ClusterClientException>(() => saying.WaitAsync(TimeSpan.FromSeconds(30), Cancel))).Code);
        second.Drop();
    }

    [Fact]
    public async Task No_more_commands_wait_than_may_and_those_given_up_make_place()
    {
        await using var a = await SocketServer.StartAsync("a");
        await using var client = new ClusterClient(new() { Hosts = [a.Address], WaitingMax = 2 });
        using var cancel = new CancellationTokenSource();
        var (first, second) = (client.SayAsync("raku", "1", cancel.Token), client.SayAsync("raku", "2", Cancel));
        var refused = await Assert.ThrowsAsync<ClusterClientException>(() => client.SayAsync("raku", "3", Cancel));
        Assert.Equal((ErrorCodes.TooManyWaiting, "2 commands wait for a connection; wait for answers first, or raise WaitingMax. Nothing was sent."), (refused.Code, refused.Message));
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        var fourth = client.SayAsync("raku", "4", Cancel);
        var server = await ConnectAsync(client, a);
        Assert.Equal([(1, "2"), (2, "4")], [await SaidAsync(server), await SaidAsync(server)]);
        await server.SendAsync("""{"op":"ok","id":1,"seq":4}""");
        await server.SendAsync("""{"op":"ok","id":2,"seq":5}""");
        Assert.Equal((4, 5), (await second, await fourth));
        server.Drop();
    }

    [Fact]
    public void Options_that_cannot_be_are_named_all_at_once()
    {
        var endless = Assert.Throws<ArgumentException>(() => new ClusterClient(new() { Hosts = [new("http://a")], CommandTimeout = TimeSpan.FromDays(50), ConnectTimeout = TimeSpan.FromDays(50), SilenceLimit = TimeSpan.FromDays(2) }));
        Assert.Contains("CommandTimeout is 50.00:00:00; give a time above zero, at most 1 day, or Timeout.InfiniteTimeSpan.", endless.Message, StringComparison.Ordinal);
        Assert.Contains("ConnectTimeout is 50.00:00:00; give a time above zero, at most 1 day.", endless.Message, StringComparison.Ordinal);
        Assert.Contains("SilenceLimit is 2.00:00:00; give 30 ms to 1 day.", endless.Message, StringComparison.Ordinal);

        var refused = Assert.Throws<ArgumentException>(() => new ClusterClient(new() { Hosts = [new("ftp://a")], UnansweredMax = 129, ConnectTimeout = TimeSpan.Zero }));
        Assert.All(["ftp://a", "UnansweredMax is 129", "ConnectTimeout is 00:00:00"], part => Assert.Contains(part, refused.Message, StringComparison.Ordinal));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static async Task<ServerSide> ConnectAsync(ClusterClient client, SocketServer server)
    {
        var connecting = client.ConnectAsync(Cancel);
        var side = await server.AcceptedAsync();
        await side.WelcomeAsync(server);
        await connecting;
        return side;
    }

    private static async Task<(int Id, string Text)> SaidAsync(ServerSide server)
    {
        var frame = await server.ReadAsync();
        return ((int)frame["id"]!, (string)frame["text"]!);
    }
}
