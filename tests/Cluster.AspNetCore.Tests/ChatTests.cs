using System.Diagnostics;
using System.Text.Json.Nodes;
using ActorCluster.ChatRooms;
using ActorCluster.Client;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit;

namespace ActorCluster.AspNetCore.Tests;

/// <summary>Chat from end to end: the real client, a real socket, one node.</summary>
public class ChatTests(SharedNode shared)
{
    private readonly string _room = Guid.NewGuid().ToString("N");

    private Uri Url => shared.Url;

    [Fact]
    public async Task What_is_said_reaches_every_member_once_and_in_order_and_the_history_agrees()
    {
        await using var ada = await ChatUser.ConnectAsync("ada", Url);
        await using var bob = await ChatUser.ConnectAsync("bob", Url);
        Assert.Equal(1, await ada.Client.CreateAsync(_room));
        Assert.Equal(new Joined(2, 2), await bob.Client.JoinAsync(_room));
        Assert.Equal(3, await ada.Client.SayAsync(_room, "hello"));
        Assert.Equal(4, await bob.Client.SayAsync(_room, "")); // The empty text is legal.
        Assert.Equal(5, await bob.Client.LeaveAsync(_room));
        Assert.Equal(6, await ada.Client.SayAsync(_room, "alone"));
        await ada.UntilSeenAsync(_room, 6);
        var journal = await shared.Cluster.JournalAsync(_room);
        ada.SawTheJournal(_room, 1, journal);
        bob.SawTheJournal(_room, 2, journal);
        Assert.True(bob.ItemsOf(_room).All(i => i.Seq <= 5), "Bob was shown what was said after he left.");
        Assert.Empty(bob.Ended); // He left himself.
        var page = await ada.Client.HistoryAsync(_room, 0, 500);
        Assert.Equal(6, page.Head);
        Assert.Equal([1L, 2, 3, 4, 5, 6], page.Items.Select(i => i.Seq));
        Assert.Equal([3L, 4], (await ada.Client.HistoryAsync(_room, 2, 2)).Items.Select(i => i.Seq));
        Assert.Equal(ErrorCodes.NotInRoom, (await Assert.ThrowsAsync<CommandRefusedException>(() => bob.Client.HistoryAsync(_room, 0, 10))).Code);
        Assert.Equal(ErrorCodes.NotInRoom, (await Assert.ThrowsAsync<CommandRefusedException>(() => bob.Client.SayAsync(_room, "?"))).Code);
        Assert.Equal(ErrorCodes.RoomExists, (await Assert.ThrowsAsync<CommandRefusedException>(() => bob.Client.CreateAsync(_room))).Code);
    }

    [Fact]
    public async Task Sessions_that_share_frames_each_see_their_stay_and_nothing_else()
    {
        const int Users = 70; // More than are told in one item, and more than a room may have for each join to be shown.
        var users = await Task.WhenAll(Enumerable.Range(0, Users).Select(i => ChatUser.ConnectAsync($"user-{i}", Url)));
        var joined = new long[Users];
        await Task.WhenAll(users.Select(async (user, i) => joined[i] = (await user.Client.JoinAsync(_room)).Seq));
        var left = Enumerable.Repeat(long.MaxValue, Users).ToArray();
        // Half of them leave, and some come and go, while others speak: frames are shared, made anew, and ended for one session alone.
        await Task.WhenAll(users.Select((user, i) => Task.Run(async () =>
        {
            for (var n = 0; n < 20; n++)
            {
                if (i % 2 == 1 && n == i % 20)
                {
                    left[i] = await user.Client.LeaveAsync(_room);
                    return;
                }
                if (i % 5 == 0) await user.Client.SayAsync(_room, $"{i}-{n}");
                else await Task.Delay(1);
            }
        })));
        var last = await users[0].Client.SayAsync(_room, "the end");
        await Task.WhenAll(users.Where((_, i) => left[i] == long.MaxValue).Select(u => u.UntilSeenAsync(_room, last)));
        var journal = await shared.Cluster.JournalAsync(_room);
        for (var i = 0; i < Users; i++)
        {
            users[i].SawTheJournal(_room, joined[i], journal);
            Assert.True(users[i].ItemsOf(_room).All(item => item.Seq <= left[i]), $"User {i} left at {left[i]} and was shown {users[i].ItemsOf(_room)[^1].Seq}.");
            await users[i].DisposeAsync();
        }
    }

