using ActorCluster.Membership;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Membership;

public class ClockDoubtTests
{
    private static readonly Incarnation Peer = new(7);
    private readonly ClockDoubt _clocks = new();
    private readonly Random _random = new(1);

    [Theory]
    [InlineData(0.005, -0.005)]
    [InlineData(-0.005, 0.005)]
    [InlineData(0.0005, 0)] // What slews a wall clock.
    public void Clocks_that_drift_as_far_as_they_may_raise_nothing_in_a_day(double own, double other)
    {
        for (var real = 0.0; real < 86_400; real += 0.2)
        {
            Assert.False(_clocks.Wall(S(real * (1 + other)) - S(real * (1 + own)), S(real * (1 + own))));
            Assert.False(_clocks.Peer(Peer, S(real * (1 + other)), S((real + (_random.NextDouble() * 0.05)) * (1 + own))));
        }
    }

    [Theory]
    [InlineData(0.6)]
    [InlineData(15)]
    public void A_standstill_shows_in_the_beats_that_waited_it_out_although_each_is_little_ahead_of_the_one_before(double stood)
    {
        Beats(from: 100, to: 200, late: 0.001, behind: 0);
        var raised = 0;
        for (var sent = 200.0; sent < 200 + stood; sent += 0.2)
            if (_clocks.Peer(Peer, S(sent), S(200 + (0.0001 * (sent - 200))))) raised++;
        Assert.True(raised + Beats(200 + stood, 210 + stood, late: 0.001, behind: stood) > 0);
        Assert.Equal(0, Beats(220 + stood, 300 + stood, late: 0.001, behind: stood)); // It is known by now.
    }

    [Fact]
    public void Beats_that_come_late_and_the_first_one_in_time_again_raise_nothing()
    {
        Beats(from: 0, to: 100, late: 0.001, behind: 0);
        for (var sent = 100.0; sent < 104; sent += 0.2) Assert.False(_clocks.Peer(Peer, S(sent), S(104)));
        Assert.Equal(0, Beats(104, 200, late: 0.001, behind: 0));
    }

    [Fact]
    public void The_own_standstill_shows_also_when_the_peer_has_stood_still_before()
    {
        Beats(from: 0, to: 100, late: 0.001, behind: 0);
        Assert.Equal(0, Beats(100, 140, late: 0.001, behind: -3));
        Assert.Equal(1, Beats(140, 200, late: 0.001, behind: -1));
    }

    [Theory]
    [InlineData(3600)]
    [InlineData(-3600)]
    [InlineData(0.6)]
    [InlineData(-0.6)]
    public void A_wall_clock_that_steps_raises_it_once(double step)
    {
        for (var i = 0; i < 100; i++) Assert.False(_clocks.Wall(S(1_000_000), S(i)));
        Assert.True(_clocks.Wall(S(1_000_000 + step), S(100)));
        for (var i = 101; i < 200; i++) Assert.False(_clocks.Wall(S(1_000_000 + step), S(i)));
    }

    /// <summary>Beats by the clock of the peer, which is the time; the own clock is behind it.</summary>
    /// <returns>How often they raised doubt.</returns>
    private int Beats(double from, double to, double late, double behind)
    {
        var raised = 0;
        for (var sent = from; sent < to; sent += 0.2)
            if (_clocks.Peer(Peer, S(sent), S(sent + late - behind))) raised++;
        return raised;
    }

    private static TimeSpan S(double seconds) => TimeSpan.FromSeconds(seconds);
}
