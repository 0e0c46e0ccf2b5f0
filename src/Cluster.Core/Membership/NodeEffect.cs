using ActorCluster.Downing;
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

    /// <summary>Ask the store for the session of a peer whose link is gone for certain, and bring back whether it is gone too; also when the store does not say, which is a no.</summary>
    public sealed record ProbeSession(MemberRow Peer) : NodeEffect;

    /// <summary>Have the thread pool run an item, and bring back when it has.</summary>
    public sealed record AskPool(long No) : NodeEffect;

    /// <summary>Ask a witness and bring back what it says, also that it says nothing.</summary>
    public sealed record AskWitness(Witness Whom) : NodeEffect;

    /// <summary>From now on a peer is reached through another member, or directly again when there is none. What was under way to it is in doubt.</summary>
    public sealed record Relay(Incarnation To, Incarnation? Via) : NodeEffect;

    /// <summary>Tell every peer that the store has news.</summary>
    public sealed record Hint : NodeEffect;

    /// <summary>Tell operators what this node decided and committed.</summary>
    public sealed record Decided(string What) : NodeEffect;

    /// <summary>This life is over.</summary>
    /// <param name="ExitCode">Protocol 3.6: 0 left, 64 refused, 70 broken invariant, 75 evicted, 76 frozen for too long, 77 superseded, 78 store mismatch.</param>
    /// <param name="Reason">One line for people.</param>
    public sealed record Stop(int ExitCode, string Reason) : NodeEffect;
}
