using System.Collections.Immutable;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Draws the faults of a run: some runs have none, some only one kind. All of them end.</summary>
internal static class SimFaultDraw
{
    /// <summary>No fault begins before the nodes have met.</summary>
    public static readonly TimeSpan Begins = TimeSpan.FromSeconds(5);

    private const long RoundMs = 60_000;

    /// <summary>Up to 2 s until the delay shows, 10 s that it must last, and some time as a sick node.</summary>
    private static readonly TimeSpan SickAtLeast = TimeSpan.FromSeconds(20);

    public static ImmutableArray<PlannedFault> Draw(SimRandom random, int places, SimulationOptions options, SimRandom loss)
    {
        var faults = Enumerable.Range(0, options.Rounds).SelectMany(i => (options.DuringOutage ? DuringOutage(random, places, options) : Draw(random, places, options)).Select(f => f with { AtMs = f.AtMs + (i * RoundMs) })).ToImmutableArray();
        if (!loss.Chance(options.Regresses switch { true => 1, false => 0, null => 0.02 })) return faults;
        var at = Begins + loss.Between(TimeSpan.FromSeconds(3), options.FaultPhase);
        return faults.Add(new PlannedFault { Kind = SimFault.StoreLosesCommits, AtMs = (long)at.TotalMilliseconds, ForMs = (long)loss.Spread(TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(3)).TotalMilliseconds });
    }

    /// <summary>Thread pools that hang, long enough for their nodes to be sick; mostly one, now and then too many of them. On a stream of its own.</summary>
    public static ImmutableArray<PlannedFault> DrawSick(SimRandom random, int places, SimulationOptions options)
    {
        if (!random.Chance(options.Sickens switch { true => 1, false => 0, null => 0.06 }) || options.LongestFault < SickAtLeast) return [];
        var nodes = Enumerable.Range(0, places).OrderBy(_ => random.Next()).Take(random.Chance(0.25) ? 1 + random.Below(places) : 1).Order().ToImmutableArray();
        // Up to about 3 s a node hears of its renewals in time and can hand off; beyond that it freezes, and its shards are released.
        var delay = random.Chance(0.5) ? random.Between(TimeSpan.FromSeconds(1.3), TimeSpan.FromSeconds(3)) : random.Spread(TimeSpan.FromSeconds(1.3), TimeSpan.FromSeconds(30));
        return
        [
            new PlannedFault
            {
                Kind = SimFault.PoolHang,
                AtMs = (long)(Begins + random.Between(TimeSpan.Zero, TimeSpan.FromSeconds(15))).TotalMilliseconds,
                ForMs = (long)random.Between(SickAtLeast, TimeSpan.FromSeconds(50)).TotalMilliseconds,
                Nodes = nodes,
                Value = Math.Round(delay.TotalMilliseconds),
            },
        ];
    }

    /// <summary>Up to four users who want the singleton elsewhere, some of them while the hand-off of another is under way. On a stream of its own.</summary>
    public static ImmutableArray<PlannedFault> DrawSwitches(SimRandom random, int places, SimulationOptions options)
    {
        var phase = random.Chance(0.3) ? TimeSpan.FromSeconds(1) : options.FaultPhase;
        var first = Begins + random.Between(TimeSpan.Zero, options.FaultPhase);
        return [.. Enumerable.Range(0, random.Below(5)).Select(_ => new PlannedFault
        {
            Kind = SimFault.Switch,
            AtMs = (long)(phase < options.FaultPhase ? first + random.Between(TimeSpan.Zero, phase) : Begins + random.Between(TimeSpan.Zero, phase)).TotalMilliseconds,
            ForMs = 1,
            Nodes = [random.Below(places)],
            Others = [random.Below(places)],
        })];
    }

    private static ImmutableArray<PlannedFault> Draw(SimRandom random, int places, SimulationOptions options)
    {
        var kinds = options.Faults.IsEmpty ? [.. Enum.GetValues<SimFault>().Except([SimFault.StoreLosesCommits, SimFault.PoolHang, SimFault.Switch])] : options.Faults.ToArray();
        var shape = random.Below(20);
        if (shape == 0 && options.Faults.IsEmpty) return [];
        if (options.Faults.IsEmpty && random.Chance(0.15)) return DuringMoves(random, places, options);
        var only = random.Pick(kinds);
        var count = 1 + random.Below(6);
        // A third of the runs has its faults on top of each other: much happens only while something else is under way.
        var (first, phase) = random.Chance(0.35) ? (random.Between(TimeSpan.Zero, options.FaultPhase), TimeSpan.FromSeconds(1.5)) : (TimeSpan.Zero, options.FaultPhase);
        return [.. Enumerable.Range(0, count).Select(_ => One(random, places, shape < 8 ? only : random.Pick(kinds), Begins + first + random.Between(TimeSpan.Zero, phase), options))];
    }

