using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Placement;

namespace ActorCluster.TestKit.Simulation;

/// <summary>What kind of run to make; everything else the seed decides.</summary>
public sealed record SimulationOptions
{
    /// <summary>Nodes; 0 lets the seed choose.</summary>
    public int Nodes { get; init; }

    /// <summary>The fewest nodes that the seed may choose, 2 at least.</summary>
    public int NodesMin { get; init; } = 2;

    /// <summary>The most nodes that the seed may choose, 100 at most.</summary>
    public int NodesMax { get; init; } = 5;

    /// <summary>Shards of the room type.</summary>
    public int Shards { get; init; } = 8;

    /// <summary>Shards of a second entity type, which node 0 does not host; 0 for none.</summary>
    public int ShardsElsewhere { get; init; }

    /// <summary>Shards of a type whose entities act outside the store; 0 for none.</summary>
    public int ShardsExclusive { get; init; } = 2;

    /// <summary>In what share of the runs the seed adds a singleton, which its users switch, and in what share individually placed entities; 0 to 1.</summary>
    public double MoreTypes { get; init; }

    /// <summary>Where the singleton lives; null: there is none, unless <see cref="MoreTypes"/> adds it. All places may hold it, in their order.</summary>
    public SingletonMode? Singleton { get; init; }

    /// <summary>The singleton's place is kept for a host that stops in good order.</summary>
    public bool KeepsVacancy { get; init; }

    /// <summary>What is said sets durable timers; null lets the seed choose, on in a quarter of the runs.</summary>
    public bool? Timers { get; init; }

    /// <summary>The store forgets its last commits, once, and the run ends with that; null lets the seed choose, in one run of fifty.</summary>
    public bool? Regresses { get; init; }

    /// <summary>Old rows of journals are deleted; null lets the seed choose, on in a quarter of the runs.</summary>
    public bool? Truncates { get; init; }

    /// <summary>Members that all miss the store go on by each other's word; null lets the seed choose, on in a quarter of the runs of at most 25 nodes.</summary>
    public bool? Failsafe { get; init; }

    /// <summary>A node that was frozen for more than 8 s on end ends with 76 and is started again; null lets the seed choose, on in a quarter of the runs.</summary>
    public bool? FrozenMax { get; init; }

    /// <summary>The store is away for 8 to 40 s, for all nodes or all but one, and the other faults begin meanwhile.</summary>
    public bool DuringOutage { get; init; }

    /// <summary>The type of <see cref="ShardsExclusive"/> is taken over on the evidence of a crash; null lets the seed choose, in a quarter of the runs.</summary>
    public bool? OnCrashEvidence { get; init; }

    /// <summary>Thread pools hang until their nodes are sick; null lets the seed choose, in one run of sixteen.</summary>
    public bool? Sickens { get; init; }

    /// <summary>How many places, the last ones, host the second entity type; 0: all but node 0.</summary>
    public int ElsewhereHosts { get; init; }

    /// <summary>Individually placed entities that nodes want to reach, each made when it is first wanted; 0 for none.</summary>
    public int Calls { get; init; }

    /// <summary>Rooms that the clients use.</summary>
    public int Rooms { get; init; } = 4;

    /// <summary>Clients, each with up to three commands a room under way.</summary>
    public int Clients { get; init; } = 4;

    /// <summary>Nodes share a machine and see each other's lock files; null lets the seed choose.</summary>
    public bool? SharedHost { get; init; }

    /// <summary>Split-brain strategy by its name in configuration; null lets the seed choose, keep-majority in four of five runs.</summary>
    public string? Strategy { get; init; }

    /// <summary>A policy of the user's, by which all nodes decide; null: by <see cref="Strategy"/>. It must have no state: equal voters get equal answers.</summary>
    public SplitBrainResolver? Resolver { get; init; }

    /// <summary>A journaled entity of the user's, which the clients use instead of the chat room; null: the chat room. Runs with it have no <see cref="Timers"/>.</summary>
    public SimulatedEntity? Entity { get; init; }

    /// <summary>Late ticks, lost hints, short times; null lets the seed choose, on in a quarter of the runs.</summary>
    public bool? Buggify { get; init; }

    /// <summary>How long faults begin, in virtual time, from five seconds after the start on.</summary>
    public TimeSpan FaultPhase { get; init; } = TimeSpan.FromSeconds(25);

    /// <summary>How many times faults are drawn, each time a minute later; 1 at least. The run is judged at the end of all.</summary>
    public int Rounds { get; init; } = 1;

    /// <summary>No fault lasts less long.</summary>
    public TimeSpan ShortestFault { get; init; } = TimeSpan.Zero;

    /// <summary>No fault lasts longer.</summary>
    public TimeSpan LongestFault { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Kinds of faults to draw from; empty draws from all.</summary>
    public ImmutableArray<SimFault> Faults { get; init; } = [];

    /// <summary>Pauses and suspensions last from this to a minute; up to a minute, default 10 ms.</summary>
    public TimeSpan ShortestPause { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>A bug in the simulated host.</summary>
    public SimMutation Mutation { get; init; }

    /// <summary>A bug in the store.</summary>
    public ModelMutation StoreMutation { get; init; }
}
