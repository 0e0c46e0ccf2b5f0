using System.Collections.Immutable;

namespace ActorCluster.TestKit.Simulation;

/// <summary>What kind of run to make; everything else the seed decides.</summary>
public sealed record SimulationOptions
{
    /// <summary>Nodes, 2 to 5; 0 lets the seed choose.</summary>
    public int Nodes { get; init; }

    /// <summary>Shards of the room type.</summary>
    public int Shards { get; init; } = 8;

    /// <summary>Shards of a second entity type, which node 0 does not host; 0 for none.</summary>
    public int ShardsElsewhere { get; init; }

    /// <summary>Shards of a type whose entities act outside the store; 0 for none.</summary>
    public int ShardsExclusive { get; init; } = 2;

    /// <summary>Rooms that the clients use.</summary>
    public int Rooms { get; init; } = 4;

    /// <summary>Clients, each with up to three commands a room under way.</summary>
    public int Clients { get; init; } = 4;

    /// <summary>Nodes share a machine and see each other's lock files; null lets the seed choose.</summary>
    public bool? SharedHost { get; init; }

    /// <summary>How long faults begin, in virtual time, from five seconds after the start on.</summary>
    public TimeSpan FaultPhase { get; init; } = TimeSpan.FromSeconds(25);

    /// <summary>Kinds of faults to draw from; empty draws from all.</summary>
    public ImmutableArray<SimFault> Faults { get; init; } = [];

    /// <summary>A bug in the simulated host.</summary>
    public SimMutation Mutation { get; init; }

    /// <summary>A bug in the store.</summary>
    public ModelMutation StoreMutation { get; init; }
}

/// <summary>A kind of fault.</summary>
public enum SimFault
{
    /// <summary>A process dies; another starts at its place up to 15 s later.</summary>
    Kill,

    /// <summary>A process dies between two effects of one step.</summary>
    KillBetweenEffects,

    /// <summary>A process stands still for 10 ms to 20 s.</summary>
    Pause,

    /// <summary>Two sets of nodes do not reach each other.</summary>
    Cut,

    /// <summary>One set of nodes does not reach the other, but is reached by it.</summary>
    CutOneWay,

    /// <summary>One channel is cut between two sets.</summary>
    CutChannel,

    /// <summary>Messages take long.</summary>
    SlowNetwork,

    /// <summary>Links are reset.</summary>
    Reset,

    /// <summary>Nobody reaches the store.</summary>
    StoreDown,

    /// <summary>One node does not reach the store.</summary>
    StoreCutOff,

    /// <summary>Store calls take long, some of them too long.</summary>
    SlowStore,

    /// <summary>Answers of the store are lost, after the call took effect, before, or without it.</summary>
    LostReplies,

    /// <summary>Writes take effect a second time, up to 4 s later.</summary>
    LateCopies,

    /// <summary>A node leaves in good order and comes back.</summary>
    Leave,

    /// <summary>All nodes leave and come back, one after the other.</summary>
    RollingRestart,

    /// <summary>Links in one direction take no more frames.</summary>
    FullLinks,
}

/// <summary>How a run went.</summary>
public sealed record SimulationResult
{
    /// <summary>The seed.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Broken invariants, in words; empty when all held.</summary>
    public required ImmutableArray<string> Violations { get; init; }

    /// <summary>Digest of every step: equal for equal seed, options and build.</summary>
    public required ulong TraceHash { get; init; }

    /// <summary>Events that happened.</summary>
    public required long Steps { get; init; }

    /// <summary>How often each kind of fault was injected.</summary>
    public required ImmutableSortedDictionary<SimFault, int> Faults { get; init; }

    /// <summary>What the run reached, by name: acknowledged commands, fenced writes, evictions and so on.</summary>
    public required ImmutableSortedDictionary<string, long> Coverage { get; init; }

    /// <summary>The steps before the first violation, or the last ones.</summary>
    public required ImmutableArray<string> LastSteps { get; init; }

    /// <summary>The seed, what broke, and the last steps.</summary>
    public override string ToString() => Violations.IsEmpty
        ? $"Seed {Seed}: {Steps} steps, no violation."
        : $"Seed {Seed}:{Environment.NewLine}{string.Join(Environment.NewLine, Violations)}{Environment.NewLine}Last steps:{Environment.NewLine}{string.Join(Environment.NewLine, LastSteps)}";
}
