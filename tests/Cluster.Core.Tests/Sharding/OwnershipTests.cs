using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Hosting;
using ActorCluster.Links;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sharding;

namespace ActorCluster.Tests.Sharding;

public class OwnershipTests
{
    private static readonly Incarnation Me = new(1);
    private static readonly Incarnation Other = new(2);
    private static readonly ShardNo Shard = new(1);
    private readonly List<NodeEffect> _effects = [];
    private readonly List<ControlAnswer> _answers = [];
    private readonly NodeCore _core = new(Member(Me), new ProtocolTimes(), new KeepMajority(), Guid.NewGuid);
    private TimeSpan _now = TimeSpan.FromSeconds(1);
    private ImmutableArray<MemberRow> _members = [Member(Me), Member(Other)];
    private ShardRow _row = new(Shard, "room", "0", new Epoch(1), Me, null, null, ShardState.Owned, 1);
    private ImmutableArray<ShardRow> _others = [];
    private bool _otherBeats;
    private bool _otherReachesTheStore = true;
    private NodeMode _otherMode = NodeMode.Serving;
    private long _beat;

    [Fact]
    public void A_revert_whose_answer_was_lost_opens_the_shard_again()
    {
        Settle();
        _row = _row with { State = ShardState.Handoff, Target = Other };
        Settle();
        Assert.Single(_effects.OfType<ShardEffect.Drain>());

        _members = [Member(Me), Member(Other) with { Status = MemberStatus.Leaving }];
        Settle(call => call is ControlCall.RevertHandoff ? StoreVerdict.InDoubt : null);
        _row = _row with { State = ShardState.Owned };
        Settle();
        Assert.Single(_effects.OfType<ShardEffect.Reopen>());
    }

    [Fact]
    public void A_store_that_refuses_at_once_is_asked_five_times_a_second_and_not_as_often_as_it_answers()
    {
        Settle();
        _row = _row with { State = ShardState.Handoff, Target = Other };
        Settle();
        Tell(new NodeInput.Drained(Shard, _row.Epoch), _ => null);
        _effects.Clear();
        Settle(_ => StoreVerdict.NotSent);
        var calls = _effects.OfType<NodeEffect.Call>().GroupBy(c => c.What.GetType()).ToDictionary(c => c.Key, c => c.Count());
        Assert.InRange(calls[typeof(ControlCall.ReadPicture)], 1, 10);
        Assert.InRange(calls[typeof(ControlCall.Release)], 1, 10);
        _effects.Clear();
        Settle();
        Assert.Contains(_effects.OfType<NodeEffect.Call>(), c => c.What is ControlCall.Release);
    }

    [Fact]
    public void A_slow_answer_to_an_acquire_starts_no_epoch_that_was_lost_since()
    {
        _row = _row with { Owner = null, Target = Me, State = ShardState.Free, Epoch = new Epoch(0) };
        ControlCall? acquire = null;
        StoreVerdict? HoldBack(ControlCall call)
        {
            if (call is not ControlCall.Acquire) return null;
            acquire = call;
            return (StoreVerdict)(-1);
        }

        Settle(HoldBack);
        Assert.NotNull(acquire);
        _row = _row with { Owner = Me, State = ShardState.Owned, Epoch = new Epoch(1) };
        Settle(HoldBack);
        _row = _row with { Owner = Other, Epoch = new Epoch(2) };
        Settle(HoldBack);
        Assert.Single(_effects.OfType<ShardEffect.Stop>());
        var starts = _effects.OfType<ShardEffect.Start>().Count();
        Tell(new NodeInput.Answered(new ControlAnswer(acquire, StoreVerdict.Ok, ImmutableArray.Create(new AcquiredShard(Shard, "room", "0", new Epoch(1), 1)), null)), _ => null);
        Assert.Equal(starts, _effects.OfType<ShardEffect.Start>().Count());
    }

    [Fact]
    public void A_lost_shard_s_former_owner_is_cleared_only_when_nothing_of_it_runs_any_more()
    {
        Settle();
        _row = _row with { Owner = null, Target = Other, Previous = Me, State = ShardState.Free };
        Settle();
        Assert.Single(_effects.OfType<ShardEffect.Stop>());
        Assert.DoesNotContain(_effects.OfType<NodeEffect.Call>(), c => c.What is ControlCall.ClearPrevious);
        Tell(new NodeInput.Stopped([(Shard, new Epoch(1))]), _ => null);
        Settle();
        Assert.Contains(_effects.OfType<NodeEffect.Call>(), c => c.What is ControlCall.ClearPrevious { Shards: [var lost] } && lost == (Shard, new Epoch(1)));
    }

