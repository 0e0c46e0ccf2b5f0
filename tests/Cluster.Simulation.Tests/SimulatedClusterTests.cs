using ActorCluster.ChatRooms;
using ActorCluster.Persistence;
using ActorCluster.TestKit;
using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Tests;

/// <summary>Time and faults by hand.</summary>
public class SimulatedClusterTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void Equal_seeds_and_steps_give_equal_runs()
    {
        Assert.Equal(Hash(1), Hash(1));
        Assert.NotEqual(Hash(1), Hash(2));

        static ulong Hash(ulong seed)
        {
            var cluster = new SimulatedCluster(3, new SimulatedClusterOptions { Seed = seed, Clients = 2 });
            cluster.Kill(cluster.Nodes[1]);
            cluster.Run(10 * Second);
            cluster.Finish();
            return cluster.TraceHash;
        }
    }

    [Fact]
    public void All_nodes_serve_at_the_start_and_know_each_other()
    {
        var cluster = new SimulatedCluster(3);
        Assert.All(cluster.Nodes, n =>
        {
            Assert.Equal(NodeMode.Serving, n.Mode);
            Assert.Equal(["n0", "n1", "n2"], n.Members);
            Assert.Empty(n.Unreachable);
        });
        Assert.Equal(8, cluster.Nodes.Sum(n => n.Shards.Length));
        var now = cluster.Now;
        cluster.Run(Second);
        Assert.Equal(now + Second, cluster.Now);
    }

    [Fact]
    public void A_minority_that_is_cut_off_stops_and_the_majority_takes_its_shards()
    {
        var cluster = new SimulatedCluster(3, new SimulatedClusterOptions { Clients = 3 });
        var alone = cluster.Nodes[0];
        var was = alone.Incarnation;
        cluster.Cut(alone, cluster.Nodes[1]);
        cluster.Cut(alone, cluster.Nodes[2]);
        cluster.Until("the others miss it", () => cluster.Nodes[1].Unreachable is ["n0"]);
        cluster.Until("it is no member any more", () => !cluster.Nodes[1].Members.Contains("n0"), 6 * Second);
        cluster.Heal();
        cluster.UntilSettled();
        Assert.True(alone.Incarnation > was);
        cluster.Finish();
    }

    [Fact]
    public void A_command_that_is_sent_twice_takes_effect_once_and_is_answered_alike()
    {
        var cluster = new SimulatedCluster(2);
        Assert.Equal(RoomRefusal.NotInRoom, cluster.Ask<RoomReply>(cluster.Nodes[0], "lobby", new RoomCommand.Say("ada", "hello")).Refusal);
        cluster.Ask<RoomReply>(cluster.Nodes[0], "lobby", new RoomCommand.Join("ada"));
        var said = cluster.Send(cluster.Nodes[0], "lobby", new RoomCommand.Say("ada", "hello"));
        cluster.Until("it is answered", () => said.IsDone);
        cluster.Kill(cluster.OwnerOf("lobby")!);
        cluster.Until("the room has another owner", () => cluster.OwnerOf("lobby") is { Mode: NodeMode.Serving });
        Assert.Equal(said.Seq, cluster.Ask<RoomReply>(cluster.OwnerOf("lobby")!, "lobby", said.Message, said.Command).Seq);
        cluster.Finish();
        Assert.Equal([new RoomEvent.Created("ada"), new RoomEvent.Said("ada", "hello")], cluster.Committed("lobby"));
    }

    [Fact]
    public void Without_the_store_nodes_freeze_and_what_was_sent_waits_or_fails()
    {
        var cluster = new SimulatedCluster(2);
        cluster.StopStore();
        var sent = cluster.Send(cluster.Nodes[0], "lobby", new RoomCommand.Join("ada"));
        cluster.Run(3 * Second);
        Assert.False(sent.IsAnswered);
        cluster.Until("all are frozen", () => cluster.Nodes.All(n => n.Mode == NodeMode.Frozen));
        cluster.StartStore();
        cluster.UntilSettled();
        cluster.Finish();
    }

    [Fact]
    public void A_killed_node_answers_nothing_and_starts_as_another_incarnation()
    {
        var cluster = new SimulatedCluster(3);
        var (node, was) = (cluster.Nodes[2], cluster.Nodes[2].Incarnation);
        var sent = cluster.Send(node, "lobby", new RoomCommand.Join("ada"));
        cluster.Kill(node);
        Assert.True(sent.IsDone);
        Assert.Contains("gone", sent.Failure, StringComparison.Ordinal);
        Assert.Contains("no life", cluster.Send(node, "lobby", new RoomCommand.Join("ada")).Failure, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => cluster.Pause(node));
        cluster.Restart(node);
        Assert.Throws<InvalidOperationException>(() => cluster.Restart(node));
        cluster.UntilSettled();
        Assert.True(node.Incarnation > was);
        cluster.Finish();
    }

    [Fact]
    public void A_stopped_node_hands_its_shards_over_and_a_paused_one_is_replaced()
    {
        var cluster = new SimulatedCluster(3, new SimulatedClusterOptions { Clients = 2 });
        cluster.Stop(cluster.Nodes[0]);
        cluster.Until("it has left", () => !cluster.Nodes[0].IsRunning);
        cluster.UntilSettled();
        cluster.Pause(cluster.Nodes[1]);
        Assert.True(cluster.Nodes[1].IsPaused);
        cluster.Until("the last one has all", () => cluster.Nodes[2].Shards.Length == 8);
        cluster.Finish();
    }

    [Fact]
    public void What_does_not_come_about_is_told_with_what_is()
    {
        var cluster = new SimulatedCluster(2);
        cluster.CutOneWay(cluster.Nodes[0], cluster.Nodes[1]);
        cluster.CutStore(cluster.Nodes[1]);
        var told = Assert.Throws<TestClusterException>(() => cluster.Until("pigs fly", () => false, Second)).Message;
        Assert.StartsWith("Expected within 1 s: pigs fly.", told, StringComparison.Ordinal);
        Assert.Contains("cut: n0 to n1", told, StringComparison.Ordinal);
        Assert.DoesNotContain("cut: n1 to n0", told, StringComparison.Ordinal);
        Assert.Contains("cut: n1 from the store", told, StringComparison.Ordinal);
        Assert.Contains("n1#2: ", told, StringComparison.Ordinal);
    }

    [Fact]
    public void A_broken_invariant_ends_the_step_in_which_it_breaks()
    {
        var cluster = new SimulatedCluster(3, new SimulatedClusterOptions { Resolver = new PlantedUsers.EverySide() });
        cluster.Isolate(cluster.Nodes[2]);
        Assert.Contains("3.3 at ", Assert.Throws<TestClusterException>(() => cluster.Run(30 * Second)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_said_of_nodes_and_messages_that_are_not_its_own_is_refused()
    {
        var (cluster, other) = (new SimulatedCluster(2), new SimulatedCluster(2));
        Assert.Throws<ArgumentException>(() => cluster.Kill(other.Nodes[0]));
        Assert.Throws<ArgumentException>(() => cluster.Cut(cluster.Nodes[0], cluster.Nodes[0]));
        Assert.Throws<ArgumentException>(() => cluster.Send(cluster.Nodes[0], "lobby", "hello"));
        Assert.Throws<ArgumentException>(() => cluster.OwnerOf(""));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SimulatedCluster(1));
    }

    [Fact]
    public void A_plan_of_a_users_policy_or_entity_asks_for_it()
    {
        var plan = SimulationPlan.Draw(1, new SimulationOptions { Resolver = new PlantedUsers.EverySide() });
        Assert.Contains("every-side", Assert.Throws<ArgumentException>(() => Simulation.Run(SimulationPlan.Parse(plan.ToJson()))).Message, StringComparison.Ordinal);
        plan = SimulationPlan.Draw(1, new SimulationOptions { Entity = PlantedUsers.Hasty });
        Assert.Contains("tally", Assert.Throws<ArgumentException>(() => Simulation.Run(SimulationPlan.Parse(plan.ToJson()))).Message, StringComparison.Ordinal);
        var listed = plan.Listed();
        Assert.Equal(listed.Operations, SimulationPlan.Parse(listed.ToJson()).Operations);
    }
}
