namespace ActorCluster.TestKit;

/// <summary>A store does not do what <see cref="Persistence.IClusterStore"/> promises; the message says which sentence it broke.</summary>
public sealed class StoreConformanceException(string message) : Exception(message);
