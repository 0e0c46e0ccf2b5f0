using System.Collections.Immutable;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Draws the faults of a run: some runs have none, some only one kind. All of them end.</summary>
internal static class SimFaultDraw
{
    /// <summary>No fault begins before the nodes have met.</summary>
    public static readonly TimeSpan Begins = TimeSpan.FromSeconds(5);

    public static ImmutableArray<PlannedFault> Draw(SimRandom random, int places, SimulationOptions options)
    {
        var kinds = options.Faults.IsEmpty ? Enum.GetValues<SimFault>() : [.. options.Faults];
        var shape = random.Below(20);
        if (shape == 0 && options.Faults.IsEmpty) return [];
        var only = random.Pick(kinds);
        var count = 1 + random.Below(6);
        return [.. Enumerable.Range(0, count).Select(_ => One(random, places, shape < 8 ? only : random.Pick(kinds), options.FaultPhase))];
    }

    private static PlannedFault One(SimRandom random, int places, SimFault kind, TimeSpan phase)
    {
        var at = Begins + random.Between(TimeSpan.Zero, phase);
        var node = random.Below(places);
        var order = Enumerable.Range(0, places).OrderBy(_ => random.Next()).ToImmutableArray();
        var size = 1 + random.Below(places - 1);
        var fault = new PlannedFault { Kind = kind, AtMs = (long)at.TotalMilliseconds, ForMs = 0 };
        PlannedFault Lasting(double low, double high, double value = 0) => fault with { ForMs = (long)random.Spread(TimeSpan.FromMilliseconds(low), TimeSpan.FromMilliseconds(high)).TotalMilliseconds, Value = Math.Round(value, 3) };
        PlannedFault ToNode(double low, double high, double value = 0) => Lasting(low, high, value) with { Nodes = [node] };
        PlannedFault ToSides(double low, double high, double value = 0) => Lasting(low, high, value) with { Nodes = order[..size], Others = order[size..] };
        double Spread(double low, double high) => Math.Round(low * Math.Pow(high / low, random.Unit()));
        static PlannedFault Rolling(PlannedFault one) => one with { ForMs = one.ForMs + ((one.Nodes.Length - 1) * SimFaults.RollingStepMs) };
        return kind switch
        {
            SimFault.Kill => ToNode(50, 15_000),
            SimFault.KillBetweenEffects => ToNode(1_000, 15_000, random.Below(12)),
            SimFault.Pause => ToNode(10, 20_000),
            SimFault.Cut or SimFault.CutOneWay => ToSides(50, 20_000),
            SimFault.CutChannel => ToSides(50, 20_000, random.Below(2)),
            SimFault.SlowNetwork => Lasting(500, 6_000, Spread(20, 1_500)),
            SimFault.Reset => ToSides(1, 2_000),
            SimFault.FullLinks => ToSides(20, 3_000),
            SimFault.StoreDown => Lasting(100, 15_000) with { Nodes = [.. order.Order()] },
            SimFault.StoreCutOff => ToNode(100, 20_000),
            SimFault.SlowStore => Lasting(500, 8_000, Spread(20, 1_200)),
            SimFault.LostReplies => Lasting(500, 10_000, 0.03 + (0.57 * random.Unit())),
            SimFault.LateCopies => Lasting(2_000, 15_000, 0.3),
            SimFault.Leave => ToNode(2_000, 6_000),
            SimFault.RollingRestart => Rolling(Lasting(2_000, 6_000) with { Nodes = [.. order.Order()] }),
            _ => throw new System.Diagnostics.UnreachableException($"No rule for {kind}."),
        };
    }
}