    [Fact]
    public async Task A_slow_client_that_leaves_is_shown_everything_up_to_its_leave()
    {
        await using var slow = await RawClient.GreetAsync(Url, "slow");
        await slow.AskAsync(1, $"\"cmd\":\"join\",\"room\":\"{_room}\"");
        await using var ada = await ChatUser.ConnectAsync("ada", Url);
        await ada.Client.JoinAsync(_room);
        var text = new string('€', 8000); // 14 MB in all, more than the sockets hold.
        await Task.WhenAll(Enumerable.Range(0, 600).Select(_ => ada.Client.SayAsync(_room, text)));
        await slow.SendAsync($"{{\"op\":\"cmd\",\"id\":2,\"cmd\":\"leave\",\"room\":\"{_room}\"}}");
        await ada.UntilSeenAsync(_room, 603);
        await Task.Delay(TimeSpan.FromSeconds(4.5)); // The client reads nothing for longer than a stream that stands still is waited for.
        var next = 2L;
        while (await slow.NextAsync() is { } frame && (string?)frame["op"] == "items")
        {
            foreach (var item in frame["items"]!.AsArray()) Assert.Equal(next++, (long)item!["seq"]!);
            if (next > 602) break;
        }
        Assert.True(next > 602, $"The leave was answered before item {next} of 602.");
        var answer = await slow.NextAsync();
        if ((string?)answer!["op"] == "items") answer = await slow.NextAsync(); // The leave itself.
        Assert.Equal(("ok", 603, null), ((string?)answer!["op"], (long)answer["seq"]!, answer["cut"]));
    }

    [Fact]
    public async Task A_leave_whose_stream_stands_still_is_answered_and_says_that_it_was_cut()
    {
        var gate = new StoreGate();
        await using var cluster = await TestCluster.StartAsync(1, gate.Wrap);
        string hello;
        await using (var before = await RawClient.GreetAsync(cluster.Nodes[0].Url, "ada"))
        {
            await before.AskAsync(1, "\"cmd\":\"join\",\"room\":\"r\"");
            await before.AskAsync(2, "\"cmd\":\"say\",\"room\":\"r\",\"text\":\"hi\"");
            hello = $$"""{"op":"hello","v":1,"token":"{{before.Token}}","rooms":[{"room":"r","after":1}]}""";
        }
        gate.Shown = row => row with { Kind = "room.danced.v9" };
        await using var client = await RawClient.GreetAsync(cluster.Nodes[0].Url, "ada", hello);
        var left = await client.AskAsync(3, "\"cmd\":\"leave\",\"room\":\"r\"");
        Assert.Equal(("ok", 3, true), ((string?)left["op"], (long)left["seq"]!, (bool?)left["cut"]));
    }

    [Fact]
    public async Task While_the_store_is_away_what_a_node_remembers_of_a_room_is_read_and_marked()
    {
        var gate = new StoreGate();
        await using var cluster = await TestCluster.StartAsync(1, gate.Wrap);
        await using var ada = await ChatUser.ConnectAsync("ada", cluster.Nodes[0].Url);
        await ada.Client.JoinAsync("r");
        for (var i = 0; i < 5; i++) await ada.Client.SayAsync("r", $"{i}");
        await ada.UntilSeenAsync("r", 6);
        await using var stranger = await ChatUser.ConnectAsync("stranger", cluster.Nodes[0].Url);
        Assert.False((await ada.Client.HistoryAsync("r", 2, 10)).IsStale);
        gate.IsAway = true;
        await Eventually.IsAsync("the node is frozen", () => cluster.Nodes[0].Node.Mode == NodeMode.Frozen, () => $"{cluster.Nodes[0].Node.Mode}");
        var page = await ada.Client.HistoryAsync("r", 2, 3).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.True(page.IsStale);
        Assert.Equal(6, page.Head);
        Assert.Equal([3L, 4, 5], page.Items.Select(i => i.Seq));
        // Who is no member is not told more than at other times: it waits for the store.
        var strangers = stranger.Client.HistoryAsync("r", 2, 3);
        Assert.NotSame(strangers, await Task.WhenAny(strangers, Task.Delay(TimeSpan.FromSeconds(1))));
        gate.IsAway = false;
        Assert.Equal(ErrorCodes.NotInRoom, (await Assert.ThrowsAsync<CommandRefusedException>(() => strangers.WaitAsync(TimeSpan.FromSeconds(20)))).Code);
        Assert.Equal(7, await ada.Client.SayAsync("r", "again"));
    }

