using ActorCluster.Membership;
using ActorCluster.Primitives;
using ActorCluster.TestKit.Simulation;
using static ActorCluster.Tests.SimSteps;

namespace ActorCluster.Tests;

/// <summary>More members than watch each other all (protocol 2.2): each watches a part, until somebody is missed.</summary>
public class ManyMembersTests(ITestOutputHelper output)
{
    [Fact]
    public void No_seed_of_many_members_breaks_an_invariant()
    {
        var all = SimulationCampaign.Run(1, 4, SimulationScenario.Many with { NodesMax = 32 });
        output.WriteLine($"{all.Steps:N0} steps, {all.Elapsed.TotalSeconds:F0} s");
        Assert.Empty(all.Failing.Select(f => f.ToString()));
    }

    [Fact]
    public void Each_watches_its_part_and_all_watch_all_from_the_first_silence_until_it_has_been_calm_for_long()
    {
        var cluster = Calm(1, 30);
        Assert.All(cluster.Lives, life =>
        {
            Assert.False(life.Core.Membership.Watch.IsMesh);
            Assert.InRange(life.Core.Membership.Detector.OwnRow(life.Clock).Length, WatchPlan.Rings, 24);
        });
        cluster.Silence(7);
        Within(4, cluster, () => cluster.Lives.All(l => l.Core.Membership.Watch.IsMesh && l.Core.Membership.Missing.Length == 1));
        Within(8, cluster, () => cluster.Lives.All(l => l.Core.Membership.Snapshot!.Members.Count(m => m.IsLive) == 29));
        Within(20, cluster, () => cluster.AllServed() && cluster.Lives.All(l => !l.Core.Membership.Watch.IsMesh));
        Assert.Empty(cluster.Stops);
    }

    [Fact]
    public void Three_that_are_cut_off_go_although_they_watch_few_of_the_others()
    {
        var cluster = Calm(2, 30);
        int[] few = [0, 1, 2]; // The oldest among them.
        cluster.Cut(few, Enumerable.Range(3, 27), cut: true);
        Within(15, cluster, () => cluster.Stops.GetValueOrDefault(ExitCodes.Evicted) == 3);
        Run(cluster, 5);
        Assert.Equal(3, cluster.Stops.Values.Sum());
        cluster.HealAll();
        Within(20, cluster, () => cluster.AllUp() && cluster.AllServed());
    }

    private static SimCluster Calm(ulong seed, int nodes)
    {
        var cluster = new SimCluster(seed, SimulationScenario.Many with { Nodes = nodes, SharedHost = false });
        foreach (var node in cluster.Nodes)
        {
            node.Start();
            cluster.World.RunUntil(cluster.World.Now + TimeSpan.FromMilliseconds(100));
        }
        foreach (var client in cluster.Clients) client.Begin();
        Within(30, cluster, () => cluster.AllUp() && cluster.AllServed() && cluster.Lives.All(l => l.Core.Membership.Watch.IsMesh == false));
        return cluster;
    }
}
