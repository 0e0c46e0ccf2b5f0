using System.Collections.Immutable;
using ActorCluster.Hosting;
using ActorCluster.Links;

namespace ActorCluster.TestKit.Simulation;

/// <summary>The faults of one run: which, when, for how long. All of them end.</summary>
internal sealed class SimFaultPlan(SimCluster cluster, SimRandom random)
{
    private static readonly TimeSpan Begins = TimeSpan.FromSeconds(5);

    private readonly SortedDictionary<SimFault, int> _counts = [];

    public IReadOnlyDictionary<SimFault, int> Counts => _counts;

    /// <summary>When the last fault has ended.</summary>
    public TimeSpan Ends { get; private set; } = Begins;

    /// <summary>Draws the plan: some runs have no fault, some only one kind.</summary>
    public void Draw()
    {
        var kinds = cluster.Options.Faults.IsEmpty ? Enum.GetValues<SimFault>() : [.. cluster.Options.Faults];
        var shape = random.Below(20);
        if (shape == 0 && cluster.Options.Faults.IsEmpty) return;
        var only = random.Pick(kinds);
        var count = 1 + random.Below(6);
        for (var i = 0; i < count; i++)
            At(Begins + random.Between(TimeSpan.Zero, cluster.Options.FaultPhase), shape < 8 ? only : random.Pick(kinds));
    }

    private void At(TimeSpan when, SimFault fault)
    {
        _counts[fault] = _counts.GetValueOrDefault(fault) + 1;
        var node = cluster.Nodes[random.Below(cluster.Nodes.Length)];
        var (left, right) = Sides();
        switch (fault)
        {
            case SimFault.Kill:
                For(when, Ms(50), Seconds(15), node.Kill, node.Start);
                break;
            case SimFault.KillBetweenEffects:
                var effects = random.Below(12);
                For(when, Seconds(1), Seconds(15), () => node.DiesAfterEffects = effects, () =>
                {
                    node.DiesAfterEffects = null;
                    node.Start();
                });
                break;
            case SimFault.Pause:
                For(when, Ms(10), Seconds(20), node.Pause, node.Resume);
                break;
            case SimFault.Cut:
                For(when, Ms(50), Seconds(20), () => cluster.Cut(left, right, cut: true), () => cluster.Cut(left, right, cut: false));
                break;
            case SimFault.CutOneWay:
                For(when, Ms(50), Seconds(20), () => cluster.Cut(left, right, cut: true, bothWays: false), () => cluster.Cut(left, right, cut: false, bothWays: false));
                break;
            case SimFault.CutChannel:
                var channel = random.Chance(0.5) ? LinkChannel.Control : LinkChannel.Data;
                For(when, Ms(50), Seconds(20), () => cluster.Cut(left, right, cut: true, channel: channel), () => cluster.Cut(left, right, cut: false, channel: channel));
                break;
            case SimFault.SlowNetwork:
                var delay = random.Spread(Ms(20), Ms(1500));
                For(when, Ms(500), Seconds(6), () => cluster.Network.Delay = delay, () => cluster.Network.Delay = Ms(0.5));
                break;
            case SimFault.Reset:
                For(when, Ms(1), Seconds(2), () => cluster.Network.Reset(left[0], right[0]), () => cluster.Network.Reset(left[0], right[0]));
                break;
            case SimFault.FullLinks:
                For(when, Ms(20), Seconds(3), () => cluster.Fill(left, right, true), () => cluster.Fill(left, right, false));
                break;
            case SimFault.StoreDown:
                For(when, Ms(100), Seconds(15), () => Store(cluster.Nodes, false), () => Store(cluster.Nodes, true));
                break;
            case SimFault.StoreCutOff:
                For(when, Ms(100), Seconds(20), () => Store([node], false), () => Store([node], true));
                break;
            case SimFault.SlowStore:
                var latency = random.Spread(Ms(20), Ms(1200));
                For(when, Ms(500), Seconds(8), () => cluster.Store.Latency = latency, () => cluster.Store.Latency = Ms(2));
                break;
            case SimFault.LostReplies:
                var lost = random.Between(Ms(30), Ms(600)).TotalMilliseconds / 1000;
                For(when, Ms(500), Seconds(10), () => cluster.Store.LostReplies = lost, () => cluster.Store.LostReplies = 0);
                break;
            case SimFault.LateCopies:
                For(when, Seconds(2), Seconds(15), () => cluster.Store.LateCopies = 0.3, () => cluster.Store.LateCopies = 0);
                break;
            case SimFault.Leave:
                Leave(node, when);
                break;
            case SimFault.RollingRestart:
                for (var i = 0; i < cluster.Nodes.Length; i++) Leave(cluster.Nodes[i], when + (i * Seconds(4)));
                break;
            default:
                throw new System.Diagnostics.UnreachableException($"No rule for {fault}.");
        }
    }

    private void Leave(SimNode node, TimeSpan when) =>
        For(when, Seconds(2), Seconds(6), () => node.Life?.After(TimeSpan.Zero, () => node.Life?.Tell(new NodeInput.Leave())), node.Start);

    private void For(TimeSpan when, TimeSpan shortest, TimeSpan longest, Action begins, Action ends)
    {
        var end = when + random.Spread(shortest, longest);
        cluster.World.After(when - cluster.World.Now, begins);
        cluster.World.After(end - cluster.World.Now, ends);
        if (end > Ends) Ends = end;
    }

    private void Store(IEnumerable<SimNode> nodes, bool reaches)
    {
        foreach (var node in nodes) cluster.ReachStore(node.Index, reaches);
    }

    private (int[] Left, int[] Right) Sides()
    {
        var order = Enumerable.Range(0, cluster.Nodes.Length).OrderBy(_ => random.Next()).ToArray();
        var size = 1 + random.Below(order.Length - 1);
        return (order[..size], order[size..]);
    }

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    private static TimeSpan Ms(double milliseconds) => TimeSpan.FromMilliseconds(milliseconds);
}
