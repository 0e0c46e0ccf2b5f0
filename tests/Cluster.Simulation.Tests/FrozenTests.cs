using ActorCluster.Primitives;
using ActorCluster.TestKit.Simulation;
using static ActorCluster.Tests.SimSteps;

namespace ActorCluster.Tests;

/// <summary>A node that was frozen for too long ends, and is started again (protocol 3.6).</summary>
public class FrozenTests
{
    [Fact]
    public void Nothing_breaks_in_the_first_seeds()
    {
        var all = SimulationCampaign.Run(9_500, 60, SimulationScenario.All["frozen"]);
        Assert.Empty(all.Failing.Select(f => f.ToString()));
        Assert.True(all.Reached["ended frozen"] > 0);
    }

    [Fact]
    public void All_end_that_miss_the_store_for_too_long_and_serve_when_they_have_it_again()
    {
        var cluster = Steady(failsafe: false);
        foreach (var node in cluster.Nodes) cluster.ReachStore(node.Index, false);
        Run(cluster, 12);
        Assert.Empty(cluster.Stops); // Frozen after 4.5 s at the earliest.
        Run(cluster, 4);
        Assert.Equal(3, cluster.Stops[ExitCodes.Frozen]);
        Run(cluster, 20);
        Assert.Empty(cluster.Lives); // A start waits.
        cluster.HealAll();
        Within(25, cluster, () => cluster.AllUp() && cluster.AllServed());
        Assert.Equal(3, cluster.Stops.Values.Sum());
    }

    [Fact]
    public void Nobody_ends_who_goes_on_by_the_word_of_all()
    {
        var cluster = Steady(failsafe: true);
        foreach (var node in cluster.Nodes) cluster.ReachStore(node.Index, false);
        Run(cluster, 25);
        Assert.Empty(cluster.Stops);
        cluster.HealAll();
        Within(25, cluster, () => cluster.AllUp() && cluster.AllServed());
        Assert.Empty(cluster.Stops);
    }

    private static SimCluster Steady(bool failsafe)
    {
        var cluster = new SimCluster(1, new SimulationOptions { Nodes = 3, SharedHost = false, Clients = 3, Failsafe = failsafe, FrozenMax = true });
        cluster.StartInOrder();
        Within(10, cluster, cluster.AllServed);
        return cluster;
    }
}
