using ActorCluster.TestKit;
using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Tests;

/// <summary>A checker that never fails proves nothing: each planted bug is found within the stated number of seeds.</summary>
public class MutationTests
{
    [Theory]
    [InlineData(SimMutation.AckBeforeCommit, 1)]
    [InlineData(SimMutation.NoResubscription, 1)]
    [InlineData(SimMutation.SkipResolve, 20, SimFault.LostReplies, SimFault.StoreCutOff)]
    [InlineData(SimMutation.NoDeduplication, 20, SimFault.LostReplies, SimFault.Reset)]
    [InlineData(SimMutation.IgnoresClientOrder, 40)]
    [InlineData(SimMutation.ActsPastTheLease, 40, SimFault.StoreCutOff, SimFault.Cut)]
    [InlineData(SimMutation.StopsBeforeEffectsEnd, 10, SimFault.Leave, SimFault.RollingRestart)]
    [InlineData(SimMutation.LeaveFrozenWithoutReadingOwnRows, 60, SimFault.StoreCutOff, SimFault.Pause)]
    public void A_bug_of_the_host_is_found(SimMutation mutation, int seeds, params SimFault[] faults) =>
        AssertFound(new SimulationOptions { Mutation = mutation, Faults = [.. faults] }, seeds);

    [Fact]
    public void A_host_that_keeps_its_types_to_itself_is_found() =>
        AssertFound(new SimulationOptions { Mutation = SimMutation.KeepsItsTypesToItself, ShardsElsewhere = 4 }, seeds: 3);

    [Theory]
    [InlineData(ModelMutation.EvictByRowsReadBefore, 30, SimFault.Kill, SimFault.Pause)]
    [InlineData(ModelMutation.TakeExclusiveAtOnce, 30, SimFault.Cut, SimFault.StoreCutOff)]
    [InlineData(ModelMutation.AppendIgnoresEpoch, 80, SimFault.Cut, SimFault.Pause, SimFault.SlowStore)]
    public void A_bug_of_the_store_is_found(ModelMutation mutation, int seeds, params SimFault[] faults) =>
        AssertFound(new SimulationOptions { StoreMutation = mutation, Faults = [.. faults], Clients = 8 }, seeds);

    /// <summary>The race is narrow (a renewal between the last look at a lease and the eviction that rests on it), so the seeds come back to the store around the TTL.</summary>
    [Fact]
    public void An_eviction_that_ignores_a_moved_lease_is_found()
    {
        for (ulong seed = 1; seed <= 150; seed++)
        {
            var cluster = new SimCluster(seed, new SimulationOptions { Nodes = 3, SharedHost = false, Clients = 0, StoreMutation = ModelMutation.EvictIgnoresLeaseSeq });
            foreach (var node in cluster.Nodes)
            {
                node.Start();
                cluster.World.RunUntil(cluster.World.Now + TimeSpan.FromSeconds(3));
            }
            cluster.Cut([0, 1], [2], cut: true);
            cluster.ReachStore(0, false);
            cluster.ReachStore(1, false);
            cluster.Store.Latency = TimeSpan.FromMilliseconds(200);
            cluster.World.RunUntil(cluster.World.Now + TimeSpan.FromSeconds(7.5) + TimeSpan.FromMilliseconds(20 * seed));
            cluster.ReachStore(0, true);
            if (cluster.World.RunUntil(cluster.World.Now + TimeSpan.FromSeconds(4), () => cluster.World.Violations.Count > 0)) return;
        }
        Assert.Fail("150 seeds passed with an eviction that ignores a moved lease.");
    }

    private static void AssertFound(SimulationOptions options, int seeds)
    {
        for (ulong seed = 1; seed <= (ulong)seeds; seed++)
            if (!Simulation.Run(seed, options).Violations.IsEmpty) return;
        Assert.Fail($"{seeds} seeds passed with {options.Mutation} {options.StoreMutation}.");
    }
}
