using ActorCluster.Downing;

namespace ActorCluster.TestKit.Simulation;

/// <summary>What a <see cref="SimulatedCluster"/> is made of.</summary>
public sealed record SimulatedClusterOptions
{
    /// <summary>Decides what the test does not: delays, latencies, clock rates, what drawn clients do. Equal seeds give equal runs.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>By what all nodes decide who stays; null: <see cref="KeepMajority"/>.</summary>
    public SplitBrainResolver? Resolver { get; init; }

    /// <summary>The entity that the test and its clients use; null: the chat room, whose messages are <see cref="ChatRooms.RoomCommand"/>s and whose replies <see cref="ChatRooms.RoomReply"/>s.</summary>
    public SimulatedEntity? Entity { get; init; }

    /// <summary>Shards of its type, 1 to 1,000.</summary>
    public int Shards
    {
        get;
        init => field = value is >= 1 and <= 1_000 ? value : throw new ArgumentOutOfRangeException(nameof(Shards), value, "Give 1 to 1,000 shards.");
    } = 8;

    /// <summary>Drawn clients beside the test, which use the entities <c>r0</c> to <c>r3</c> all the time; 0 to 100.</summary>
    public int Clients
    {
        get;
        init => field = value is >= 0 and <= 100 ? value : throw new ArgumentOutOfRangeException(nameof(Clients), value, "Give 0 to 100 clients.");
    }

    /// <summary>Nodes share a machine and see each other's lock files, so that a death is known at once.</summary>
    public bool SharedHost { get; init; }
}