    [Fact]
    public async Task Says_take_effect_in_the_order_of_the_calls()
    {
        await using var ada = await ChatUser.ConnectAsync("ada", Url);
        await ada.Client.JoinAsync(_room);
        var seqs = await Task.WhenAll(Enumerable.Range(0, 1000).Select(i => ada.Client.SayAsync(_room, $"{i}")));
        Assert.Equal(Enumerable.Range(2, 1000).Select(i => (long)i), seqs);
        await ada.UntilSeenAsync(_room, seqs[^1]);
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => $"{i}"), ada.ItemsOf(_room).Select(i => i.Text));
    }

    [Fact]
    public async Task A_command_whose_predecessor_has_not_come_waits_for_it_and_a_repeat_changes_nothing()
    {
        await using var client = await RawClient.GreetAsync(Url, "order");
        await client.AskAsync(1, $"\"cmd\":\"join\",\"room\":\"{_room}\"");
        var refused = await client.AskAsync(3, $"\"prev\":2,\"cmd\":\"say\",\"room\":\"{_room}\",\"text\":\"second\"");
        Assert.Equal(("OutOfOrder", true), ((string)refused["code"]!, (bool)refused["retry"]!));
        Assert.Equal(2, (long)(await client.AskAsync(2, $"\"cmd\":\"say\",\"room\":\"{_room}\",\"text\":\"first\""))["seq"]!);
        Assert.Equal(3, (long)(await client.AskAsync(3, $"\"prev\":2,\"cmd\":\"say\",\"room\":\"{_room}\",\"text\":\"second\""))["seq"]!);
        Assert.Equal(2, (long)(await client.AskAsync(2, $"\"cmd\":\"say\",\"room\":\"{_room}\",\"text\":\"first\""))["seq"]!);
        Assert.Equal(3, (await shared.Cluster.JournalAsync(_room)).Count);
    }

    [Fact]
    public async Task A_client_that_comes_back_with_its_token_goes_on_at_its_cursor()
    {
        string token;
        await using (var first = await RawClient.GreetAsync(Url, "back"))
        {
            token = first.Token;
            await first.AskAsync(1, $"\"cmd\":\"join\",\"room\":\"{_room}\"");
            for (var id = 2; id < 6; id++) await first.AskAsync(id, $"\"cmd\":\"say\",\"room\":\"{_room}\",\"text\":\"{id}\"");
        }
        await using var second = await RawClient.GreetAsync(Url, "back", $$"""{"op":"hello","v":1,"token":"{{token}}","rooms":[{"room":"{{_room}}","after":3}]}""");
        Assert.True((bool)second.Welcome!["resumed"]!);
        Assert.Equal([4L, 5], (await second.NextAsync("items"))["items"]!.AsArray().Select(i => (long)i!["seq"]!));
        Assert.Equal(5, (long)(await second.AskAsync(5, $"\"cmd\":\"say\",\"room\":\"{_room}\",\"text\":\"5\""))["seq"]!); // The same command again.
        Assert.Equal(5, (await shared.Cluster.JournalAsync(_room)).Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // The first copy had taken effect, and its answer was lost.
    public async Task A_leave_that_is_sent_again_after_a_reconnect_shows_what_came_before_it(bool hadLeft)
    {
        string token;
        await using (var first = await RawClient.GreetAsync(Url, "gone"))
        {
            token = first.Token;
            await first.AskAsync(1, $"\"cmd\":\"join\",\"room\":\"{_room}\"");
            await using var other = await RawClient.GreetAsync(Url, "other");
            await other.AskAsync(1, $"\"cmd\":\"join\",\"room\":\"{_room}\"");
            for (var id = 2; id < 6; id++) await other.AskAsync(id, $"\"cmd\":\"say\",\"room\":\"{_room}\",\"text\":\"{id}\"");
            if (hadLeft) await first.AskAsync(2, $"\"prev\":1,\"cmd\":\"leave\",\"room\":\"{_room}\"");
            if (hadLeft) await other.AskAsync(6, $"\"cmd\":\"say\",\"room\":\"{_room}\",\"text\":\"not for you\"");
        }
        await using var second = await RawClient.GreetAsync(Url, "gone", $$"""{"op":"hello","v":1,"token":"{{token}}","rooms":[{"room":"{{_room}}","after":2}]}""");
        await second.SendAsync($"{{\"op\":\"cmd\",\"id\":2,\"prev\":1,\"cmd\":\"leave\",\"room\":\"{_room}\"}}");
        var seen = new List<long>();
        var frame = await second.NextAsync();
        for (; (string?)frame!["op"] == "items"; frame = await second.NextAsync()) seen.AddRange(frame["items"]!.AsArray().Select(i => (long)i!["seq"]!));
        Assert.Equal(("ok", 7), ((string?)frame["op"], (long)frame["seq"]!));
        Assert.Equal([3L, 4, 5, 6], seen.Where(s => s < 7)); // The leave itself may be shown or not.
        Assert.DoesNotContain(8, seen);
    }

    [Fact]
    public async Task A_client_far_behind_is_caught_up_from_the_journal()
    {
        await using var ada = await ChatUser.ConnectAsync("ada", Url);
        await ada.Client.JoinAsync(_room);
        await Task.WhenAll(Enumerable.Range(0, 1500).Select(i => ada.Client.SayAsync(_room, $"{i}")));
        await using var late = await RawClient.GreetAsync(Url, "ada", $$"""{"op":"hello","v":1,"rooms":[{"room":"{{_room}}","after":1}]}""");
        var next = 2L;
        while (next <= 1501)
            foreach (var item in (await late.NextAsync("items"))["items"]!.AsArray()) Assert.Equal(next++, (long)item!["seq"]!);
    }

    [Fact]
    public async Task Where_a_history_was_cut_a_page_says_where_it_begins_and_who_was_before_that_is_shown_the_rest()
    {
        await using var ada = await ChatUser.ConnectAsync("ada", Url);
        await ada.Client.JoinAsync(_room);
        var (head, first) = (1L, 1L);
        var (store, room, few) = (new ModelStore(shared.Cluster.Database), new EntityId(RoomEntity.TypeName, _room).StoreKey, new JournalLimits(null, 100, TimeSpan.Zero));
        for (var wave = 0; first <= 1_000; wave++)
        {
            // Two waves are enough but where a busy machine moves the room meanwhile: it saves at other rows then.
            Assert.True(wave < 10, $"{head} rows and no two snapshots that leave a thousand rows to cut.");
            await Task.WhenAll(Enumerable.Range(0, 1_200).Select(i => ada.Client.SayAsync(_room, $"{i}")));
            head += 1_200;
            // Of each thousand rows a snapshot is saved, beside the turns. The next wave makes up for one that failed.
            for (var since = Stopwatch.GetTimestamp(); ((await store.ReadSnapshotAsync(room)).Value?.EntitySeq ?? 0) <= head - 1_000 && Stopwatch.GetElapsedTime(since) < TimeSpan.FromSeconds(5);)
                await Task.Delay(10);
            while ((await store.FindOldRowsAsync(few, "", 10_000)).Value!.Entities.FirstOrDefault(e => e.Entity == room) is { Entity: not null } old)
            {
                var row = (await store.ReadShardsAsync([old.Shard])).Value[0];
                Assert.True((await store.TruncateAsync(old.Shard, row.Epoch, row.Owner!.Value, room, few)).IsOk);
            }
            first = (await store.ReadJournalAsync(room, 1, 1)).Value[0].EntitySeq;
        }
        await using var late = await RawClient.GreetAsync(Url, "ada", $$"""{"op":"hello","v":1,"rooms":[{"room":"{{_room}}","after":1}]}""");
        for (var next = first; next <= head;)
            foreach (var item in (await late.NextAsync("items"))["items"]!.AsArray()) Assert.Equal(next++, (long)item!["seq"]!);

        await using var asks = await RawClient.GreetAsync(Url, "ada");
        var page = await asks.AskAsync(1, $"\"cmd\":\"history\",\"room\":\"{_room}\",\"after\":0,\"limit\":5");
        Assert.Equal((first, head), ((long)page["begins"]!, (long)page["head"]!));
        Assert.Equal(Enumerable.Range((int)first, 5).Select(i => (long)i), page["items"]!.AsArray().Select(i => (long)i!["seq"]!));
        Assert.Null((await asks.AskAsync(2, $"\"cmd\":\"history\",\"room\":\"{_room}\",\"after\":{first - 1},\"limit\":5"))["begins"]);
    }

    [Fact]
    public async Task A_leave_on_one_session_ends_the_stream_of_the_users_other_one()
    {
        await using var here = await ChatUser.ConnectAsync("ada", Url);
        await using var there = await ChatUser.ConnectAsync("ada", Url);
        await here.Client.JoinAsync(_room);
        Assert.Equal(1, (await there.Client.JoinAsync(_room)).Seq);
        Assert.NotEqual(here.Client.ClientId, there.Client.ClientId);
        await here.Client.SayAsync(_room, "to both of me");
        await there.UntilSeenAsync(_room, 2);
        await here.Client.LeaveAsync(_room);
        await there.UntilAsync("the end of the room", u => u.Ended.Count > 0, u => "none");
        Assert.Equal((_room, ErrorCodes.NotInRoom), (there.Ended[0].Room, there.Ended[0].Code));
        Assert.Empty(here.Ended);
        // The room is open to both again.
        await there.Client.JoinAsync(_room);
        var seq = await there.Client.SayAsync(_room, "back");
        await there.UntilSeenAsync(_room, seq);
    }

    [Fact]
    public async Task Leaves_and_joins_sent_in_one_breath_are_answered_in_order_and_the_last_join_streams()
    {
        await using var client = await RawClient.GreetAsync(Url, "restless");
        await client.AskAsync(1, $"\"cmd\":\"join\",\"room\":\"{_room}\"");
        var id = 1L;
        for (var round = 0; round < 100; round++)
        {
            var first = id + 1;
            foreach (var cmd in new[] { "leave", "leave", "join", "leave", "join" }) await Send(cmd);
            await Send("say", $",\"text\":\"round {round}\"");
            var answered = new List<long>();
            for (var shown = false; !shown || answered.Count < 6;)
            {
                var frame = await client.NextAsync();
                Assert.True(frame is not null && (string)frame["op"]! is "ok" or "items", $"Round {round}: expected answers and items; found {frame?.ToJsonString() ?? "the end"} after the answers {string.Join(',', answered)}.");
                if (frame!["items"] is JsonArray items) shown |= items.Any(i => (string?)i!["text"] == $"round {round}");
                else answered.Add((long)frame["id"]!);
            }
            var ofRoomState = answered.Where(a => a < id).ToList();
            Assert.Equal(Enumerable.Range((int)first, 5).Select(i => (long)i), ofRoomState);
        }

        Task Send(string cmd, string more = "")
        {
            id++;
            return client.SendAsync($"{{\"op\":\"cmd\",\"id\":{id},\"prev\":{id - 1},\"cmd\":\"{cmd}\",\"room\":\"{_room}\"{more}}}");
        }
    }

    [Fact]
    public async Task Repeats_of_leaves_and_joins_are_answered_in_the_order_in_which_they_were_sent_again()
    {
        string token;
        await using (var first = await RawClient.GreetAsync(Url, "again"))
        {
            token = first.Token;
            foreach (var (id, cmd) in new[] { (1, "join"), (2, "leave"), (3, "join") }) await first.AskAsync(id, Room(cmd));
        }
        for (var round = 0; round < 20; round++)
        {
            // Repeats are answered from the journal, what is new from memory: the one may be known before the other.
            await using var client = await RawClient.GreetAsync(Url, "again", $$"""{"op":"hello","v":1,"token":"{{token}}","rooms":[{"room":"{{_room}}","after":1}]}""");
            token = client.Token;
            var next = 4 + (3 * round);
            foreach (var (id, prev, cmd) in new[] { (2, 0, "leave"), (3, 2, "join"), (next, 3, "leave"), (next + 1, next, "join") })
                await client.SendAsync($"{{\"op\":\"cmd\",\"id\":{id},\"prev\":{prev},{Room(cmd)}}}");
            var answered = new List<long>();
            while (answered.Count < 4)
            {
                var frame = await client.NextAsync();
                Assert.True(frame is not null && (string)frame["op"]! is "ok" or "items" or "left", $"Round {round}: expected four answers; found {frame?.ToJsonString() ?? "the end"} after {string.Join(',', answered)}.");
                if ((string)frame!["op"]! == "ok") answered.Add((long)frame["id"]!);
            }
            Assert.Equal([2, 3, next, next + 1], answered);
            // Its item may come before its ok.
            await client.SendAsync($"{{\"op\":\"cmd\",\"id\":{next + 2},{Room("say")},\"text\":\"round {round}\"}}");
            for (var (isAnswered, isShown) = (false, false); !isAnswered || !isShown;)
            {
                var frame = await client.NextAsync();
                Assert.True(frame is not null && (string)frame["op"]! is "ok" or "items" or "left", $"Round {round}: expected the ok and the item of a say; found {frame?.ToJsonString() ?? "the end of the connection"}.");
                isAnswered |= (string)frame!["op"]! == "ok";
                isShown |= frame["items"] is JsonArray items && items.Any(i => (string?)i!["text"] == $"round {round}");
            }
        }

        string Room(string cmd) => $"\"cmd\":\"{cmd}\",\"room\":\"{_room}\"";
    }

    [Fact]
    public async Task Presence_follows_connections_and_not_rooms()
    {
        var (ada, bob) = ("ada" + _room[..8], "bob" + _room[..8]);
        await using var watcher = await ChatUser.ConnectAsync(ada, Url);
        await watcher.UntilPresentAsync(ada, present: true);
        await watcher.UntilPresentAsync(bob, present: false);
        await using (var first = await ChatUser.ConnectAsync(bob, Url))
        {
            await watcher.UntilPresentAsync(bob, present: true);
            await using (var second = await ChatUser.ConnectAsync(bob, Url)) await second.UntilPresentAsync(bob, present: true);
            await watcher.UntilPresentAsync(bob, present: true); // One session of the two is left.
        }
        await watcher.UntilPresentAsync(bob, present: false);
        var many = Enumerable.Range(0, 499).Select(i => $"nobody {i}").Append(ada).ToList();
        Assert.Equal([ada], await watcher.Client.PresenceAsync(many));
    }

    [Fact]
    public async Task A_burst_of_joins_and_leaves_in_a_large_room_comes_as_digests_that_count_right()
    {
        const int crowd = 120;
        await using var watcher = await ChatUser.ConnectAsync("watcher", Url);
        await watcher.Client.JoinAsync(_room);
        var users = await Task.WhenAll(Enumerable.Range(0, crowd).Select(i => ChatUser.ConnectAsync($"user {i}", Url)));
        await Task.WhenAll(users.Select(u => u.Client.JoinAsync(_room)));
        await Task.WhenAll(users.Take(40).Select(u => u.Client.LeaveAsync(_room)));
        var seq = await watcher.Client.SayAsync(_room, "quiet now");
        Assert.Equal(1 + crowd + 40 + 1, seq);
        await watcher.UntilSeenAsync(_room, seq);
        foreach (var user in users.Skip(40)) await user.UntilSeenAsync(_room, seq);
        var journal = await shared.Cluster.JournalAsync(_room);
        watcher.SawTheJournal(_room, 1, journal);
        foreach (var user in users) user.SawTheJournal(_room, journal.First(j => j.Event is RoomEvent.Joined joined && joined.User == user.Name).Seq, journal);
        var items = watcher.ItemsOf(_room);
        Assert.Contains(items, i => i.Kind == RoomItemKind.Digest);
        Assert.True(items.Count < crowd, $"Expected a digest in place of most of {crowd + 40} joins and leaves; found {items.Count} items.");
        Assert.Equal(81, items.Last(i => i.Kind == RoomItemKind.Digest).Members);
        Assert.Equal("quiet now", items[^1].Text);
        foreach (var user in users) await user.DisposeAsync();
    }

    [Fact]
    public async Task A_join_in_a_large_room_is_told_although_nothing_follows_it()
    {
        await using var watcher = await ChatUser.ConnectAsync("watcher", Url);
        await watcher.Client.JoinAsync(_room);
        await using var crowd = await RawClient.GreetAsync(Url, "one");
        for (var i = 0; i < 55; i++)
        {
            await using var user = await RawClient.GreetAsync(Url, $"user {i}");
            await user.AskAsync(1, $"\"cmd\":\"join\",\"room\":\"{_room}\"");
        }
        await watcher.UntilSeenAsync(_room, 56);
        watcher.SawTheJournal(_room, 1, await shared.Cluster.JournalAsync(_room));
    }
}
