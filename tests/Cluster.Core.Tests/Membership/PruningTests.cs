using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Membership;

public class PruningTests
{
    private readonly Pruning _pruning;
    private bool _coordinates = true;
    private TimeSpan _now = TimeSpan.FromHours(5);

    public PruningTests() => _pruning = new Pruning(new Retention { Logs = TimeSpan.FromDays(30), DownMembers = TimeSpan.FromDays(7) }, _ => _coordinates);

    [Fact]
    public void A_coordinator_prunes_a_minute_after_it_became_one_and_every_hour()
    {
        Assert.Null(After(TimeSpan.Zero));
        Assert.Null(After(TimeSpan.FromSeconds(59)));
        var asked = After(TimeSpan.FromSeconds(1));
        Assert.Equal(new ControlCall.Prune(TimeSpan.FromDays(30), TimeSpan.FromDays(7), Pruning.BatchRows, null), asked);
        Answer(asked, new PrunedRows(3, 0, Pruning.BatchRows, null));
        Assert.Null(After(TimeSpan.FromMinutes(59)));
        Assert.NotNull(After(TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public void A_full_batch_is_followed_by_another_one_second_later_and_never_two_at_once()
    {
        After(TimeSpan.Zero);
        var asked = After(TimeSpan.FromMinutes(1));
        Assert.Null(After(TimeSpan.FromHours(3))); // Not answered yet.
        Answer(asked!, new PrunedRows(0, Pruning.BatchRows, 0, null));
        Assert.Null(After(TimeSpan.FromMilliseconds(900)));
        Assert.NotNull(After(TimeSpan.FromMilliseconds(100)));
    }

    [Fact]
    public void The_log_of_epochs_is_looked_at_page_by_page_each_behind_the_one_before_also_where_nothing_goes()
    {
        var (first, second) = (new LoggedEpoch(new ShardNo(3), new Epoch(7)), new LoggedEpoch(new ShardNo(9), new Epoch(1)));
        After(TimeSpan.Zero);
        var asked = After(TimeSpan.FromMinutes(1));
        foreach (var next in new[] { first, second })
        {
            Answer(asked, new PrunedRows(0, 0, 0, next));
            Assert.Null(After(TimeSpan.FromMilliseconds(900)));
            asked = After(TimeSpan.FromMilliseconds(100));
            Assert.Equal(next, Assert.IsType<ControlCall.Prune>(asked).After);
        }
        _pruning.Answered(new ControlAnswer(asked!, StoreVerdict.NotSent, null, "away"), _now);
        asked = After(TimeSpan.FromHours(1));
        Assert.Equal(second, Assert.IsType<ControlCall.Prune>(asked).After); // What was not looked at still is to be.
        Answer(asked, new PrunedRows(0, 0, 0, null));
        Assert.Null(Assert.IsType<ControlCall.Prune>(After(TimeSpan.FromHours(1))).After);
    }

    [Fact]
    public void Who_does_not_coordinate_looks_every_minute_whether_it_has_to()
    {
        After(TimeSpan.Zero);
        Answer(After(TimeSpan.FromMinutes(1)), new PrunedRows(Pruning.BatchRows, 0, 0, null));
        _coordinates = false;
        Assert.Null(After(TimeSpan.FromHours(2)));
        _coordinates = true;
        Assert.Null(After(TimeSpan.FromSeconds(59)));
        Assert.NotNull(After(TimeSpan.FromSeconds(1)));
    }

    [Theory]
    [InlineData(StoreVerdict.NotSent)]
    [InlineData(StoreVerdict.InDoubt)] // Nothing rests on it, so nothing is resolved.
    public void What_failed_is_asked_again_at_the_next_look(StoreVerdict verdict)
    {
        After(TimeSpan.Zero);
        var asked = After(TimeSpan.FromMinutes(1))!;
        _pruning.Answered(new ControlAnswer(asked, verdict, null, "away"), _now);
        Assert.Null(After(TimeSpan.FromMinutes(59)));
        Assert.NotNull(After(TimeSpan.FromMinutes(1)));
    }

    private ControlCall? After(TimeSpan time)
    {
        _now += time;
        var effects = new List<NodeEffect>();
        _pruning.Tick(_now, effects);
        return effects.Count == 0 ? null : Assert.IsType<NodeEffect.Call>(Assert.Single(effects)).What;
    }

    private void Answer(ControlCall? asked, PrunedRows rows) => _pruning.Answered(ControlAnswer.Of(asked!, StoreResult.Ok(rows)), _now);
}
