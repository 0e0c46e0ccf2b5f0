using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Hosting;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Membership;

/// <summary>Whoever decides about a takeover goes by its own registration, so all members have the same (protocol 4.5).</summary>
public class CrashEvidenceOptInTests
{
    private const string OptedIn = "mixer" + MemberRow.OnCrashEvidence;

    [Theory]
    [InlineData("mixer is taken over on crash evidence here, and waits for the lease on n1#1 Up: register it alike on all nodes, and change it while none of them runs.", "mixer", "mixer", OptedIn)]
    [InlineData("mixer waits for the lease here, and is taken over on crash evidence on n1#1 Up: register it alike on all nodes, and change it while none of them runs.", "mixer,mixer+crash", "mixer")]
    [InlineData("", "mixer,mixer+crash", "mixer", OptedIn)]
    [InlineData("", "mixer", "mixer")]
    [InlineData("", "room", "mixer", OptedIn)] // Nobody there hosts it.
    public void A_newcomer_that_differs_from_a_live_member_is_refused(string refusal, string theirs, params string[] mine)
    {
        var effects = Joins(Member(1, [.. theirs.Split(',')]), mine);
        if (refusal.Length == 0) Assert.Contains(effects, e => e is NodeEffect.Call(ControlCall.ChangeView));
        else Assert.Equal((ExitCodes.Refused, refusal), Assert.Single(effects.OfType<NodeEffect.Stop>()) is var stop ? (stop.ExitCode, stop.Reason) : default);
    }

    [Fact]
    public void Who_is_down_or_superseded_has_no_say()
    {
        Assert.Contains(Joins(Member(1, ["mixer"]) with { Status = MemberStatus.Down }, "mixer", OptedIn), e => e is NodeEffect.Call(ControlCall.ChangeView));
        Assert.Contains(Joins(Member(1, ["mixer"]) with { LinkAddress = "h:99" }, "mixer", OptedIn), e => e is NodeEffect.Call(ControlCall.ChangeView));
    }

    private static MemberRow Member(int inc, ImmutableArray<string> types) =>
        new() { Inc = new Incarnation(inc), Name = $"n{inc}", Host = "h", LinkAddress = $"h:{inc}", ClientUrl = "", Status = MemberStatus.Up, UpView = inc, Types = types };

    private static List<NodeEffect> Joins(MemberRow other, params string[] types)
    {
        var core = new NodeCore(Member(99, [.. types]) with { Status = MemberStatus.Joining, UpView = 0 }, new ProtocolTimes(), new KeepMajority(), Guid.NewGuid);
        core.Handle(new NodeInput.Tick(), TimeSpan.FromSeconds(1));
        var read = new ClusterSnapshot(new ClusterRow(Guid.NewGuid(), 1, 50, StableHash.Version, ""), [other]);
        return [.. core.Handle(new NodeInput.Answered(new ControlAnswer(new ControlCall.ReadCluster(), StoreVerdict.Ok, read, "")), TimeSpan.FromSeconds(1.1))];
    }
}
