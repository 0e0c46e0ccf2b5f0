using ActorCluster.Downing;
using ActorCluster.Hosting;
using ActorCluster.Links;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit;

namespace ActorCluster.Tests.Hosting;

/// <summary>A store that was restored, or has lost commits, under the feet of a node that is up (protocol 4.6, last row).</summary>
public class StoreRegressionTests
{
    [Fact]
    public void A_store_that_shows_an_older_view_freezes_the_node_and_is_not_written()
    {
        var node = new LoneNode();
        var old = node.Database.Copy();
        node.ChangeView();
        node.Run(3);
        node.Restore(old);
        node.Run(3);
        Assert.Equal(NodeMode.Frozen, node.Mode);
        Assert.Contains("StoreRegressed: the store shows generation 1, view 2, but this node has seen generation 1, view 3", node.Alarm, StringComparison.Ordinal);
        node.Calls.Clear();
        node.Run(30);
        Assert.NotEmpty(node.Calls);
        Assert.All(node.Calls, call => Assert.IsType<ControlCall.ReadCluster>(call));
        Assert.Null(node.Stop);
    }

    [Fact]
    public void A_shard_that_shows_fewer_rows_than_before_freezes_the_node_at_the_same_view()
    {
        var node = new LoneNode();
        var old = node.Database.Copy();
        node.Append();
        node.Run(3);
        Assert.Equal(NodeMode.Serving, node.Mode);
        node.Restore(old);
        node.Run(3);
        Assert.Equal(NodeMode.Frozen, node.Mode);
        Assert.Contains("shard 1 shows 0 journal rows, but this node has seen 1", node.Alarm, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void A_store_that_shows_less_than_a_member_has_announced_freezes_who_has_not_seen_it_itself(int ahead, bool freezes)
    {
        var node = new LoneNode();
        node.Tell(new NodeInput.Heard(new Heartbeat(new Incarnation(77), 1, 2 + ahead, NodeMode.Frozen, true, 0, true, []), LinkChannel.Control));
        node.Run(3);
        Assert.Equal(freezes ? NodeMode.Frozen : NodeMode.Serving, node.Mode);
        if (freezes) Assert.Contains("StoreRegressed: the store shows view 2, but a member has seen view 3", node.Alarm, StringComparison.Ordinal);
    }

    [Fact]
    public void A_batch_that_the_store_forgot_freezes_the_node()
    {
        var node = new LoneNode();
        node.Tell(new NodeInput.Regressed("Shard 1: the store knows fewer rows"));
        Assert.Equal(NodeMode.Frozen, node.Mode);
        Assert.Contains("Shard 1: the store knows fewer rows. It was restored", node.Alarm, StringComparison.Ordinal);
    }

    [Fact]
    public void A_store_that_shows_the_old_view_again_does_not_thaw_the_node()
    {
        var node = new LoneNode();
        var (old, newer) = (node.Database.Copy(), node.Database);
        node.ChangeView();
        node.Run(3);
        node.Restore(old);
        node.Run(3);
        node.Restore(newer);
        node.Run(30);
        Assert.Equal(NodeMode.Frozen, node.Mode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_recovery_ends_the_life_so_that_the_node_joins_anew(bool noticed)
    {
        var node = new LoneNode();
        var old = node.Database.Copy();
        node.ChangeView();
        node.Run(3);
        node.Restore(old);
        if (noticed) node.Run(3);
        old.Recover(Guid.NewGuid(), 0, "recovered", 0);
        node.Run(3);
        Assert.Equal(ExitCodes.Evicted, node.Stop?.ExitCode);
        Assert.Contains("generation 2", node.Stop!.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_node_that_has_not_joined_yet_ends_with_78()
    {
        var node = new LoneNode(besideSilentMember: true);
        var old = node.Database.Copy();
        node.Run(1);
        Assert.Equal(NodeMode.Joining, node.Mode);
        node.Restore(old);
        node.Run(1);
        Assert.Equal(ExitCodes.StoreMismatch, node.Stop?.ExitCode);
    }

    [Fact]
    public void A_frozen_node_that_is_asked_to_stop_stops()
    {
        var node = new LoneNode();
        node.Tell(new NodeInput.Regressed("it forgot"));
        node.Tell(new NodeInput.Leave());
        node.Run(0.2);
        Assert.Equal(ExitCodes.Left, node.Stop?.ExitCode);
    }

    /// <summary>The core of one node on a model store; a call is answered at once, time passes in ticks.</summary>
    private sealed class LoneNode
    {
        private static readonly Incarnation Stranger = new(77);
        private readonly NodeCore _core;
        private readonly Incarnation _inc;
        private ModelStore _store;
        private TimeSpan _now = TimeSpan.FromSeconds(1);

        /// <summary>Up, or, beside a member that is up and that it does not hear, about to join.</summary>
        public LoneNode(bool besideSilentMember = false)
        {
            Database.Open(new StoreSeed("digest"));
            Database.RegisterType("counter", 2);
            _store = new ModelStore(Database);
            _inc = Database.NextIncarnation().Value;
            _core = new NodeCore(
                new MemberRow { Inc = _inc, Name = "a", Host = "h", LinkAddress = "h:1", ClientUrl = "" }, new ProtocolTimes(), new KeepMajority(), Guid.NewGuid);
            if (besideSilentMember)
            {
                ChangeView(new MemberChange.Up(Stranger));
                return;
            }
            Run(5);
            Assert.Equal((NodeMode.Serving, 2L), (Mode, _core.Membership.View));
        }

        public ModelDatabase Database { get; private set; } = new(Guid.NewGuid());

        public List<ControlCall> Calls { get; } = [];

        public NodeEffect.Stop? Stop { get; private set; }

        public NodeMode Mode => _core.Membership.Mode(_now);

        public string Alarm => _core.Membership.StoreRegressed ?? "";

        public void Run(double seconds)
        {
            for (var end = _now + TimeSpan.FromSeconds(seconds); _now < end && Stop is null; _now += TimeSpan.FromMilliseconds(50)) Tell(new NodeInput.Tick());
        }

        public void Tell(NodeInput input)
        {
            var effects = _core.Handle(input, _now).ToList();
            foreach (var effect in effects)
            {
                if (effect is NodeEffect.Stop stop) Stop ??= stop;
                if (effect is not NodeEffect.Call(var call)) continue;
                Calls.Add(call);
                var answered = call.RunAsync(_store);
                Assert.True(answered.IsCompletedSuccessfully);
                Tell(new NodeInput.Answered(answered.Result));
            }
        }

        public void Restore(ModelDatabase database) => (Database, _store) = (database, new ModelStore(database));

        /// <summary>Somebody joins and is gone at once.</summary>
        public void ChangeView() => ChangeView(new MemberChange.Down(Stranger, "gone"));

        private void ChangeView(MemberChange then) => Assert.True(Database.ChangeView(
            new ViewChange
            {
                OpId = Guid.NewGuid(),
                By = Stranger,
                BasedOn = Database.ReadCluster().Value!.Cluster.View,
                Members =
                [
                    new MemberChange.Join(new MemberRow { Inc = Stranger, Name = "b", Host = "h", LinkAddress = "h:2", ClientUrl = "" }),
                    then,
                ],
                Reason = "test",
            },
            0).IsOk);

        public void Append()
        {
            var shard = Database.ReadShards().Value[0];
            var row = new JournalRow("counter/a", 1, null, "added.v1", new byte[1], null, 0);
            Assert.Equal([AppendOutcome.Committed], Database.Append([new ShardBatch(shard.No, shard.Epoch, _inc, 1, Guid.NewGuid(), [row])]).Value);
        }
    }
}