    [Fact]
    public void An_acquire_names_the_former_owners_whose_lease_was_watched_for_the_whole_ttl()
    {
        _row = _row with { Owner = null, Target = Me, Previous = Other, State = ShardState.Free };
        _members = [Member(Me), Member(Other) with { Status = MemberStatus.Down, LeaseSeq = 7 }];
        for (var i = 0; i < 3; i++) Settle(); // 6 s, less than the TTL of 8 s.
        Assert.All(Acquires(), stale => Assert.Empty(stale));
        for (var i = 0; i < 3; i++) Settle();
        Assert.Equal([new LeaseSeen(Other, 7)], Acquires().Last());
        Assert.Contains(Acquires(), s => s.IsEmpty);

        IEnumerable<ImmutableArray<LeaseSeen>> Acquires() => _effects.OfType<NodeEffect.Call>().Select(c => c.What).OfType<ControlCall.Acquire>().Select(a => a.Stale);
    }

    [Fact]
    public void A_member_that_says_it_is_frozen_is_given_no_shard()
    {
        _otherBeats = true;
        _otherMode = NodeMode.Frozen;
        Tell(new NodeInput.ChannelUp(Other, LinkChannel.Control), _ => null);
        _others = [.. Enumerable.Range(2, 8).Select(i => new ShardRow(new ShardNo(i), "room", $"{i}", new Epoch(1), Me, null, null, ShardState.Owned, 1))];
        for (var i = 0; i < 8; i++) Settle();
        Assert.DoesNotContain(_effects.OfType<NodeEffect.Call>(), c => c.What is ControlCall.PlanHandoff);
        _otherMode = NodeMode.Serving;
        for (var i = 0; i < 2; i++) Settle();
        Assert.Contains(_effects.OfType<NodeEffect.Call>(), c => c.What is ControlCall.PlanHandoff);
    }

    [Fact]
    public void A_release_that_was_sent_is_final()
    {
        Settle();
        _row = _row with { State = ShardState.Handoff, Target = Other };
        Settle();
        Tell(new NodeInput.Drained(Shard, new Epoch(1)), call => call is ControlCall.Release ? StoreVerdict.InDoubt : null);
        _members = [Member(Me), Member(Other) with { Status = MemberStatus.Leaving }];
        Settle(call => call is ControlCall.Release ? StoreVerdict.InDoubt : null);
        Assert.Empty(_effects.OfType<ShardEffect.Reopen>());
        Assert.DoesNotContain(_effects.OfType<NodeEffect.Call>(), c => c.What is ControlCall.RevertHandoff);
    }

    [Fact]
    public void A_hand_off_to_a_member_that_does_not_host_the_type_is_reverted_undrained()
    {
        Settle();
        _members = [Member(Me), Member(Other) with { Types = ["other"] }];
        _row = _row with { State = ShardState.Handoff, Target = Other };
        Settle();
        Assert.Empty(_effects.OfType<ShardEffect.Drain>());
        Assert.Contains(_effects.OfType<NodeEffect.Call>(), c => c.What is ControlCall.RevertHandoff);
    }

    [Fact]
    public void A_free_row_aimed_at_a_member_that_does_not_host_the_type_gets_another_target_at_once()
    {
        Settle();
        _members = [Member(Me), Member(Other) with { Types = ["other"] }];
        _row = _row with { State = ShardState.Free, Owner = null, Target = Other };
        Settle();
        Assert.Contains(_effects.OfType<NodeEffect.Call>(), c => c.What is ControlCall.Retarget([{ Target: var target }]) && target == Me);
    }

    [Fact]
    public void A_type_that_nobody_hosts_waits_and_holds_up_no_other()
    {
        _members = [Member(Me) with { Types = ["room"] }, Member(Other) with { Types = ["room"] }];
        _others = [.. Enumerable.Range(2, 8).Select(i => new ShardRow(new ShardNo(i), "room", $"{i}", new Epoch(1), Me, null, null, ShardState.Owned, 1))];
        _row = new ShardRow(Shard, "gone", "0", new Epoch(1), null, null, null, ShardState.Free, 1);
        _otherBeats = true;
        Tell(new NodeInput.ChannelUp(Other, LinkChannel.Control), _ => null);
        for (var i = 0; i < 8; i++) Settle(); // Beyond the calm that a rebalance waits for.
        Assert.DoesNotContain(_effects.OfType<NodeEffect.Call>(), c => c.What is ControlCall.Retarget);
        Assert.Contains(_effects.OfType<NodeEffect.Call>(), c => c.What is ControlCall.PlanHandoff);
    }

