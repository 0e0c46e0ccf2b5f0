using ActorCluster.Membership;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Membership;

public class PhiAccrualTests
{
    private static readonly ProtocolTimes Times = new();

    [Fact]
    public void On_a_quiet_network_silence_is_noticed_after_1060_ms() => Assert.InRange(SilenceUntilDown(jitterMs: 0), 1040, 1080);

    [Fact]
    public void At_100_ms_jitter_silence_is_noticed_after_1330_ms() => Assert.InRange(SilenceUntilDown(jitterMs: 100), 1280, 1380);

    [Fact]
    public void Nothing_heard_yet_is_full_suspicion() => Assert.Equal(double.PositiveInfinity, new PhiAccrual(Times).Phi(TimeSpan.Zero, 1));

    [Fact]
    public void Own_pauses_are_not_held_against_others()
    {
        var phi = Fed(jitterMs: 0, out var last);
        phi.Excuse(TimeSpan.FromSeconds(5));
        Assert.True(phi.Phi(last + TimeSpan.FromSeconds(5.5), 1) < Times.PhiDown);
        Assert.True(phi.Phi(last + TimeSpan.FromSeconds(6.2), 1) >= Times.PhiDown);
    }

    [Theory] // Many deviations before silence is suspect, the exponential overflows.
    [InlineData(5000, 50)]
    [InlineData(600, 1)]
    public void A_peer_just_heard_is_not_suspected_however_patient_the_times_are(int pauseMs, int deviationMs)
    {
        var phi = new PhiAccrual(new ProtocolTimes { Pause = TimeSpan.FromMilliseconds(pauseMs), DeviationMin = TimeSpan.FromMilliseconds(deviationMs) });
        phi.Arrived(TimeSpan.FromSeconds(1));
        Assert.InRange(phi.Phi(TimeSpan.FromSeconds(1.1), 1), 0, 0.01);
    }

    [Fact]
    public void A_healed_cut_does_not_make_it_patient()
    {
        var phi = Fed(jitterMs: 0, out var last);
        phi.Arrived(last += TimeSpan.FromSeconds(60));
        for (var i = 0; i < 20; i++) phi.Arrived(last += Times.Heartbeat);
        Assert.True(phi.Phi(last + TimeSpan.FromSeconds(1.3), 1) >= Times.PhiDown);
    }

    private static double SilenceUntilDown(int jitterMs)
    {
        var phi = Fed(jitterMs, out var last);
        for (var ms = 0; ; ms++)
            if (phi.Phi(last + TimeSpan.FromMilliseconds(ms), 1) >= Times.PhiDown) return ms;
    }

    /// <summary>Arrivals whose distances deviate by the jitter, evenly up and down.</summary>
    private static PhiAccrual Fed(int jitterMs, out TimeSpan last)
    {
        var phi = new PhiAccrual(Times);
        last = TimeSpan.Zero;
        for (var i = 0; i < 400; i++) phi.Arrived(last += Times.Heartbeat + TimeSpan.FromMilliseconds(i % 2 == 0 ? jitterMs : -jitterMs));
        return phi;
    }
}
