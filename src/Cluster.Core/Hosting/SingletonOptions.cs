using ActorCluster.Placement;

namespace ActorCluster.Hosting;

/// <summary>Where a singleton lives.</summary>
public sealed record SingletonOptions
{
    /// <summary>Which host is wanted while several are up. Default <see cref="SingletonMode.Sticky"/>.</summary>
    public SingletonMode Mode { get; init; }

    /// <summary>Names of the nodes that may hold it, the preferred one first. Default empty: every node that registers it, the oldest member first.</summary>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary>It acts outside the store (<see cref="Entities.EntityContext.TryBeginEffect"/>): its next host waits until the former one can act no more. Default true.</summary>
    public bool ExternalEffects { get; init; } = true;

    /// <summary>
    /// With <see cref="ExternalEffects"/>: evidence that its host has crashed is enough for the next one (2 s), instead of a proof or the lease (8 to 9 s). The risk: a firewall that rejects the
    /// host's links just when it has lost its session with the store looks like a crash, and then two act for some seconds. Alike on all nodes. Default false.
    /// </summary>
    public bool TakeOverOnCrashEvidence { get; init; }

    /// <summary>When its host stops in good order, another takes over at once. False: its place is kept up to 5 minutes for a node of the same name. A crash always fails over. Default true.</summary>
    public bool FailoverAtShutdown { get; init; } = true;
}

/// <summary>Who holds a singleton.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Holder">Name of the node that holds it; empty while nobody does.</param>
/// <param name="Term">Grows with each holder; 0 before the first.</param>
/// <param name="Succession">Names of the members that may hold it now, the one that would be chosen first; as this node knows them.</param>
public sealed record SingletonStatus(string Name, string Holder, long Term, System.Collections.Immutable.ImmutableArray<string> Succession);

/// <summary>How a switch ended.</summary>
/// <param name="Done">The singleton is where it was wanted.</param>
/// <param name="Term">The term as last seen.</param>
/// <param name="Reason">Why not, and what is the case now; empty when done.</param>
public sealed record SwitchResult(bool Done, long Term, string Reason);
