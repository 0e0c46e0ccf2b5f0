namespace ActorCluster.Primitives;

/// <summary>Exit codes of a node process (protocol 3.6).</summary>
public static class ExitCodes
{
    /// <summary>The node left in good order.</summary>
    public const int Left = 0;

    /// <summary>Refused at start: one line says why.</summary>
    public const int Refused = 64;

    /// <summary>A broken invariant.</summary>
    public const int Invariant = 70;

    /// <summary>Evicted or stopped by a resolver: start me again.</summary>
    public const int Evicted = 75;

    /// <summary>Frozen for longer than <c>Cluster:Node:FrozenMax</c>: start me again.</summary>
    public const int Frozen = 76;

    /// <summary>A newer start took this node's place: do not start me again.</summary>
    public const int Superseded = 77;

    /// <summary>Another store, or a store that has lost commits: an operator is needed.</summary>
    public const int StoreMismatch = 78;
}
