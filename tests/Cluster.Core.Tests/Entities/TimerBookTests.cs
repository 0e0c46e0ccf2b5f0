using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Entities;

public class TimerBookTests
{
    private const long Start = 1_700_000_000_000;
    private readonly TimerBook _book = new();
    private readonly SortedDictionary<(long Due, string Key), DurableTimer> _table = [];

    public TimerBookTests() => _book.Clock.Read(Start, At(0));

    [Fact]
    public void Before_anything_else_the_clock_is_read_and_then_no_more_than_is_soon()
    {
        var book = new TimerBook();
        book.Wanted();
        Assert.Equal(new TimerRead(long.MinValue, null, 1), book.NextRead(At(0)));
        book.Read(StoreResult.Not<TimerPage>(StoreVerdict.NotSent, "away"), At(0));
        Assert.Equal(TimeSpan.FromSeconds(1), book.IdleFor(At(0)));
        Assert.NotNull(book.NextRead(At(1)));
        book.Read(StoreResult.Ok(new TimerPage(Start + 1_000, [])), At(1));
        Assert.Equal(Start + 601_000, book.NextRead(At(1))!.DueBeforeUnixMs);
    }

    [Fact]
    public void However_many_shards_come_during_a_pass_it_goes_on_and_one_more_follows()
    {
        for (var i = 0; i < 2_500; i++) Set($"{i:D4}", 5 + (i / 100), no: i);
        _book.Wanted();
        var after = new List<string?>();
        while (_book.NextRead(At(0)) is { } read)
        {
            after.Add(read.After?.Timer.Key);
            if (after.Count < 4) for (var shard = 0; shard < 512; shard++) _book.Wanted();
            _book.Read(PageOf(read, 0), At(0));
        }
        Assert.Equal([null, "0999", "1999", null, "0999", "1999"], after);
        Assert.Equal(2_500, _book.Count);
    }

    [Fact]
    public void Firings_that_fail_are_counted_until_one_is_taken_or_the_timer_is_gone()
    {
        Set("wrong", 1);
        Acquire(0);
        for (var times = 1; times <= 3; times++)
        {
            var row = Assert.Single(_book.Due(At(60 * times)));
            Assert.Equal(times, _book.Fired(row, TimerEnd.Failed, At(60 * times)));
            Assert.Equal(1, _book.Failing);
            ReadAll(60 * times);
        }
        Assert.Equal(0, _book.Fired(Assert.Single(_book.Due(At(240))), TimerEnd.Gone, At(240)));
        Assert.Equal(0, _book.Failing);

        Set("moved", 300);
        Changed("moved", _table.Values.Last());
        Assert.Equal(1, _book.Fired(Assert.Single(_book.Due(At(300))), TimerEnd.Failed, At(300)));
        _table.Clear(); // Its shard is another's now.
        for (var second = 300; second <= 600; second += 60) ReadAll(second);
        Assert.Equal(0, _book.Failing);
    }

    [Fact]
    public void Nothing_is_read_before_a_shard_is_acquired()
    {
        Assert.Null(_book.NextRead(At(100)));
        Acquire(100);
        Assert.Null(_book.NextRead(At(101)));
        Assert.NotNull(_book.NextRead(At(160))); // And once a minute from then on.
    }

    [Fact]
    public void What_is_due_soon_is_held_and_what_is_far_is_read_later()
    {
        Set("soon", 5);
        Set("far", 601);
        Acquire(0);
        Assert.Equal(1, _book.Count);
        Assert.Empty(Due(4));
        Assert.Equal(["soon"], Due(5));
        Assert.Empty(Due(5)); // Once.
        ReadAll(60);
        Assert.Equal(2, _book.Count);
        Assert.Equal(TimeSpan.FromSeconds(1), _book.IdleFor(At(119)));
    }

    [Fact]
    public void A_timer_that_a_commit_sets_needs_no_reading_and_one_that_it_ends_does_not_fire()
    {
        Acquire(0);
        Changed("a", Set("a", 3));
        Changed("b", Set("b", 3));
        Changed("far", Set("far", 700));
        Changed("b", null);
        Changed("a", Set("a", 2, no: 9));
        Assert.Equal(TimeSpan.FromSeconds(1), _book.IdleFor(At(1)));
        Assert.Equal(9, Assert.Single(_book.Due(At(3))).Timer.No);
        Assert.Equal(0, _book.Count - 1);
    }

    [Fact]
    public void A_page_that_was_read_before_a_commit_does_not_undo_it()
    {
        Set("a", 5, no: 1);
        _book.Wanted();
        var read = _book.NextRead(At(0))!;
        var page = PageOf(read, 0);
        Changed("a", Set("a", 7, no: 2));
        Changed("new", Set("new", 1));
        _book.Read(page, At(0));
        Assert.Equal(["new", "a"], Due(7));
    }

    [Fact]
    public void A_firing_that_is_not_taken_is_repeated_in_a_second_and_one_that_failed_when_it_is_read_again()
    {
        Set("busy", 1);
        Set("wrong", 1);
        Acquire(0);
        foreach (var row in _book.Due(At(1))) _book.Fired(row, row.Timer.Key == "busy" ? TimerEnd.Again : TimerEnd.Failed, At(1));
        Assert.Empty(_book.Due(At(1.9)));
        Assert.Equal(["busy"], Due(2));
        ReadAll(60);
        Assert.Equal(["wrong"], Due(60));
    }

    [Fact]
    public void The_end_of_an_earlier_timer_of_the_name_leaves_the_later_one()
    {
        Set("a", 1, no: 1);
        Acquire(0);
        var first = Assert.Single(_book.Due(At(1)));
        Changed("a", Set("a", 2, no: 2));
        _book.Fired(first, TimerEnd.Gone, At(1));
        Assert.Equal(2, Assert.Single(_book.Due(At(2))).Timer.No);
    }

