namespace ActorCluster.Entities;

/// <summary>An entity type as registered on this node.</summary>
internal sealed record EntityType(string Name, int ShardCount, MessageCatalog Messages, Func<Entity> Create);
