using ActorCluster.Hosting;
using ActorCluster.Placement;
using ActorCluster.TestKit.Simulation;
using static ActorCluster.Tests.SimSteps;

namespace ActorCluster.Tests;

/// <summary>Where a singleton lives (protocol, section 6.1 and 6.2), and that its effects never overlap.</summary>
public class SingletonTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Sticky_goes_to_the_first_host_that_is_up_and_stays(ulong seed)
    {
        var cluster = Steady(seed, SingletonMode.Sticky);
        Assert.Equal(0, cluster.Holder);
        cluster.Nodes[0].Kill();
        Within(12, cluster, () => cluster.Holder == 1);
        cluster.Nodes[0].Start();
        Run(cluster, 80);
        Assert.Equal(1, cluster.Holder);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void PreferFirst_goes_back_when_the_better_host_was_well_for_a_minute(ulong seed)
    {
        var cluster = Steady(seed, SingletonMode.PreferFirst);
        cluster.Nodes[0].Kill();
        Within(12, cluster, () => cluster.Holder == 1);
        cluster.Nodes[0].Start();
        Run(cluster, 55);
        Assert.Equal(1, cluster.Holder);
        Within(20, cluster, () => cluster.Holder == 0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void LastOnline_goes_to_whichever_host_came_up_last(ulong seed)
    {
        var cluster = Steady(seed, SingletonMode.LastOnline);
        Assert.Equal(2, cluster.Holder);
        cluster.Nodes[2].Kill();
        Within(12, cluster, () => cluster.Holder == 1);
        cluster.Nodes[2].Start();
        Within(12, cluster, () => cluster.Holder == 2);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_place_is_kept_for_a_host_that_stops_in_good_order_and_given_away_after_a_crash(ulong seed)
    {
        var cluster = Steady(seed, SingletonMode.Sticky, keepsVacancy: true);
        cluster.Nodes[0].Life!.Tell(new NodeInput.Leave());
        Within(10, cluster, () => !cluster.Nodes[0].IsAlive);
        Run(cluster, 30);
        Assert.Equal(-1, cluster.Holder);
        cluster.Nodes[0].Start();
        Within(10, cluster, () => cluster.Holder == 0);
        cluster.Nodes[0].Kill();
        Within(12, cluster, () => cluster.Holder == 1);
        cluster.Nodes[1].Life!.Tell(new NodeInput.Leave());
        Run(cluster, 290);
        Assert.Equal(-1, cluster.Holder);
        Within(30, cluster, () => cluster.Holder == 2); // Nobody of that name has come back in five minutes.
    }

    [Theory]
    [InlineData(SingletonMode.Sticky, false)]
    [InlineData(SingletonMode.Sticky, true)]
    [InlineData(SingletonMode.PreferFirst, false)]
    [InlineData(SingletonMode.LastOnline, false)]
    public void Under_mixed_faults_the_effects_of_two_holders_never_overlap(SingletonMode mode, bool keepsVacancy)
    {
        var effects = 0L;
        for (ulong seed = 6_000; seed < 6_015; seed++)
        {
            var result = Simulation.Run(seed, new SimulationOptions { Singleton = mode, KeepsVacancy = keepsVacancy });
            Assert.True(result.Violations.IsEmpty, $"Seed {seed}: {string.Join(" | ", result.Violations)}");
            effects += result.Reached["effects"];
        }
        Assert.True(effects > 1_000, $"Only {effects} effects in all.");
    }

    private static SimCluster Steady(ulong seed, SingletonMode mode, bool keepsVacancy = false)
    {
        var cluster = new SimCluster(seed, new SimulationOptions { Nodes = 3, SharedHost = false, Clients = 0, ShardsExclusive = 0, Singleton = mode, KeepsVacancy = keepsVacancy });
        cluster.StartInOrder();
        Assert.True(cluster.AllServed() && cluster.AllUp(), Lines(cluster));
        return cluster;
    }
}
