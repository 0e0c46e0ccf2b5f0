using ActorCluster.Links;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Membership;

/// <summary>Whom node 1 of many watches, by what it hears of the others.</summary>
public class WatchTests
{
    [Fact]
    public void Up_to_25_members_everybody_is_watched_and_judged_from_the_start()
    {
        var node = new One(25);
        node.Run(0.1);
        Assert.Equal(24, node.Row.Count());
        Assert.True(node.Watch.IsMesh);
    }

    [Fact]
    public void Of_more_only_those_of_the_plan_are_watched_and_the_others_count_as_reached()
    {
        var node = new One(40);
        node.Run(10);
        Assert.Equal(node.Plan, node.Row.Select(e => e.Peer));
        Assert.All(node.Row, e => Assert.True(e.Up));
        Assert.True(node.Watch.IsQuiet);
        Assert.All(node.Others, inc => Assert.True(node.Detector.IsReached(inc)));
    }

    [Fact]
    public void Whoever_begins_to_be_watched_has_two_seconds_to_be_heard()
    {
        var node = new One(40) { Silent = [new Incarnation(2)] };
        node.Watches(2);
        node.Run(1.9);
        Assert.DoesNotContain(new Incarnation(2), node.Row.Select(e => e.Peer));
        node.Run(0.3);
        Assert.Contains(new ReachEntry(new Incarnation(2), false), node.Row);
    }

    [Fact]
    public void Everybody_is_watched_from_the_first_one_that_is_missed_until_calm_for_three_times_S()
    {
        var node = new One(40);
        node.Run(5);
        node.Silent = [node.Plan.First()];
        node.Run(1.5);
        Assert.True(node.Watch.IsMesh);
        node.Run(1);
        Assert.Equal(39, node.Row.Count());
        node.Silent = [];
        node.Run(11);
        Assert.True(node.Watch.IsMesh);
        node.Run(2);
        Assert.False(node.Watch.IsMesh);
        Assert.Equal(node.Plan, node.Row.Select(e => e.Peer));
    }

    [Fact]
    public void What_another_says_of_somebody_it_misses_or_of_its_store_is_a_sign_too()
    {
        foreach (var (missed, storeOk) in new[] { (true, true), (false, false) })
        {
            var node = new One(40);
            node.Run(5);
            Assert.False(node.Watch.IsMesh);
            node.Hear(node.Others.Last(inc => !node.Plan.Contains(inc)), missed ? [new ReachEntry(new Incarnation(7), false)] : [], storeOk);
            node.Run(0.1);
            Assert.True(node.Watch.IsMesh);
        }
    }

    [Fact]
    public void Those_that_are_watched_no_more_are_beaten_for_S_longer_because_they_learn_it_later()
    {
        var node = new One(40);
        node.Run(5);
        node.Hear(node.Others.Last(inc => !node.Plan.Contains(inc)), [], storeOk: false);
        node.Run(12.5);
        Assert.False(node.Watch.IsMesh);
        Assert.All(node.Others, inc => Assert.True(node.Detector.IsBeaten(inc, node.Now)));
        node.Run(4.2);
        Assert.Equal(node.Plan, node.Others.Where(inc => node.Detector.IsBeaten(inc, node.Now)));
    }

    /// <summary>Node 1, ticking, and peers that beat whoever they are.</summary>
    private sealed class One
    {
        private readonly MemberRow[] _members;
        private long _seq;

        public One(int count)
        {
            _members = [.. Enumerable.Range(1, count).Select(i => new MemberRow { Inc = new Incarnation(i), Name = $"n{i}", Host = "h", LinkAddress = $"h:{i}", ClientUrl = "", Status = MemberStatus.Up, UpView = i })];
            Detector = new FailureDetector(new Incarnation(1), new ProtocolTimes());
            Watch = new Watch(new Incarnation(1), Detector, new WatchRules());
            Watch.Learned(1, _members);
            Plan = [.. new WatchPlan(_members).EdgesOf(new Incarnation(1))];
        }

        public FailureDetector Detector { get; }

        public Watch Watch { get; }

        public TimeSpan Now { get; private set; } = TimeSpan.FromSeconds(1);

        public Incarnation[] Plan { get; private set; }

        public Incarnation[] Silent { get; set; } = [];

        public IEnumerable<Incarnation> Others => _members.Skip(1).Select(m => m.Inc);

        public IEnumerable<ReachEntry> Row => Detector.OwnRow(Now);

        /// <summary>Reads lists of so many members that the plan has one of them in it.</summary>
        public void Watches(long inc)
        {
            var members = _members;
            for (var more = 1; !new WatchPlan(members).EdgesOf(new Incarnation(1)).Contains(new Incarnation(inc)); more++)
                members = [.. _members, .. Enumerable.Range(1, more).Select(i => _members[0] with { Inc = new Incarnation(1_000 + i) })];
            Watch.Learned(2, members);
            Silent = [.. Silent, .. members.Skip(_members.Length).Select(m => m.Inc)];
        }

        public void Hear(Incarnation from, ReachEntry[] row, bool storeOk = true) =>
            Detector.Heard(new Heartbeat(from, ++_seq, 1, NodeMode.Serving, storeOk, 0, true, [.. row]), LinkChannel.Control, Now);

        public void Run(double seconds)
        {
            for (var end = Now + TimeSpan.FromSeconds(seconds); Now < end; Now += TimeSpan.FromMilliseconds(100))
            {
                foreach (var inc in Others.Where(inc => !Silent.Contains(inc) && (Watch.IsMesh || Plan.Contains(inc)))) Hear(inc, []);
                Detector.Review(Now);
                Watch.Review(isTroubled: false, Now);
            }
        }
    }
}
