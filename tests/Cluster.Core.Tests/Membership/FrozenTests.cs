using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Hosting;
using ActorCluster.Links;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Membership;

/// <summary>A node that has been frozen for longer than its setting ends with 76 (protocol 3.6).</summary>
public class FrozenTests
{
    private static readonly Incarnation Me = new(1);
    private static readonly Incarnation Other = new(2);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    [Fact]
    public void It_ends_when_it_has_been_frozen_for_longer_and_not_before()
    {
        var node = new Node(Longest);
        node.Run(5);
        node.IsAway = true;
        node.Run(6); // Its lease lasts for 6.5 s from its last renewal, which is at most 2 s old.
        Assert.True(node.FrozenSince is not null);
        node.RunUntil(node.FrozenSince!.Value + Longest);
        Assert.Null(node.Stop);
        node.Run(0.5);
        Assert.Equal(ExitCodes.Frozen, node.Stop?.ExitCode);
        Assert.Contains("Cluster:Node:FrozenMax (00:00:10)", node.Stop!.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_the_setting_it_waits_for_the_store_for_ever()
    {
        var node = new Node(TimeSpan.Zero);
        node.Run(5);
        node.IsAway = true;
        node.Run(3_600);
        Assert.Null(node.Stop);
        Assert.Equal(NodeMode.Frozen, node.Mode);
    }

    [Fact]
    public void Each_time_counts_for_itself()
    {
        var node = new Node(Longest);
        node.Run(5);
        for (var outage = 0; outage < 3; outage++)
        {
            node.IsAway = true;
            node.Run(15); // Frozen for 8.5 to 10 s of them.
            Assert.Equal(NodeMode.Frozen, node.Mode);
            node.IsAway = false;
            node.Run(3);
            Assert.Equal(NodeMode.Serving, node.Mode);
        }
        Assert.Null(node.Stop);
    }

    [Fact]
    public void A_lease_that_is_renewed_while_the_own_rows_cannot_be_read_ends_nothing()
    {
        var node = new Node(Longest);
        node.Run(5);
        node.IsAway = true;
        node.Run(8);
        (node.IsAway, node.HidesRows) = (false, true);
        node.Run(5);
        Assert.Equal(NodeMode.Frozen, node.Mode);
        node.Run(6);
        Assert.Equal(ExitCodes.Frozen, node.Stop?.ExitCode);
    }

    [Fact]
    public void Who_wakes_long_after_its_lease_has_time_to_renew()
    {
        var node = new Node(Longest);
        node.Run(5);
        node.Sleep(3_600);
        node.Run(0.1);
        Assert.Equal(NodeMode.Frozen, node.Mode);
        node.Run(3);
        Assert.Equal((NodeMode.Serving, null), (node.Mode, node.Stop));
    }

    [Fact]
    public void Time_in_which_a_frozen_node_stood_still_does_not_count()
    {
        var node = new Node(Longest);
        node.Run(5);
        node.IsAway = true;
        node.Run(8);
        Assert.Equal(NodeMode.Frozen, node.Mode);
        node.IsAway = false;
        node.Sleep(3_600); // A hypervisor stopped all of them.
        node.Run(3);
        Assert.Equal((NodeMode.Serving, null), (node.Mode, node.Stop));
    }

    [Fact]
    public void A_node_that_is_not_up_yet_is_not_frozen_however_long_it_waits()
    {
        var node = new Node(Longest, MemberStatus.Joining);
        node.Run(5);
        node.IsAway = true;
        node.Run(60);
        Assert.Equal((NodeMode.Joining, null), (node.Mode, node.Stop));
    }

    [Fact]
    public void A_store_that_has_lost_commits_is_waited_for_by_whoever_remembers_them()
    {
        var node = new Node(Longest);
        node.Run(5);
        node.Tell(new NodeInput.Regressed("it forgot"));
        node.Run(60);
        Assert.Equal((NodeMode.Frozen, null), (node.Mode, node.Stop));
    }

    [Fact]
    public void Who_is_asked_to_stop_meanwhile_has_left()
    {
        var node = new Node(Longest);
        node.Run(5);
        node.IsAway = true;
        node.Run(14);
        node.Tell(new NodeInput.Leave());
        node.Run(20);
        Assert.Equal(ExitCodes.Left, node.Stop?.ExitCode);
    }

    [Fact]
    public void Time_counts_from_when_the_word_of_all_ends()
    {
        var node = new Node(Longest, besideOther: true, failsafe: TimeSpan.FromMinutes(5));
        node.Run(5);
        node.IsAway = true;
        node.Run(60);
        Assert.Equal((NodeMode.Frozen, true, null), (node.Mode, node.GoesOn, node.Stop));
        node.OtherGivesItsWord = false;
        node.Run(9.5); // A beat without a word takes the last one back.
        Assert.Equal((false, null), (node.GoesOn, node.Stop));
        node.Run(1);
        Assert.Equal(ExitCodes.Frozen, node.Stop?.ExitCode);
    }

    /// <summary>The core of one node, a tick every 50 ms; a store answers by the next one.</summary>
    private sealed class Node
    {
        private readonly NodeCore _core;
        private readonly bool _besideOther;
        private readonly ImmutableArray<MemberRow> _members;
        private readonly List<NodeInput> _inputs = [];
        private TimeSpan _now = TimeSpan.FromSeconds(1);
        private Heartbeat? _question;
        private long _renewals;
        private long _beats;

        public Node(TimeSpan longest, MemberStatus status = MemberStatus.Up, bool besideOther = false, TimeSpan failsafe = default)
        {
            _besideOther = besideOther;
            // Who is joining waits for a member that it does not hear.
            _members = [Member(Me) with { Status = status }, .. besideOther || status == MemberStatus.Joining ? new[] { Member(Other) } : []];
            _core = new NodeCore(Member(Me) with { Status = status }, new ProtocolTimes(), new KeepMajority(), Guid.NewGuid, failsafe: new FailsafeRules(failsafe), frozen: new FrozenRules(longest));
            if (besideOther)
                foreach (var channel in new[] { LinkChannel.Control, LinkChannel.Data }) Tell(new NodeInput.ChannelUp(Other, channel));
        }

        /// <summary>No call is answered by the store; the other one misses it too.</summary>
        public bool IsAway { get; set; }

        /// <summary>The store answers everything but reads of shard rows.</summary>
        public bool HidesRows { get; set; }

        public bool OtherGivesItsWord { get; set; } = true;

        public NodeEffect.Stop? Stop { get; private set; }

        public TimeSpan? FrozenSince { get; private set; }

        public NodeMode Mode => _core.Membership.Mode(_now);

        public bool GoesOn => _core.Membership.AssentedUntil(_now) is not null;

        public void Sleep(double seconds) => _now += TimeSpan.FromSeconds(seconds);

        public void Run(double seconds) => RunUntil(_now + TimeSpan.FromSeconds(seconds));

        public void RunUntil(TimeSpan until)
        {
            while (_now < until && Stop is null)
            {
                _now += TimeSpan.FromMilliseconds(50);
                if (_besideOther) Tell(new NodeInput.Heard(BeatOfOther(), LinkChannel.Control));
                var inputs = _inputs.ToArray();
                _inputs.Clear();
                foreach (var input in inputs) Tell(input);
                Tell(new NodeInput.Tick());
                if (Mode == NodeMode.Frozen) FrozenSince ??= _now;
            }
        }

        public void Tell(NodeInput input)
        {
            foreach (var effect in _core.Handle(input, _now))
            {
                if (effect is NodeEffect.Call(var call)) _inputs.Add(new NodeInput.Answered(Answer(call)));
                if (effect is NodeEffect.Beat(_, _, var beat)) _question = beat;
                if (effect is NodeEffect.Stop stop) Stop ??= stop;
            }
        }

        private Heartbeat BeatOfOther() => new(Other, ++_beats, 5, IsAway ? NodeMode.Frozen : NodeMode.Serving, !IsAway, 0, true, [new ReachEntry(Me, true)])
        {
            Announced = 5,
            Assents = OtherGivesItsWord && _question is { Asks: true } asked ? asked.Clock : TimeSpan.Zero,
        };

        private ControlAnswer Answer(ControlCall call)
        {
            if (IsAway || (HidesRows && call is ControlCall.ReadPicture or ControlCall.ReadOwn or ControlCall.ReadRows)) return new ControlAnswer(call, StoreVerdict.NotSent, null, "The store is away.");
            return call switch
            {
                ControlCall.ReadCluster => Ok(new ClusterSnapshot(new ClusterRow(Guid.Empty, 1, 5, 1, ""), [.. _members.Select(m => m with { LeaseSeq = ++_renewals })])),
                ControlCall.ReadPicture => Ok(new ShardPicture([], 0, 0)),
                ControlCall.Renew => Ok(new Renewal(++_renewals, 5)),
                ControlCall.Acquire => Ok(ImmutableArray<AcquiredShard>.Empty),
                _ => new ControlAnswer(call, StoreVerdict.Conflict, null, null),
            };

            ControlAnswer Ok(object value) => new(call, StoreVerdict.Ok, value, null);
        }

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
}
