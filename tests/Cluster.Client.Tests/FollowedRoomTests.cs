namespace ActorCluster.Client.Tests;

public class FollowedRoomTests
{
    [Fact]
    public void Nothing_is_shown_before_the_join_is_answered()
    {
        var room = new FollowedRoom("raku", heldMax: 2);
        Assert.Empty(room.Take([Item(8)]));
        Assert.False(room.HasGap);
        room.Follow(7);
        Assert.True(room.HasGap); // What came too early is asked for.
    }

    [Fact]
    public void Items_in_order_are_passed_on_as_they_came()
    {
        RoomItem[] items = [Item(8), Item(9)];
        Assert.Same(items, Following(7).Take(items));
    }

    [Fact]
    public void More_than_the_limit_is_not_held_but_asked_for_again()
    {
        var room = Following(7, heldMax: 2);
        Assert.Empty(room.Take([Item(9), Item(10), Item(11)]));
        Assert.Equal([8, 9, 10], Seqs(room.TakeHistory([Item(8)], head: 11)!));
        Assert.True(room.HasGap);
        Assert.Equal([11], Seqs(room.TakeHistory([Item(11)], head: 11)!));
        Assert.False(room.HasGap);
    }

    [Fact]
    public void A_history_that_knows_less_than_was_seen_skips_nothing()
    {
        var room = Following(7);
        room.Take([Item(12)]);
        Assert.Null(room.TakeHistory([], head: 7));
        Assert.Equal(7, room.Cursor);
    }

    [Fact]
    public void A_history_that_begins_later_passes_over_what_is_not_kept()
    {
        var room = Following(7);
        room.Take([Item(12)]);
        Assert.Equal([10, 11, 12], Seqs(room.TakeHistory([Item(10), Item(11)], head: 12)!));
    }

    [Fact]
    public void An_interruption_forgets_what_lies_behind_the_gap_and_keeps_the_cursor()
    {
        var room = Following(7);
        room.Take([Item(8), Item(10)]);
        room.Interrupt();
        Assert.Equal((8, false), (room.Cursor, room.HasGap));
    }

    private static FollowedRoom Following(long seq, int heldMax = 10)
    {
        var room = new FollowedRoom("raku", heldMax);
        room.Follow(seq);
        return room;
    }

    private static RoomItem Item(long seq) => new(seq, seq, RoomItemKind.Message, "u1", "hi", DateTimeOffset.UnixEpoch);

    private static IEnumerable<long> Seqs(IEnumerable<RoomItem> items) => items.Select(i => i.Seq);
}
