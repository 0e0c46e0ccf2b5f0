using System.Text.Json.Nodes;
using ActorCluster.AspNetCore.Gateway;
using ActorCluster.Primitives;

namespace ActorCluster.AspNetCore.Tests.Gateway;

/// <summary>Whatever one connection sends, it is told what was wrong and how to mend it, and nobody else notices.</summary>
public class BadInputTests(SharedNode shared)
{
    [Fact]
    public async Task Garbage_is_answered_frame_by_frame_and_the_tenth_ends_the_connection()
    {
        await using var witness = await Witness.StandAsync(shared);
        await using var client = await RawClient.GreetAsync(shared.Url, "garbage");
        for (var i = 1; i <= 10; i++) await client.SendAsync([0x7f, (byte)i, 0x00, 0xc3, 0xa9]);
        var frames = await client.RestAsync();
        Assert.Equal(10, frames.Count);
        Assert.All(frames[..9], f => Told(f, "err", "BadFrame", "send one JSON object"));
        Told(frames[9], "bye", "BadFrame", "10 frames");
        await witness.SawNothingAsync();
    }

    [Fact]
    public async Task Bytes_that_are_no_text_end_their_connection_as_the_websocket_rules_say()
    {
        await using var witness = await Witness.StandAsync(shared);
        await using var client = await RawClient.GreetAsync(shared.Url, "bytes");
        await client.SendAsync([0xff, 0xfe, 0x00, 0xc3]);
        Assert.Empty(await client.RestAsync());
        await witness.SawNothingAsync();
    }

