using ActorCluster.Links;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>What a core of the node wants done; done by its driver in the order given.</summary>
internal abstract record NodeEffect
{
    /// <summary>Make a store call and bring its answer back.</summary>
    public sealed record Call(ControlCall What) : NodeEffect;

    /// <summary>Send a beat.</summary>
    public sealed record Beat(Incarnation To, LinkChannel Channel, Heartbeat What) : NodeEffect;

    /// <summary>Dial a peer whose channels are gone, and bring back whether its link is gone for certain.</summary>
    public sealed record ProbeLink(MemberRow Peer) : NodeEffect;

    /// <summary>Try the lock file of a peer on the same host, and bring back whether it is free.</summary>
    public sealed record ProbeLock(MemberRow Peer) : NodeEffect;

    /// <summary>Tell every peer that the store has news.</summary>
    public sealed record Hint : NodeEffect;

    /// <summary>Tell operators what this node decided and committed.</summary>
    public sealed record Decided(string What) : NodeEffect;

    /// <summary>This life is over.</summary>
    /// <param name="ExitCode">Protocol 3.6: 0 left, 64 refused, 70 broken invariant, 75 evicted, 77 superseded, 78 store mismatch.</param>
    /// <param name="Reason">One line for people.</param>
    public sealed record Stop(int ExitCode, string Reason) : NodeEffect;
}

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

    /// <summary>A newer start took this node's place: do not start me again.</summary>
    public const int Superseded = 77;

    /// <summary>Another store, or a store that has lost commits: an operator is needed.</summary>
    public const int StoreMismatch = 78;
}