    /// <summary>Nobody reaches the store, or one alone does, which may have been gone and come back, and something happens to those who go on without it.</summary>
    private static ImmutableArray<PlannedFault> DuringOutage(SimRandom random, int places, SimulationOptions options)
    {
        var all = Enumerable.Range(0, places).ToImmutableArray();
        var one = random.Chance(0.4) ? random.Below(places) : -1;
        var (at, lasts) = (Begins + random.Between(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(15)), random.Between(TimeSpan.FromSeconds(8), TimeSpan.FromSeconds(40)));
        return
        [
            new PlannedFault { Kind = SimFault.StoreDown, AtMs = (long)at.TotalMilliseconds, ForMs = (long)lasts.TotalMilliseconds, Nodes = all.Remove(one) },
            .. one >= 0 && random.Chance(0.6) ? new[] { new PlannedFault { Kind = SimFault.Kill, AtMs = (long)at.TotalMilliseconds - 5_000, ForMs = 5_000 + (long)(lasts.TotalMilliseconds * random.Unit()), Nodes = [one] } } : [],
            .. Enumerable.Range(0, random.Below(4)).Select(_ => One(random, places, random.Pick(options.Faults.ToArray()), at - TimeSpan.FromSeconds(2) + random.Between(TimeSpan.Zero, lasts + TimeSpan.FromSeconds(4)), options)),
        ];
    }

    /// <summary>Shards move over a slow store, and something happens to who gives or takes them.</summary>
    private static ImmutableArray<PlannedFault> DuringMoves(SimRandom random, int places, SimulationOptions options)
    {
        var at = Begins + random.Between(TimeSpan.Zero, options.FaultPhase);
        PlannedFault Soon(SimFault kind, double seconds) => One(random, places, kind, at + random.Between(TimeSpan.Zero, TimeSpan.FromSeconds(seconds)), options);
        return
        [
            Soon(random.Pick([SimFault.Leave, SimFault.LeaveTwo, SimFault.RollingRestart]), 0.2),
            Soon(random.Pick([SimFault.SlowStore, SimFault.LostReplies, SimFault.StoreCutOff]), 0.1),
            .. Enumerable.Range(0, 1 + random.Below(3)).Select(_ =>
                Soon(random.Pick([SimFault.Kill, SimFault.KillBetweenEffects, SimFault.RestartElsewhere, SimFault.Pause, SimFault.Isolate, SimFault.Cut]), 2)),
        ];
    }

    private static PlannedFault One(SimRandom random, int places, SimFault kind, TimeSpan at, SimulationOptions options)
    {
        var node = random.Below(places);
        var order = Enumerable.Range(0, places).OrderBy(_ => random.Next()).ToImmutableArray();
        var size = 1 + random.Below(places - 1);
        var fault = new PlannedFault { Kind = kind, AtMs = (long)at.TotalMilliseconds, ForMs = 0 };
        PlannedFault Lasting(double low, double high, double value = 0) => fault with { ForMs = (long)random.Spread(TimeSpan.FromMilliseconds(low), TimeSpan.FromMilliseconds(high)).TotalMilliseconds, Value = Math.Round(value, 3) };
        PlannedFault ToNode(double low, double high, double value = 0) => Lasting(low, high, value) with { Nodes = [node] };
        PlannedFault ToSides(double low, double high, double value = 0) => Lasting(low, high, value) with { Nodes = order[..size], Others = order[size..] };
        double Spread(double low, double high) => Math.Round(low * Math.Pow(high / low, random.Unit()));
        static PlannedFault Rolling(PlannedFault one) => one with { ForMs = one.ForMs + ((one.Nodes.Length - 1) * SimFaults.RollingStepMs) };
        var drawn = kind switch
        {
            SimFault.Kill => ToNode(50, 15_000),
            SimFault.KillBetweenEffects => ToNode(1_000, 15_000, random.Below(12)),
            SimFault.Pause or SimFault.Suspend => ToNode(options.ShortestPause.TotalMilliseconds, 60_000),
            SimFault.StandStill => ToNode(options.ShortestPause.TotalMilliseconds, 60_000, random.Below(2)),
            SimFault.Cut or SimFault.CutOneWay => ToSides(50, 20_000),
            SimFault.CutChannel => ToSides(50, 20_000, random.Below(2)),
            SimFault.Isolate => ToNode(50, 20_000) with { Others = [.. order.Remove(node).Order()] },
            SimFault.Ring or SimFault.Bridge => Lasting(500, 20_000) with { Nodes = order },
            SimFault.Flapping => ToSides(1_000, 20_000, Spread(50, 10_000)),
            SimFault.Loss => Lasting(500, 15_000, 0.3 * random.Unit()),
            SimFault.DelaySpikes => Lasting(500, 10_000, 0.001 + (0.02 * random.Unit())),
            SimFault.Duplicates => Lasting(500, 15_000, 0.3 * random.Unit()),
            SimFault.RestartElsewhere => ToNode(50, 15_000),
            SimFault.SlowNode => ToNode(500, 15_000),
            SimFault.WallJump or SimFault.StoreClockJump => ToNode(500, 15_000, random.Chance(0.5) ? 3_600_000 : -3_600_000),
            SimFault.ClockRate => ToNode(2_000, 30_000, random.Chance(0.5) ? 0.005 : -0.005),
            SimFault.StoreErrors => Lasting(200, 10_000, 0.05 + (0.6 * random.Unit())),
            SimFault.LeaveTwo => ToNode(2_000, 6_000) with { Nodes = [.. order[..Math.Min(2, places)].Order()] },
            SimFault.HotRoom => Lasting(1_000, 15_000, random.Below(options.Rooms)),
            SimFault.Impatience => Lasting(1_000, 15_000),
            SimFault.SlowNetwork => Lasting(500, 6_000, Spread(20, 1_500)),
            SimFault.Reset or SimFault.HalfOpen => ToSides(1, 2_000),
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
        return drawn with { ForMs = Math.Clamp(drawn.ForMs, (long)options.ShortestFault.TotalMilliseconds, (long)options.LongestFault.TotalMilliseconds) };
    }
}
