using ActorCluster.Membership;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Membership;

public class LeaseTests
{
    private readonly Lease _lease = new(new ProtocolTimes());

    [Fact]
    public void It_counts_from_before_the_renewal_was_sent()
    {
        Renew(asked: 10, granted: 11.4);
        Assert.Equal(S(16.5), _lease.Deadline);
        Assert.True(_lease.IsLive(S(16.4)));
        Assert.False(_lease.IsLive(S(16.5)));
    }

    [Fact]
    public void Only_rows_asked_for_after_the_renewal_end_the_frozen_state()
    {
        Renew(asked: 10, granted: 10);
        Assert.True(_lease.IsFrozen(S(17)));
        Renew(asked: 18, granted: 18.5);
        _lease.OwnRowsRead(S(18.4));
        Assert.True(_lease.IsFrozen(S(18.6)));
        _lease.OwnRowsRead(S(18.5));
        Assert.False(_lease.IsFrozen(S(18.6)));
    }

    [Fact]
    public void A_grant_after_the_deadline_does_not_hide_that_it_passed()
    {
        Renew(asked: 10, granted: 10);
        Renew(asked: 16, granted: 17); // Nobody looked between 16.5 and 17.
        Assert.True(_lease.IsFrozen(S(17)));
    }

    [Fact]
    public void An_answer_that_comes_a_pause_too_late_grants_nothing()
    {
        Renew(asked: 10, granted: 10);
        Renew(asked: 12, granted: 32);
        _lease.OwnRowsRead(S(40));
        Assert.True(_lease.IsFrozen(S(40)));
        Assert.False(_lease.IsLive(S(32)));
    }

    [Fact]
    public void A_refused_renewal_is_repeated_soon_but_not_at_once()
    {
        _lease.Asked(S(10));
        _lease.Refused(S(10));
        Assert.False(_lease.IsDue(S(10.1)));
        Assert.True(_lease.IsDue(S(10.2)));
    }

    private void Renew(double asked, double granted)
    {
        _lease.Asked(S(asked));
        _lease.Granted(S(granted));
    }

    private static TimeSpan S(double seconds) => TimeSpan.FromSeconds(seconds);
}