    [Fact]
    public void A_node_without_the_store_stops_its_shards_and_has_one_that_reaches_it_release_them()
    {
        LosesTheStore();
        Assert.Single(_effects.OfType<ShardEffect.Stop>());
        Assert.Empty(_effects.OfType<ShardEffect.AskRelease>()); // Effects outside the store may still be under way.
        Tell(new NodeInput.Stopped([(Shard, _row.Epoch)]), _ => null);
        var ask = Assert.Single(_effects.OfType<ShardEffect.AskRelease>());
        Assert.Equal((Other, new ShardRoute(Shard, _row.Epoch, Me)), (ask.To, Assert.Single(ask.Shards)));

        _effects.Clear();
        Settle(); // The store is back, and nobody has heard the request.
        Assert.Empty(_effects.OfType<ShardEffect.Start>());
        Assert.Contains(_effects.OfType<NodeEffect.Call>(), c => c.What is ControlCall.Release { Owner.Value: 1 });
        Assert.False(_effects.OfType<NodeEffect.Beat>().Last().What.TakesNothing);
    }

    [Fact]
    public void A_node_keeps_its_shards_while_the_others_have_no_store_either()
    {
        _otherReachesTheStore = false;
        LosesTheStore();
        Assert.Empty(_effects.OfType<ShardEffect.Stop>());
        _otherReachesTheStore = true; // It has found it first.
        for (var i = 0; i < 40; i++) Beat(_ => StoreVerdict.NotSent);
        Assert.Empty(_effects.OfType<ShardEffect.Stop>());
    }

    [Fact]
    public void A_member_that_reaches_the_store_releases_what_another_has_stopped_under_its_name_and_epoch()
    {
        _otherBeats = true;
        Settle();
        Tell(new NodeInput.HelpAsked([new ShardRoute(new ShardNo(7), new Epoch(3), Other)]), _ => null);
        var release = Assert.Single(_effects.OfType<NodeEffect.Call>().Select(c => c.What).OfType<ControlCall.Release>());
        Assert.Equal((Other, new ShardNo(7), new Epoch(3)), (release.Owner, release.Releases[0].Shard, release.Releases[0].Epoch));
    }

    /// <summary>Six seconds in which no call of this node is answered, while the other is heard.</summary>
    private void LosesTheStore()
    {
        _otherBeats = true;
        for (var i = 0; i < 3; i++) Settle();
        _effects.Clear();
        for (var i = 0; i < 120; i++) Beat(_ => StoreVerdict.NotSent);
    }

    /// <summary>Two seconds of ticks, every store call answered one tick later from the rows above, or as <paramref name="fails"/> says; -1 answers never.</summary>
    private void Settle(Func<ControlCall, StoreVerdict?>? fails = null)
    {
        for (var i = 0; i < 40; i++) Beat(fails ?? (_ => null));
    }

    private void Beat(Func<ControlCall, StoreVerdict?> fails)
    {
        _now += TimeSpan.FromMilliseconds(50);
        var answers = _answers.ToArray();
        _answers.Clear();
        foreach (var answer in answers) Tell(new NodeInput.Answered(answer), fails);
        if (_otherBeats) Tell(new NodeInput.Heard(new Heartbeat(Other, ++_beat, 5, _otherMode, _otherReachesTheStore, 0, true, [new ReachEntry(Me, true)]), LinkChannel.Control), fails);
        Tell(new NodeInput.Tick(), fails);
    }

    private void Tell(NodeInput input, Func<ControlCall, StoreVerdict?> fails)
    {
        var effects = _core.Handle(input, _now).ToArray();
        _effects.AddRange(effects.Where(e => e is not NodeEffect.AskPool));
        foreach (var item in effects.OfType<NodeEffect.AskPool>()) Tell(new NodeInput.PoolRan(item.No), fails);
        foreach (var call in effects.OfType<NodeEffect.Call>())
        {
            var verdict = fails(call.What) ?? (IsAnswered(call.What) ? StoreVerdict.Ok : StoreVerdict.Conflict);
            if (verdict < 0) continue;
            _answers.Add(new ControlAnswer(call.What, verdict, verdict == StoreVerdict.Ok ? ValueOf(call.What) : null, null));
        }
    }

    private static bool IsAnswered(ControlCall call) => call is ControlCall.ReadCluster or ControlCall.ReadPicture or ControlCall.Renew or ControlCall.Acquire;

    private object ValueOf(ControlCall call) => call switch
    {
        ControlCall.ReadCluster => new ClusterSnapshot(new ClusterRow(Guid.Empty, 1, 5, 1, ""), [.. _members.Select(m => m.IsLive ? m with { LeaseSeq = (long)_now.TotalSeconds } : m)]),
        ControlCall.ReadPicture => new ShardPicture([_row, .. _others], 0, 0),
        ControlCall.Renew => new Renewal(1, 5),
        _ => ImmutableArray<AcquiredShard>.Empty,
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
