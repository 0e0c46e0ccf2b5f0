using System.Collections.Immutable;

namespace ActorCluster.Placement;

/// <summary>What this node knows of the entity types that are not like others.</summary>
/// <param name="Exclusive">Types whose entities act outside the store; a taker-over waits for the former owner (protocol 4.5).</param>
/// <param name="Singletons">Types of one shard that is placed by a rule of its own (protocol 6.1).</param>
internal sealed record TypeRules(ImmutableSortedSet<string> Exclusive, ImmutableSortedDictionary<string, SingletonRule> Singletons)
{
    /// <summary>Every type is like the others.</summary>
    public static TypeRules None { get; } = new([], ImmutableSortedDictionary<string, SingletonRule>.Empty);

    /// <summary>Types whose entities are placed individually, each in a shard of its own.</summary>
    public ImmutableSortedSet<string> Placed { get; init; } = [];

    /// <summary>Exclusive types that are taken over on the evidence of a crash (protocol 4.5).</summary>
    public ImmutableSortedSet<string> OnCrashEvidence { get; init; } = [];

    public bool IsPlaced(string type) => Placed.Contains(type);

    public bool IsExclusive(string type) => Exclusive.Contains(type);

    public SingletonRule? SingletonOf(string type) => Singletons.GetValueOrDefault(type);
}
