using ActorCluster.Membership;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Membership;

public class AssentsTests
{
    private const long View = 7;
    private static readonly Incarnation B = new(2);
    private static readonly Incarnation C = new(3);
    private static readonly ProtocolTimes Times = new();
    private readonly Assents _assents = new(new FailsafeRules(S(60)), Times);

    [Fact]
    public void One_word_that_is_missing_ends_it_two_seconds_after_its_last_question_whatever_the_others_say()
    {
        Hears(B, asked: 20);
        Assert.True(Until(20.1) <= S(20.1));
        Hears(C, asked: 20.2);
        Assert.Equal(S(22), Until(20.3));
        for (var asked = 20.2; asked < 22; asked += 0.2) Hears(B, asked);
        Assert.Equal(S(22.2), Until(22.1));
        Assert.True(Until(22.2) <= S(22.2));
    }

    [Fact]
    public void A_words_age_counts_from_its_question_however_late_it_comes()
    {
        Hears(B, asked: 20);
        Hears(C, asked: 21.9);
        Assert.Equal(S(22), Until(21.95)); // B's has been under way for almost two seconds.
    }

    [Fact]
    public void A_word_for_another_view_counts_for_nothing()
    {
        Hears(B, asked: 20);
        Hears(C, asked: 20, view: View + 1);
        Assert.True(Until(20.1) <= S(20.1));
        Assert.Equal([C], _assents.Missing([B, C], View, S(20.1)));
    }

    [Fact]
    public void Whoever_gives_no_word_any_more_takes_back_the_last_and_an_older_beat_does_not_bring_it_back()
    {
        Hears(B, asked: 20);
        Hears(C, asked: 20, seq: 5);
        Hears(C, asked: 0, seq: 6);
        Hears(C, asked: 20, seq: 5);
        Assert.True(Until(20.1) <= S(20.1));
    }

    [Fact]
    public void It_ends_before_a_newcomer_that_saw_the_last_renewal_may_take_its_sender_out_whatever_the_clocks_rates()
    {
        const double rho = 0.005;
        for (var now = 10.0; now < 80; now += 0.1)
        {
            Hears(B, now);
            Hears(C, now);
            if (Until(now) <= S(now)) break;
            // Renewed at 10: an effect that begins now ends by the budget, on a slow clock; a newcomer watches for 60 s, on a fast one.
            Assert.True((S(now) - S(10) + Times.StopBudget) / (1 - rho) <= _assents.NewcomersWait / (1 + rho));
            Assert.True(now < 69, "It never ends.");
        }
        Assert.True(Until(69) <= S(69));
    }

    [Fact]
    public void Whoever_gave_its_word_is_bound_until_the_last_effect_by_it_has_ended_whatever_the_clocks_rates()
    {
        const double rho = 0.005;
        _assents.Gave(S(20));
        Assert.True(_assents.IsBound(S(20)));
        Assert.True(_assents.IsBound(S(20) + ((Assents.Counts + Times.StopBudget) * (1 + rho) / (1 - rho)) - TimeSpan.FromTicks(10)));
        Assert.False(_assents.IsBound(S(23.5)));
    }

    [Fact]
    public void A_member_that_is_alone_in_its_view_does_not_go_on() => Assert.Equal(TimeSpan.MinValue, _assents.Until([], View, S(10), S(20)));

    [Fact]
    public void Where_it_is_off_no_word_helps()
    {
        var off = new Assents(FailsafeRules.Off, Times);
        off.Heard(B, 1, View, S(20));
        Assert.False(off.IsOn);
        Assert.Equal(TimeSpan.MinValue, off.Until([B], View, S(19), S(20)));
    }

    [Fact]
    public void A_member_that_went_is_forgotten()
    {
        Hears(B, asked: 20);
        _assents.Keep(inc => inc == C);
        Assert.Equal([B], _assents.Missing([B], View, S(20)));
    }

    private long _seq = 100;

    private void Hears(Incarnation from, double asked, long view = View, long? seq = null) => _assents.Heard(from, seq ?? ++_seq, view, S(asked));

    private TimeSpan Until(double now) => _assents.Until([B, C], View, S(10), S(now));

    private static TimeSpan S(double seconds) => TimeSpan.FromSeconds(seconds);
}