    [Fact]
    public void A_read_that_fails_is_repeated()
    {
        _book.Wanted();
        Assert.NotNull(_book.NextRead(At(0)));
        _book.Read(StoreResult.Not<TimerPage>(StoreVerdict.NotSent, "away"), At(0));
        Assert.Null(_book.NextRead(At(0.5)));
        Assert.Equal(TimeSpan.FromSeconds(0.5), _book.IdleFor(At(0.5)));
        Assert.NotNull(_book.NextRead(At(1)));
    }

    [Fact]
    public void Shards_that_come_during_a_pass_have_one_of_their_own()
    {
        _book.Wanted();
        var page = PageOf(_book.NextRead(At(0))!, 0);
        Set("theirs", 1);
        _book.Wanted();
        _book.Read(page, At(0));
        ReadAll(0);
        Assert.Equal(["theirs"], Due(1));
    }

    [Fact]
    public void However_many_there_are_memory_is_bounded_and_all_fire_in_the_order_of_their_time()
    {
        const int count = 25_000;
        for (var i = 0; i < count; i++) Set($"{i:D5}", i % 500, no: i);
        _book.Wanted();
        var (fired, last, most) = (0, 0L, 0);
        for (var second = 0; fired < count; second++)
        {
            Assert.True(second < 2_000, $"Only {fired} of {count} have fired after {second} s.");
            ReadAll(second);
            most = Math.Max(most, _book.Count);
            while (_book.Due(At(second)) is { Count: > 0 } due)
            {
                Assert.True(due.Count <= TimerBook.FiringMax);
                foreach (var row in due)
                {
                    Assert.True(row.Timer.DueUnixMs >= last || second >= 500, "An earlier one after a later one.");
                    (last, fired) = (row.Timer.DueUnixMs, fired + 1);
                    _table.Remove((row.Timer.DueUnixMs, row.Timer.Key));
                    _book.Fired(row, TimerEnd.Gone, At(second));
                }
            }
        }
        Assert.Equal(TimerBook.HeldMax, most);
    }

    [Fact]
    public void Those_that_always_fail_do_not_keep_the_others_from_their_time()
    {
        for (var i = 0; i < 12_000; i++) Set($"bad{i:D5}", 0);
        Set("good", 1);
        _book.Wanted();
        for (var second = 0.0; second < 30; second++)
        {
            ReadAll(second);
            while (_book.Due(At(second)) is { Count: > 0 } due)
            {
                foreach (var row in due)
                {
                    if (row.Timer.Key == "good") return;
                    _book.Fired(row, TimerEnd.Failed, At(second));
                }
                ReadAll(second);
            }
        }
        Assert.Fail("The one that can be fired was not.");
    }

    [Fact]
    public void A_full_memory_gives_way_to_one_that_is_due_earlier()
    {
        for (var i = 0; i < TimerBook.HeldMax; i++) Set($"{i:D5}", 500);
        Acquire(0);
        Assert.Equal(TimerBook.HeldMax, _book.Count);
        Changed("now", Set("now", 1));
        Assert.Equal(TimerBook.HeldMax, _book.Count);
        Assert.Equal(["now"], Due(1));
    }

    [Fact]
    public void A_memory_without_room_waits_for_it_idle()
    {
        for (var i = 0; i < TimerBook.HeldMax; i++) Set($"{i:D5}", 500);
        Acquire(0);
        for (var i = 0; i < 1_000; i++) Set($"more{i:D5}", 400);
        ReadAll(60); // The second pass finds more than there is room for.
        Assert.InRange(_book.IdleFor(At(61)), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60));
    }

    [Fact]
    public void While_the_stores_clock_is_in_doubt_nothing_fires()
    {
        Set("a", 100);
        Acquire(0);
        _book.Wanted();
        Assert.Equal(TimeSpan.FromHours(1), ReadAll(50, ahead: 3_600));
        Assert.Empty(Due(110));
        ReadAll(110);
        Assert.Equal(["a"], Due(110)); // It was a slip.
    }

    private DurableTimer Set(string key, int due, long no = 1)
    {
        foreach (var old in _table.Keys.Where(k => k.Key == key && _table.Count < 100).ToList()) _table.Remove(old);
        return _table[(Start + (due * 1000L), key)] = new DurableTimer(key, no, Start + (due * 1000L), "remind.v1", default);
    }

    private void Acquire(int now)
    {
        _book.Wanted();
        ReadAll(now);
    }

    private TimeSpan? ReadAll(double now, int ahead = 0)
    {
        TimeSpan? stepped = null;
        while (_book.NextRead(At(now)) is { } read) stepped ??= _book.Read(PageOf(read, now + ahead), At(now));
        return stepped;
    }

    private StoreResult<TimerPage> PageOf(TimerRead read, double second) => StoreResult.Ok(new TimerPage(
        Start + (long)(second * 1000),
        [
            .. _table.Where(t => t.Key.Due < read.DueBeforeUnixMs && (read.After is not { } after || t.Key.CompareTo((after.Timer.DueUnixMs, after.Timer.Key)) > 0))
                .Take(read.Limit).Select(t => RowOf(t.Value)),
        ]));

    private void Changed(string key, DurableTimer? timer) => _book.Changed(new ShardNo(1), "room/a", [new TimerChange(key, timer)]);

    private IEnumerable<string> Due(double now) => _book.Due(At(now)).Select(r => r.Timer.Key);

    private static TimerRow RowOf(DurableTimer timer) => new(new ShardNo(1), "room/a", timer);

    private static TimeSpan At(double second) => TimeSpan.FromSeconds(second);
}
