using ActorCluster.Entities;
using ActorCluster.Membership;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Entities;

public class EffectGateTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(200);

    private readonly EffectGate _gate = new(new ShardNo(7), new Epoch(3), new Incarnation(5));

    [Fact]
    public void Lets_in_while_the_node_may_act_and_the_gate_is_open()
    {
        Assert.Null(_gate.Enter(Limit, _ => false));
        using (var effect = _gate.Enter(Limit, limit => limit == Limit)!)
            Assert.Equal((new ShardNo(7), new Epoch(3), new Incarnation(5), Limit), (effect.Shard, effect.Epoch, effect.Node, effect.Limit));
        _gate.Close(cancel: false);
        Assert.Null(_gate.Enter(Limit, _ => true));
        _gate.Open();
        Assert.NotNull(_gate.Enter(Limit, _ => true));
    }

    [Fact]
    public void Has_ended_when_the_last_one_inside_is_gone()
    {
        var (first, second) = (_gate.Enter(Limit, _ => true)!, _gate.Enter(Limit, _ => true)!);
        _gate.Close(cancel: false);
        var ended = _gate.Ended;
        first.Dispose();
        first.Dispose(); // Once more does not count for the other.
        Assert.False(ended.IsCompleted);
        Assert.False(second.Cancelled.IsCancellationRequested);
        second.Dispose();
        Assert.True(ended.IsCompleted);
        Assert.True(_gate.Ended.IsCompleted);
    }

    [Fact]
    public async Task Is_cancelled_at_its_limit_and_when_the_shard_is_lost()
    {
        using var lost = _gate.Enter(TimeSpan.FromMinutes(1), _ => true)!;
        _gate.Close(cancel: true);
        Assert.True(lost.Cancelled.IsCancellationRequested);
        _gate.Open();
        using var late = _gate.Enter(TimeSpan.FromMilliseconds(1), _ => true)!;
        await Task.Delay(Timeout.Infinite, late.Cancelled).ContinueWith(static _ => { }, TaskScheduler.Default).Within("an effect of 1 ms is cancelled");
    }

    [Theory]
    [InlineData(0, 1000, true)]
    [InlineData(6499, 1000, true)]
    [InlineData(6500, 1, false)]
    [InlineData(6499, 1002, false)]
    public void A_lease_covers_what_ends_before_anybody_may_call_it_stale(int now, int limit, bool covers) =>
        Assert.Equal(covers, Lease.Covers(TimeSpan.FromMilliseconds(6500), TimeSpan.FromMilliseconds(now), TimeSpan.FromMilliseconds(limit), new ProtocolTimes()));

    [Fact]
    public void A_doubted_lease_is_renewed_at_once_and_trusted_by_a_renewal_asked_for_afterwards()
    {
        var lease = new Lease(new ProtocolTimes());
        static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);
        lease.Asked(At(1));
        lease.Granted(At(1.1));
        Assert.False(lease.IsDue(At(1.2)));
        lease.Asked(At(3));
        lease.Doubt(At(3.1));
        Assert.False(lease.IsTrusted);
        lease.Granted(At(3.2)); // Asked for before the doubt: it may have been sent before the standstill.
        Assert.False(lease.IsTrusted);
        Assert.True(lease.IsDue(At(3.2)));
        lease.Asked(At(3.2));
        lease.Granted(At(3.3));
        Assert.True(lease.IsTrusted);
        Assert.False(lease.IsDue(At(3.4)));
    }
}
