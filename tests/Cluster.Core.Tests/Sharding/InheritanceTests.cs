using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Hosting;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Placement;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Sharding;

/// <summary>What heirs take by themselves, the store decides; when it is asked, the core does (protocol 5.2).</summary>
public class InheritanceTests
{
    private static readonly Incarnation Me = new(1);
    private static readonly Incarnation Dead = new(2);
    private readonly NodeCore _core = new(Member(Me), new ProtocolTimes(), new KeepMajority(), Guid.NewGuid, TypeRules.None with { Placed = ["call"] });
    private readonly List<ControlAnswer> _answers = [];
    private readonly List<(TimeSpan At, ControlCall Call)> _calls = [];
    private TimeSpan _now = TimeSpan.FromSeconds(1);
    private StoreVerdict _acquires = StoreVerdict.Ok;
    private StoreVerdict _sweeps = StoreVerdict.Ok;
    private int _inherits;
    private int _revokes;
    private long _view = 5;
    private ImmutableArray<ShardRow> _rows = [];

    [Fact]
    public void The_sweep_leaves_it_to_heirs_that_are_well_for_five_seconds_of_a_view()
    {
        Run(TimeSpan.FromSeconds(8));
        var sweeps = _calls.Where(c => c.Call is ControlCall.RevokeOfDown).ToList();
        Assert.True(sweeps.Count >= 2, $"{sweeps.Count} sweeps in 8 s.");
        Assert.All(sweeps, s => Assert.Equal(s.At - sweeps[0].At < TimeSpan.FromSeconds(5) ? [Me] : [], ((ControlCall.RevokeOfDown)s.Call).Trusted));
    }

    [Fact]
    public void It_is_taken_until_nothing_is_left()
    {
        _inherits = 3;
        Run(TimeSpan.FromSeconds(1));
        Assert.Equal(0, _inherits);
    }

    [Theory]
    [InlineData(StoreVerdict.NotSent)]
    [InlineData(StoreVerdict.InDoubt)]
    public void A_store_that_did_not_answer_is_asked_again_although_no_row_shows_that_there_is_more(StoreVerdict verdict)
    {
        _inherits = 3;
        _acquires = verdict;
        Run(TimeSpan.FromSeconds(1));
        Assert.InRange(_calls.Count(c => c.Call is ControlCall.Acquire), 2, 8);
        _acquires = StoreVerdict.Ok;
        Run(TimeSpan.FromSeconds(1));
        Assert.Equal(0, _inherits);
    }

    [Fact]
    public void Rows_of_the_dead_that_the_store_leaves_are_asked_about_once_a_second_and_at_once_in_a_new_view()
    {
        _rows = [new(new ShardNo(1), "room", "0", new Epoch(1), Dead, null, null, ShardState.Owned, 1)];
        Run(TimeSpan.FromSeconds(10));
        Assert.InRange(Sweeps, 8, 12);
        var before = Sweeps;
        _view++;
        Run(TimeSpan.FromSeconds(2));
        Assert.InRange(Sweeps - before, 2, 4);
    }

    [Fact]
    public void Where_the_store_revoked_some_it_is_asked_for_more_at_once()
    {
        _rows = [new(new ShardNo(1), "room", "0", new Epoch(1), Dead, null, null, ShardState.Owned, 1)];
        _revokes = 5;
        Run(TimeSpan.FromSeconds(1.5));
        Assert.Equal(0, _revokes);
    }

    [Fact]
    public void What_the_store_did_not_answer_is_asked_again_before_the_second_is_over()
    {
        _rows = [new(new ShardNo(1), "room", "0", new Epoch(1), Dead, null, null, ShardState.Owned, 1)];
        _sweeps = StoreVerdict.NotSent;
        Run(TimeSpan.FromSeconds(3));
        Assert.InRange(Sweeps, 6, 16);
    }

    private int Sweeps => _calls.Count(c => c.Call is ControlCall.RevokeOfDown);

    private void Run(TimeSpan time)
    {
        for (var until = _now + time; _now < until; _now += TimeSpan.FromMilliseconds(50))
        {
            var answers = _answers.ToArray();
            _answers.Clear();
            foreach (var answer in answers) Tell(new NodeInput.Answered(answer));
            Tell(new NodeInput.Tick());
        }
    }

    private void Tell(NodeInput input)
    {
        foreach (var call in _core.Handle(input, _now).OfType<NodeEffect.Call>().Select(c => c.What))
        {
            _calls.Add((_now, call));
            var verdict = call switch { ControlCall.Acquire => _acquires, ControlCall.RevokeOfDown => _sweeps, _ => StoreVerdict.Ok };
            _answers.Add(new ControlAnswer(call, verdict, verdict == StoreVerdict.Ok ? ValueOf(call) : null, null));
        }
    }

    private object? ValueOf(ControlCall call) => call switch
    {
        ControlCall.ReadCluster => new ClusterSnapshot(new ClusterRow(Guid.Empty, 1, _view, 1, ""), [Member(Me) with { LeaseSeq = (long)_now.TotalSeconds }, .. _rows.IsEmpty ? [] : new[] { Member(Dead) with { Status = MemberStatus.Down } }]),
        ControlCall.ReadPicture => new ShardPicture(_rows, 0, 0),
        ControlCall.Renew => new Renewal(1, _view),
        ControlCall.Acquire when _inherits > 0 => ImmutableArray.Create(new AcquiredShard(new ShardNo(_inherits), "call", $"{_inherits--}", new Epoch(2), 1)),
        ControlCall.Acquire => ImmutableArray<AcquiredShard>.Empty,
        ControlCall.RevokeOfDown when _revokes > 0 => _revokes-- > 0 ? 1 : 0,
        ControlCall.RevokeOfDown or ControlCall.PruneEnded => 0,
        ControlCall.ReadOwn or ControlCall.ReadRows => ImmutableArray<ShardRow>.Empty,
        _ => null,
    };

    private static MemberRow Member(Incarnation inc) => new()
    {
        Inc = inc,
        Name = $"node{inc.Value}",
        Host = "host",
        LinkAddress = $"node{inc.Value}:8090",
        ClientUrl = $"http://node{inc.Value}:8080",
        Status = MemberStatus.Up,
        UpView = inc.Value,
    };
}
