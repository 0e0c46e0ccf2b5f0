using System.Collections.Immutable;
using ActorCluster.Placement;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Kinds of runs by name, for a command line.</summary>
public static class SimulationScenario
{
    /// <summary>Name of the one that draws from all faults.</summary>
    public const string Mixed = "mixed";

    /// <summary>So many nodes that each watches a part of the others.</summary>
    internal static SimulationOptions Many { get; } = new()
    {
        NodesMin = 26,
        NodesMax = 60,
        Shards = 4,
        Rooms = 2,
        Clients = 2,
        FaultPhase = TimeSpan.FromSeconds(4),
        ShortestFault = TimeSpan.FromSeconds(2),
        LongestFault = TimeSpan.FromSeconds(9),
        Faults = [SimFault.Cut, SimFault.CutOneWay, SimFault.CutChannel, SimFault.Isolate, SimFault.Bridge, SimFault.Flapping, SimFault.Reset, SimFault.Loss, SimFault.SlowNetwork, SimFault.Kill, SimFault.Pause, SimFault.Leave, SimFault.StoreCutOff, SimFault.LostReplies],
    };

    /// <summary>Members go on without the store, and things happen to them meanwhile.</summary>
    internal static SimulationOptions Failsafe { get; } = new()
    {
        Failsafe = true,
        DuringOutage = true,
        Singleton = SingletonMode.Sticky,
        Faults =
        [
            SimFault.StoreCutOff, SimFault.Cut, SimFault.CutOneWay, SimFault.CutChannel, SimFault.Isolate, SimFault.Flapping, SimFault.Reset, SimFault.Loss, SimFault.SlowNetwork, SimFault.DelaySpikes, SimFault.Pause, SimFault.Suspend,
            SimFault.StandStill, SimFault.ClockRate, SimFault.WallJump, SimFault.Kill, SimFault.KillBetweenEffects, SimFault.RestartElsewhere, SimFault.Leave, SimFault.LostReplies, SimFault.LateCopies, SimFault.SlowStore, SimFault.StoreErrors,
        ],
    };

    /// <summary>All of them, by name.</summary>
    public static ImmutableSortedDictionary<string, SimulationOptions> All { get; } = new Dictionary<string, SimulationOptions>
    {
        [Mixed] = new() { MoreTypes = 0.25 },
        ["network"] = new() { Faults = [SimFault.Cut, SimFault.CutOneWay, SimFault.CutChannel, SimFault.SlowNetwork, SimFault.Reset, SimFault.HalfOpen, SimFault.FullLinks, SimFault.Loss, SimFault.DelaySpikes, SimFault.Duplicates, SimFault.Isolate, SimFault.Ring, SimFault.Bridge, SimFault.Flapping] },
        ["process"] = new() { Faults = [SimFault.Kill, SimFault.KillBetweenEffects, SimFault.Pause, SimFault.RestartElsewhere, SimFault.SlowNode] },
        ["paused-owner"] = new() { Faults = [SimFault.Pause], ShortestPause = TimeSpan.FromSeconds(8) }, // Each longer than a lease lasts.
        ["stopped-machine"] = new() { Faults = [SimFault.StandStill, SimFault.SlowStore, SimFault.StoreCutOff, SimFault.Cut], ShortestPause = TimeSpan.FromSeconds(1) },
        ["clock"] = new() { Faults = [SimFault.Suspend, SimFault.StandStill, SimFault.WallJump, SimFault.ClockRate, SimFault.StoreClockJump] },
        ["store"] = new() { Faults = [SimFault.StoreDown, SimFault.StoreCutOff, SimFault.SlowStore, SimFault.LostReplies, SimFault.LateCopies, SimFault.StoreErrors] },
        ["operator"] = new() { Faults = [SimFault.Leave, SimFault.LeaveTwo, SimFault.RollingRestart] },
        ["workload"] = new() { Faults = [SimFault.HotRoom, SimFault.Impatience, SimFault.Kill, SimFault.LostReplies] },
        ["partitions"] = new() { Nodes = 5, Faults = [SimFault.Cut, SimFault.CutOneWay, SimFault.Isolate, SimFault.Ring, SimFault.Bridge, SimFault.Flapping, SimFault.StoreCutOff, SimFault.Pause] },
        ["regress"] = new() { Regresses = true },
        ["types"] = new() { ShardsElsewhere = 4 },
        ["timers"] = new() { Timers = true },
        ["truncation"] = new() { Truncates = true, Clients = 8 },
        ["failsafe"] = Failsafe,
        ["frozen"] = Failsafe with { Failsafe = null, FrozenMax = true },
        ["sick"] = new() { NodesMin = 3, Sickens = true, ShardsElsewhere = 4, ElsewhereHosts = 2, Calls = 20 },
        ["placement"] = new() { MoreTypes = 1 },
        ["long"] = new() { NodesMin = 5, NodesMax = 9, Rounds = 60, MoreTypes = 0.5, Regresses = false },
        ["many"] = Many,
        ["moves"] = new() { Faults = [SimFault.FullLinks, SimFault.Reset, SimFault.HalfOpen, SimFault.CutChannel, SimFault.Leave] },
    }.ToImmutableSortedDictionary(StringComparer.Ordinal);
}
