using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Tests;

/// <summary>Lets a simulated cluster's time pass in a test; a broken invariant ends it with what happened last.</summary>
internal static class SimSteps
{
    /// <summary>Fails if something does not hold at some moment of the next seconds.</summary>
    public static void Within(double seconds, SimCluster cluster, Func<bool> holds)
    {
        var from = cluster.World.Now;
        var held = cluster.World.RunUntil(from + TimeSpan.FromSeconds(seconds), () => holds() || cluster.World.Violations.Count > 0);
        Assert.True(held && cluster.World.Violations.Count == 0, $"Not within {seconds} s of {from}: {Lines(cluster)}");
    }

    public static void Run(SimCluster cluster, double seconds)
    {
        cluster.World.RunUntil(cluster.World.Now + TimeSpan.FromSeconds(seconds), () => cluster.World.Violations.Count > 0);
        Assert.True(cluster.World.Violations.Count == 0, Lines(cluster));
    }

    public static string Lines(SimCluster cluster) =>
        string.Join(Environment.NewLine, cluster.World.Violations.Concat(cluster.World.LastLines.Where(l => !l.Contains("Append", StringComparison.Ordinal)).TakeLast(40)));
}
