using ActorCluster.Demo.Checking;
using ActorCluster.Demo.Input;
using ActorCluster.Demo.Nodes;
using ActorCluster.Demo.Replay;

namespace ActorCluster.MultiNode.Tests.Demo;

public class ChatReplayTests
{
    [Fact]
    public async Task Generated_traffic_through_faultless_rooms_checks_clean_and_is_said_in_full()
    {
        var log = TrafficGenerator.Generate(5, 8_000);
        var window = ChatWindow.Single(log, 2_000, 0);
        var (check, state) = await ReplayAsync(window, new FakeRooms());

        Assert.True(check.Clean, string.Join('\n', check.Notes));
        Assert.Equal(0, state.ClientErrors);
        Assert.Equal(log.Events.Skip(2_000).Count(e => e.Kind == ChatKind.Say), check.Sent);
        Assert.Equal(check.Sent, check.Acknowledged);
        Assert.True(check.Delivered > 10 * check.Sent, $"only {check.Delivered} deliveries of {check.Sent} messages");
    }

    [Fact]
    public async Task One_dropped_delivery_among_thousands_is_found()
    {
        var window = ChatWindow.Single(TrafficGenerator.Generate(5, 4_000), 2_000, 0);
        (string User, string Room, long Seq)? dropped = null;
        var rooms = new FakeRooms
        {
            Drops = (user, room, seq) =>
            {
                if (dropped is null && seq > 500) dropped = (user, room, seq);
                return dropped == (user, room, seq);
            },
        };
        var (check, _) = await ReplayAsync(window, rooms);

        Assert.NotNull(dropped);
        Assert.Equal(1, check.Lost + check.NoticesMissing);
    }

    [Fact]
    public async Task One_membership_that_a_room_forgot_is_found()
    {
        var window = ChatWindow.Single(TrafficGenerator.Generate(5, 4_000), 2_000, 0);
        var forgotten = 0;
        var rooms = new FakeRooms { Forgets = (_, _) => Interlocked.Increment(ref forgotten) == 20 };
        var (check, _) = await ReplayAsync(window, rooms);

        Assert.True(forgotten >= 20, "too few leaves to forget one");
        Assert.Contains(check.Notes, note => note.Contains("the membership was lost", StringComparison.Ordinal));
        Assert.False(check.Clean);
    }

    [Fact]
    public async Task Who_speaks_unknown_joins_first_and_who_left_all_rooms_comes_back_as_a_fresh_client()
    {
        const string lines =
            """
            {"t":60,"room":"a","user":"u1","kind":"part"}
            {"t":60,"user":"u1","kind":"quit"}
            {"t":60,"room":"a","user":"u1","kind":"say","len":3}
            {"t":60,"room":"b","user":"u1","kind":"join"}
            {"t":60,"user":"u1","kind":"quit"}
            {"t":60,"room":"b","user":"u1","kind":"say","len":0}
            {"t":60,"room":"b","user":"u1","kind":"part"}
            {"t":60,"room":"b","user":"u1","kind":"join"}
            """;
        var rooms = new FakeRooms();
        var (check, state) = await ReplayAsync(ChatWindow.Single(ChatFile.Read(new StringReader(lines), "f"), 0, 0), rooms);

        Assert.True(check.Clean, string.Join('\n', check.Notes));
        Assert.Equal((2, 2, 3, 3), (state.ImpliedJoins, state.Ignored, rooms.Connects, state.Histories.Count));
        Assert.Equal((3, 6), (rooms.Journals["a"].Head, rooms.Journals["b"].Head)); // a: join, say, leave; b: join, leave, join, say, leave, join.
    }

    private static async Task<(CheckResult Check, ReplayState State)> ReplayAsync(ChatWindow window, FakeRooms rooms)
    {
        var state = new ReplayState((_, user, history) => rooms.Client(user, history), TestContext.Current.CancellationToken);
        var replay = new ChatReplay(window, state);
        await replay.JoinMembersAsync();
        await replay.RunAsync(new NoFaultPlan(), speed: 0);
        await replay.CloseAsync();
        return (HistoryChecker.Check(state.Histories, state.Observed, rooms.Journals), state);
    }
}
