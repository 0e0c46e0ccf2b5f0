using ActorCluster.Downing;
using ActorCluster.Hosting;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Membership;

public class MemberLimitTests
{
    [Fact]
    public void The_26th_live_member_is_refused_with_a_line_that_says_why()
    {
        var stop = Assert.Single(Joins(25).OfType<NodeEffect.Stop>());
        Assert.Equal(ExitCodes.Refused, stop.ExitCode);
        Assert.Equal("The cluster has 25 live members, and no more than 25 may be. Stop one of them before late starts; one that is dead frees its place when it is evicted.", stop.Reason);
    }

    [Fact]
    public void The_25th_is_not_and_who_takes_the_place_of_its_own_earlier_incarnation_is_not()
    {
        Assert.Contains(Joins(24), e => e is NodeEffect.Call(ControlCall.ChangeView));
        Assert.Contains(Joins(25, "h:3"), e => e is NodeEffect.Call(ControlCall.ChangeView));
    }

    [Fact]
    public void A_core_that_is_told_so_takes_more() =>
        Assert.Contains(Joins(25, rules: new WatchRules { MembersMax = 26 }), e => e is NodeEffect.Call(ControlCall.ChangeView));

    private static List<NodeEffect> Joins(int live, string address = "h:99", WatchRules? rules = null)
    {
        var members = Enumerable.Range(1, live).Select(i => new MemberRow { Inc = new Incarnation(i), Name = $"n{i}", Host = "h", LinkAddress = $"h:{i}", ClientUrl = "", Status = MemberStatus.Up, UpView = i });
        var core = new NodeCore(new MemberRow { Inc = new Incarnation(99), Name = "late", Host = "h", LinkAddress = address, ClientUrl = "" }, new ProtocolTimes(), new KeepMajority(), Guid.NewGuid, watch: rules);
        core.Handle(new NodeInput.Tick(), TimeSpan.FromSeconds(1));
        var read = new ClusterSnapshot(new ClusterRow(Guid.NewGuid(), 1, 50, StableHash.Version, ""), [.. members]);
        return [.. core.Handle(new NodeInput.Answered(new ControlAnswer(new ControlCall.ReadCluster(), StoreVerdict.Ok, read, "")), TimeSpan.FromSeconds(1.1))];
    }
}
