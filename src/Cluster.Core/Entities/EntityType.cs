namespace ActorCluster.Entities;

/// <summary>An entity type as registered on this node.</summary>
/// <param name="Name">Part of every entity's address.</param>
/// <param name="ShardCount">Fixed for life; 0 for a type whose entities are placed individually, each in a shard of its own.</param>
/// <param name="Messages">What it takes.</param>
/// <param name="Create">Makes an instance.</param>
/// <param name="RemembersCommands">A repeat of a command with an id is harmless: the journal remembers it.</param>
/// <param name="IsExclusive">It acts outside the store.</param>
/// <param name="OnCrashEvidence">It acts outside the store, and evidence of the former owner's crash is enough to take it over.</param>
/// <param name="IsSingleton">Its one entity is active wherever its shard is served, without a message.</param>
internal sealed record EntityType(string Name, int ShardCount, MessageCatalog Messages, Func<Entity> Create, bool RemembersCommands, bool IsExclusive, bool OnCrashEvidence = false, bool IsSingleton = false)
{
    public bool IsPlaced => ShardCount == 0;

    /// <summary>Its effects go on by the word of all members while none reaches the store (decision 25).</summary>
    public bool ActsByAssent { get; init; }
}