    [Theory]
    [InlineData(64 * 1024 + 1)]
    [InlineData(10 * 1024 * 1024)]
    public async Task A_frame_that_is_too_long_ends_the_connection_with_the_limit_named(int bytes)
    {
        await using var witness = await Witness.StandAsync(shared);
        await using var client = await RawClient.GreetAsync(shared.Url, "long");
        var room = "\"room\":\"" + Guid.NewGuid().ToString("N") + "\"";
        await client.AskAsync(1, $"\"cmd\":\"join\",{room}");
        var sending = client.SendAsync($"{{\"op\":\"cmd\",\"id\":2,\"cmd\":\"say\",{room},\"text\":\"{new string('x', bytes)}\"}}");
        Told(Assert.Single(await client.RestAsync()), "bye", "FrameTooLong", "65536 bytes");
        await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext); // The server need not take all of it.
        await witness.SawNothingAsync();
    }

    [Fact]
    public async Task A_hello_may_be_long_but_not_endless()
    {
        await using var client = await RawClient.GreetAsync(shared.Url, "rooms", Hello(Enumerable.Range(0, 900).Select(i => $"no such room {i} {new string('x', 40)}")));
        for (var i = 0; i < 900; i++) Assert.Equal("NotInRoom", (string?)(await client.NextAsync("left"))["code"]);
        await using var endless = await RawClient.OpenAsync(shared.Url, "rooms");
        var sending = endless.SendAsync($"{{\"op\":\"hello\",\"v\":1,\"pad\":\"{new string('x', GatewayLimits.HelloBytes)}\"}}");
        Told(Assert.Single(await endless.RestAsync()), "bye", "FrameTooLong", "1048576 bytes");
        await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        await using var many = await RawClient.OpenAsync(shared.Url, "rooms");
        await many.SendAsync(Hello(Enumerable.Range(0, 1001).Select(i => $"r{i}")));
        Told(Assert.Single(await many.RestAsync()), "bye", "BadFrame", "1000 rooms");
    }

    [Fact]
    public async Task A_command_for_a_room_one_is_not_in_is_refused_and_the_room_is_as_before()
    {
        await using var witness = await Witness.StandAsync(shared);
        await using var client = await RawClient.GreetAsync(shared.Url, "stranger");
        Told(await client.AskAsync(1, $"\"cmd\":\"say\",\"room\":\"{witness.Room}\",\"text\":\"let me in\""), "err", "NotInRoom", "join it first");
        Told(await client.AskAsync(2, $"\"cmd\":\"history\",\"room\":\"{witness.Room}\",\"after\":0,\"limit\":10"), "err", "NotInRoom", "join it first");
        Told(await client.AskAsync(3, $"\"cmd\":\"create\",\"room\":\"{witness.Room}\""), "err", "RoomExists", "join it");
        Assert.Equal(0, (long)(await client.AskAsync(4, $"\"cmd\":\"leave\",\"room\":\"{witness.Room}\""))["seq"]!);
        await witness.SawNothingAsync();
    }

    [Fact]
    public async Task A_cursor_or_an_id_at_the_end_of_the_numbers_hurts_nobody()
    {
        await using var witness = await Witness.StandAsync(shared);
        var room = Guid.NewGuid().ToString("N");
        await using var client = await RawClient.GreetAsync(shared.Url, "far");
        await client.AskAsync(1, $"\"cmd\":\"join\",\"room\":\"{room}\"");
        foreach (var after in new[] { 4_294_967_295, long.MaxValue })
        {
            await using var far = await RawClient.GreetAsync(shared.Url, "far", $$"""{"op":"hello","v":1,"rooms":[{"room":"{{room}}","after":{{after}}}]}""");
            var seq = (long)(await far.AskAsync(1, $"\"cmd\":\"say\",\"room\":\"{room}\",\"text\":\"x\""))["seq"]!;
            Assert.Empty((await far.AskAsync(2, $"\"cmd\":\"history\",\"room\":\"{room}\",\"after\":{after},\"limit\":500"))["items"]!.AsArray());
            Assert.Equal(seq + 1, (long)(await far.AskAsync(long.MaxValue, $"\"cmd\":\"say\",\"room\":\"{room}\",\"text\":\"y\""))["seq"]!);
            Told(await far.AskAsync(5, $"\"cmd\":\"say\",\"room\":\"{room}\",\"text\":\"z\""), "err", "TooOld", "older");
        }
        await witness.SawNothingAsync();
    }

    [Fact]
    public async Task A_token_that_is_forged_expired_or_of_another_user_opens_nothing()
    {
        var tokens = new SessionToken([TestCluster.Secret]);
        var client = new ClientId(7);
        var sound = tokens.Issue("ada", client, DateTimeOffset.UtcNow);
        foreach (var (user, token, says) in new[]
        {
            ("ada", new SessionToken(["another secret"]).Issue("ada", client, DateTimeOffset.UtcNow), "not issued by this cluster"),
            ("ada", sound[..^4] + "AAAA", "not issued by this cluster"),
            ("ada", tokens.Issue("ada", client, DateTimeOffset.UtcNow - SessionToken.Lifetime - TimeSpan.FromMinutes(1)), "more than an hour"),
            ("eve", sound, "another user than eve"),
        })
        {
            await using var refused = await RawClient.OpenAsync(shared.Url, user);
            await refused.SendAsync($$"""{"op":"hello","v":1,"token":"{{token}}"}""");
            Told(Assert.Single(await refused.RestAsync()), "bye", "BadToken", says);
        }
        await using var welcomed = await RawClient.GreetAsync(shared.Url, "ada", $$"""{"op":"hello","v":1,"token":"{{sound}}"}""");
        Assert.Equal((client.ToString(), true), ((string)welcomed.Welcome!["client"]!, (bool)welcomed.Welcome["resumed"]!));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("a\u0007b")]
    [InlineData("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")]
    public async Task Without_a_sound_user_there_is_no_session(string? user)
    {
        await using var client = await RawClient.OpenAsync(shared.Url, user);
        Told(Assert.Single(await client.RestAsync()), "bye", "NoUser", "sign in");
    }

    [Fact]
    public async Task A_request_that_is_no_websocket_is_told_so()
    {
        using var http = new HttpClient();
        using var answer = await http.GetAsync(new Uri(shared.Url, "/ws?user=ada"));
        Assert.Equal((400, true), ((int)answer.StatusCode, (await answer.Content.ReadAsStringAsync()).Contains("WebSocket", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_129th_unanswered_command_is_refused_and_the_others_are_not()
    {
        var gate = new StoreGate();
        await using var cluster = await TestCluster.StartAsync(1, gate.Wrap);
        await using var client = await RawClient.GreetAsync(cluster.Nodes[0].Url, "eager");
        await client.AskAsync(1, "\"cmd\":\"join\",\"room\":\"r\"");
        gate.Close();
        for (var id = 2; id <= 130; id++)
            await client.SendAsync($"{{\"op\":\"cmd\",\"id\":{id},\"prev\":{(id == 2 ? 0 : id - 1)},\"cmd\":\"say\",\"room\":\"r\",\"text\":\"{id}\"}}");
        var refused = await client.NextAsync("err");
        Told(refused, "err", "TooManyUnanswered", "wait for answers");
        Assert.Equal(130, (long)refused["id"]!);
        gate.Open();
        var answered = new SortedSet<long>();
        while (answered.Count < 128)
            if (await client.NextAsync() is { } frame && (string)frame["op"]! == "ok") answered.Add((long)frame["id"]!);
        Assert.Equal((2, 129), (answered.Min, answered.Max));
        // The refused one counts as executed: whoever names it as its predecessor follows the one before it.
        Assert.Equal("ok", (string?)(await client.AskAsync(131, "\"prev\":130,\"cmd\":\"say\",\"room\":\"r\",\"text\":\"x\""))["op"]);
    }

    [Fact]
    public async Task A_client_that_asks_for_much_and_reads_late_gets_all_of_it()
    {
        var room = Guid.NewGuid().ToString("N");
        await using var client = await RawClient.GreetAsync(shared.Url, "reader");
        await client.AskAsync(1, $"\"cmd\":\"join\",\"room\":\"{room}\"");
        for (var id = 2; id < 42; id++) await client.AskAsync(id, $"\"cmd\":\"say\",\"room\":\"{room}\",\"text\":\"{new string('x', 8000)}\"");
        for (var id = 100; id < 220; id++) await client.SendAsync($"{{\"op\":\"cmd\",\"id\":{id},\"cmd\":\"history\",\"room\":\"{room}\",\"after\":0,\"limit\":500}}");
        var pages = new SortedSet<long>(); // Some 30 MiB, in answers of a quarter each.
        while (pages.Count < 120)
        {
            var frame = await client.NextAsync();
            Assert.True(frame is not null, $"Expected 120 pages; the connection ended after {pages.Count}.");
            if ((string)frame["op"]! == "ok" && frame["items"] is JsonArray { Count: > 0 }) pages.Add((long)frame["id"]!);
        }
    }

    [Fact]
    public async Task A_question_counts_as_unanswered_until_its_page_is_there()
    {
        var gate = new StoreGate();
        await using var cluster = await TestCluster.StartAsync(1, gate.Wrap);
        await using var client = await RawClient.GreetAsync(cluster.Nodes[0].Url, "eager");
        await client.AskAsync(1, "\"cmd\":\"join\",\"room\":\"r\"");
        gate.CloseToReaders();
        for (var id = 2; id < 402; id++) await client.SendAsync($"{{\"op\":\"cmd\",\"id\":{id},\"cmd\":\"history\",\"room\":\"r\",\"after\":0,\"limit\":500}}");
        for (var refused = 0; refused < 400 - GatewayLimits.Unanswered; refused++) Told(await client.NextAsync("err"), "err", "TooManyUnanswered", "wait for answers");
        gate.OpenToReaders();
        for (var pages = 0; pages < GatewayLimits.Unanswered; pages++) Assert.Single((await client.NextAsync("ok"))["items"]!.AsArray());
        Assert.Single((await client.AskAsync(402, "\"cmd\":\"history\",\"room\":\"r\",\"after\":0,\"limit\":500"))["items"]!.AsArray());
    }

    [Fact]
    public async Task A_page_of_many_rows_is_read_in_parts_and_is_whole()
    {
        var room = Guid.NewGuid().ToString("N");
        await using var client = await RawClient.GreetAsync(shared.Url, "reader");
        await client.AskAsync(1, $"\"cmd\":\"join\",\"room\":\"{room}\"");
        for (var id = 2; id <= 230; id++) await client.AskAsync(id, $"\"cmd\":\"say\",\"room\":\"{room}\",\"text\":\"{id}\"");
        foreach (var (after, limit) in new[] { (0, 500), (0, 230), (0, 229), (7, 100), (7, 101), (30, 200), (229, 5) })
        {
            var page = await client.AskAsync(1000, $"\"cmd\":\"history\",\"room\":\"{room}\",\"after\":{after},\"limit\":{limit}");
            Assert.Equal(Enumerable.Range(after + 1, Math.Min(limit, 230 - after)), page["items"]!.AsArray().Select(i => (int)i!["seq"]!));
        }
    }

    [Fact]
    public async Task An_event_of_a_newer_release_is_named_as_such_not_as_a_store_that_is_away()
    {
        var gate = new StoreGate();
        await using var cluster = await TestCluster.StartAsync(1, gate.Wrap);
        await using var client = await RawClient.GreetAsync(cluster.Nodes[0].Url, "reader");
        await client.AskAsync(1, "\"cmd\":\"join\",\"room\":\"r\"");
        gate.Shown = row => row with { Kind = "room.danced.v9" };
        var refused = await client.AskAsync(2, "\"cmd\":\"history\",\"room\":\"r\",\"after\":0,\"limit\":5");
        Told(refused, "err", "Unavailable", "event 1, 'room.danced.v9', cannot be read by this node; a newer release wrote it. Update the node.");
        Assert.True((bool)refused["retry"]!);
    }

    private static void Told(JsonObject frame, string op, string code, string says)
    {
        Assert.True((string?)frame["op"] == op && (string?)frame["code"] == code, $"Expected {op} {code}; found {frame.ToJsonString()}");
        Assert.Contains(says, (string)frame["message"]!, StringComparison.Ordinal);
    }

    private static string Hello(IEnumerable<string> rooms) =>
        new JsonObject { ["op"] = "hello", ["v"] = 1, ["rooms"] = new JsonArray([.. rooms.Select(r => (JsonNode)new JsonObject { ["room"] = r, ["after"] = 0 })]) }.ToJsonString();

    /// <summary>Another client, who must neither lose its connection nor see anything but its own words.</summary>
    private sealed class Witness : IAsyncDisposable
    {
        private readonly ChatUser _user;
        private readonly long _joined;

        private Witness(ChatUser user, string room, long joined) => (_user, Room, _joined) = (user, room, joined);

        public string Room { get; }

        public static async Task<Witness> StandAsync(SharedNode shared)
        {
            var (user, room) = (await ChatUser.ConnectAsync("witness", shared.Url), Guid.NewGuid().ToString("N"));
            return new Witness(user, room, (await user.Client.JoinAsync(room)).Seq);
        }

        public async Task SawNothingAsync()
        {
            var seq = await _user.Client.SayAsync(Room, "still here");
            await _user.UntilSeenAsync(Room, seq);
            Assert.Equal(_joined + 1, seq);
            Assert.Equal("still here", Assert.Single(_user.ItemsOf(Room)).Text);
            Assert.Single(_user.Changes); // Connected, once.
            Assert.Empty(_user.Ended);
        }

        public ValueTask DisposeAsync() => _user.DisposeAsync();
    }
}
