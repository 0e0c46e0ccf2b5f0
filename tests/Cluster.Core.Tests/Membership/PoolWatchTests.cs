using ActorCluster.Membership;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Membership;

public class PoolWatchTests
{
    private readonly PoolWatch _watch = new(new ProtocolTimes());
    private readonly List<NodeEffect> _effects = [];
    private TimeSpan _now = TimeSpan.FromSeconds(100);
    private TimeSpan _delay;
    private (long No, TimeSpan Due)? _out;

    [Fact]
    public void A_pool_that_answers_is_well_and_is_asked_once_a_second()
    {
        Pass(10);
        Assert.False(_watch.IsSick);
        Assert.InRange(_effects.Count, 10, 11);
        Assert.InRange(_watch.Delay(_now), TimeSpan.Zero, TimeSpan.FromSeconds(0.1));
    }

    [Fact]
    public void A_pool_that_answers_nothing_is_as_far_behind_as_its_item_is_old_and_sick_after_15_s()
    {
        _delay = TimeSpan.FromDays(1);
        Pass(14);
        Assert.False(_watch.IsSick);
        Assert.InRange(_watch.Delay(_now), TimeSpan.FromSeconds(13), TimeSpan.FromSeconds(14.1));
        Pass(2);
        Assert.True(_watch.IsSick);
        Assert.Single(_effects); // What has not run is not asked again.
    }

    [Theory]
    [InlineData(4.8, false)]
    [InlineData(5.4, true)] // Its items come back, each too late: nothing between two of them makes it well.
    public void A_pool_that_is_slow_is_sick_beyond_five_seconds(double delay, bool isSick)
    {
        _delay = TimeSpan.FromSeconds(delay);
        Pass(40);
        Assert.Equal(isSick, _watch.IsSick);
    }

    [Fact]
    public void A_hang_of_less_than_ten_seconds_beyond_that_makes_nobody_sick()
    {
        for (var i = 0; i < 5; i++)
        {
            _delay = TimeSpan.FromSeconds(13); // Of the one item that is out by then; the next ones run at once.
            Pass(1.5);
            _delay = TimeSpan.Zero;
            Pass(17);
        }
        Assert.False(_watch.IsSick);
    }

    [Fact]
    public void It_is_well_again_after_30_s_on_end()
    {
        _delay = TimeSpan.FromSeconds(16);
        Pass(20);
        Assert.True(_watch.IsSick);
        _delay = TimeSpan.Zero;
        Pass(35);
        Assert.True(_watch.IsSick); // The second item, of the 16th second, came back in the 32nd.
        _delay = TimeSpan.FromSeconds(2);
        Pass(3);
        _delay = TimeSpan.Zero;
        Pass(29);
        Assert.True(_watch.IsSick);
        Pass(4);
        Assert.False(_watch.IsSick);
    }

    [Fact]
    public void A_process_that_stood_still_is_not_sick_of_it()
    {
        Pass(0.1);
        _now += TimeSpan.FromSeconds(60);
        Pass(3);
        Assert.False(_watch.IsSick);
        Assert.InRange(_watch.Delay(_now), TimeSpan.Zero, TimeSpan.FromSeconds(0.1));
    }

    private void Pass(double seconds)
    {
        for (var until = _now + TimeSpan.FromSeconds(seconds); _now < until; _now += TimeSpan.FromMilliseconds(50))
        {
            if (_out is { } item && _now >= item.Due)
            {
                _out = null;
                _watch.Ran(item.No, _now);
            }
            var before = _effects.Count;
            _watch.Tick(_now, _effects);
            if (_effects.Count > before) _out = (((NodeEffect.AskPool)_effects[^1]).No, _now + _delay);
        }
    }
}
