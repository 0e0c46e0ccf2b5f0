using ActorCluster.Entities;

namespace ActorCluster.Tests.Entities;

public class StoreClockTests
{
    private const long Start = 1_700_000_000_000;
    private readonly StoreClock _clock = new();

    [Fact]
    public void Between_readings_the_monotonic_clock_carries_it_on()
    {
        Assert.False(_clock.IsSet);
        Assert.Null(Read(0, 5));
        Assert.Equal(Start + 35_000, _clock.UnixMs(At(40)));
    }

    [Fact]
    public void A_small_correction_is_taken_at_once()
    {
        Read(0, 0);
        Assert.Null(Read(60 + 60, 60));
        Assert.False(_clock.IsHeld);
        Assert.Equal(Start + 120_000, _clock.UnixMs(At(60)));
    }

    [Theory]
    [InlineData(3600)]
    [InlineData(-3600)]
    [InlineData(61)]
    public void A_step_is_told_once_and_believed_when_it_has_stood_for_a_minute(int by)
    {
        Read(0, 0);
        Assert.Equal(TimeSpan.FromSeconds(by), Read(60 + by, 60));
        Assert.True(_clock.IsHeld);
        Assert.Null(Read(100 + by, 100));
        Assert.True(_clock.IsHeld);
        Assert.Equal(Start + 100_000, _clock.UnixMs(At(100)));
        Assert.Null(Read(120 + by, 120));
        Assert.False(_clock.IsHeld);
        Assert.Equal(Start + 120_000 + (by * 1000), _clock.UnixMs(At(120)));
    }

    [Fact]
    public void A_step_that_is_taken_back_changes_nothing()
    {
        Read(0, 0);
        Read(3600, 10);
        Assert.Null(Read(15, 15));
        Assert.False(_clock.IsHeld);
        Assert.Equal(Start + 20_000, _clock.UnixMs(At(20)));
    }

    [Fact]
    public void Each_step_must_stand_by_itself()
    {
        Read(0, 0);
        Read(3600 + 10, 10);
        Assert.Equal(TimeSpan.FromSeconds(7200), Read(7200 + 60, 60));
        Read(7200 + 80, 80);
        Assert.True(_clock.IsHeld);
        Read(7200 + 120, 120);
        Assert.False(_clock.IsHeld);
    }

    private TimeSpan? Read(int second, int now) => _clock.Read(Start + (second * 1000L), At(now));

    private static TimeSpan At(int second) => TimeSpan.FromSeconds(second);
}
