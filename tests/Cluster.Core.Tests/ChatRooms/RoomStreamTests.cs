using ActorCluster.ChatRooms;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.ChatRooms;

public class RoomStreamTests
{
    private static readonly Epoch First = new(1);
    private static readonly Epoch Second = new(2);
    private readonly RoomStream _stream = new();

    [Fact]
    public void What_was_pushed_twice_is_had_once_and_a_gap_is_read_from_the_journal()
    {
        _stream.Subscribed(First, 5, 1);
        Assert.Equal(RoomStreamWish.Nothing, _stream.Pushed(First, News(6, 7)));
        Assert.Equal(RoomStreamWish.Nothing, _stream.Pushed(First, News(6, 7)));
        Assert.Equal(RoomStreamWish.Fill, _stream.Pushed(First, News(10, 11)));
        Assert.Equal(7, _stream.Last);
        Assert.Equal(RoomStreamWish.Fill, _stream.Filled(Items(8, 9)));
        Assert.Equal(RoomStreamWish.Nothing, _stream.Filled(Items(10, 12)));
        Assert.Equal([6L, 7, 8, 9, 10, 11, 12], Read(5));
    }

    [Fact]
    public void A_push_before_the_first_answer_and_one_of_an_earlier_epoch_are_passed_over()
    {
        _stream.Pushed(Second, News(1, 2));
        Assert.False(_stream.IsLive);
        _stream.Subscribed(Second, 2, 1);
        _stream.Pushed(First, News(3, 3));
        Assert.Equal(2, _stream.Last);
        Assert.Equal(RoomStreamWish.SubscribeLater, _stream.Subscribed(First, 3, 1));
    }

    [Fact]
    public void A_new_owner_that_is_ahead_makes_the_stream_read_what_it_missed()
    {
        _stream.Subscribed(First, 5, 1);
        Assert.Equal(RoomStreamWish.Fill, _stream.Subscribed(Second, 7, 1));
        Assert.Equal(RoomStreamWish.Nothing, _stream.Filled(Items(6, 7)));
    }

    [Fact]
    public void The_window_is_bounded_and_who_is_behind_it_is_told_to_read_the_journal()
    {
        _stream.Subscribed(First, 0, 1);
        for (var i = 1; i <= 5000; i++) _stream.Pushed(First, News(i, i));
        Assert.InRange(_stream.Last - _stream.Before, 512, 1024);
        Assert.False(_stream.TryRead(0, [], 10));
        Assert.Equal([_stream.Before + 1, _stream.Before + 2], Read(_stream.Before, 2));
        Assert.Empty(Read(9000));
    }

    [Fact]
    public void A_page_that_was_read_before_the_window_stays_in_it_with_the_members_of_its_time()
    {
        _stream.Subscribed(First, 8, 3);
        _stream.Pushed(First, News(9, 10));
        Assert.False(_stream.TryPage(4, [], 3, 10));
        _stream.Preceded(
        [
            .. Items(4, 6),
            new RoomItem(7, new RoomEvent.Joined("bob"), 0),
            new RoomItem(8, new RoomEvent.Said("bob", "hi"), 0),
            .. Items(9, 9),
        ]);
        var page = new List<RoomItem>();
        Assert.True(_stream.TryPage(4, page, 5, 10));
        Assert.Equal([(5L, 2), (6, 2), (7, 3), (8, 3), (9, 3)], page.Select(i => (i.Seq, i.MembersAfter!.Value)));
    }

    [Fact]
    public void Rows_with_a_gap_to_the_window_do_not_join_it_and_it_stays_bounded()
    {
        _stream.Subscribed(First, 5000, 1);
        _stream.Preceded(Items(4000, 4999));
        _stream.Preceded(Items(5001, 5002));
        Assert.Equal(5000, _stream.Before);
        _stream.Preceded(Items(3000, 5000));
        Assert.InRange(_stream.Last - _stream.Before, 512, 1024);
        Assert.Equal([4999, 5000], Read(4998));
    }

    [Fact]
    public void A_page_that_ends_before_the_head_its_reader_was_told_of_is_not_the_windows()
    {
        _stream.Subscribed(First, 0, 1);
        _stream.Pushed(First, News(1, 3));
        Assert.True(_stream.TryPage(1, [], 10, 3));
        Assert.False(_stream.TryPage(1, [], 10, 4));
        Assert.True(_stream.TryPage(1, [], 2, 4));
    }

    private List<long> Read(long after, int max = 1000)
    {
        var items = new List<RoomItem>();
        Assert.True(_stream.TryRead(after, items, max));
        return [.. items.Select(i => i.Seq)];
    }

    private static RoomNews News(long from, long to) => new(Items(from, to), 1);

    private static List<RoomItem> Items(long from, long to) =>
        [.. Enumerable.Range(0, (int)(to - from + 1)).Select(i => new RoomItem(from + i, new RoomEvent.Said("ann", "hi"), 0))];
}
