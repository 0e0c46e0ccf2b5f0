using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>For how long a node may stand frozen (protocol 3.6).</summary>
/// <param name="Longest">On end; zero: for ever.</param>
internal sealed record FrozenRules(TimeSpan Longest)
{
    public static FrozenRules Off { get; } = new(TimeSpan.Zero);

    /// <summary>What ends the frozen state ends the count.</summary>
    public bool CountsOnEnd { get; init; } = true;
}

/// <summary>A node that has been frozen for too long ends, so that a new start may reach the store by another way (protocol 3.6).</summary>
internal sealed partial class Membership
{
    private TimeSpan? _stoodSince;
    private TimeSpan _stoodLooked;

    /// <summary>For how long this node may stand frozen.</summary>
    public FrozenRules Freezes { get; init; } = FrozenRules.Off;

    /// <summary>Counts from when the node finds itself frozen, or finds that it stood still meanwhile, so that one that wakes has time to renew. Not while it serves by the word of all, nor while a store that has lost
    /// commits is waited for: what this node remembers is wanted there, and a new start would be refused.</summary>
    private void EndIfFrozenForLong(TimeSpan now, List<NodeEffect> effects)
    {
        if (Freezes.Longest <= TimeSpan.Zero || _leaveWanted) return;
        var woke = now - _stoodLooked > times.Renew + times.CallTimeout; // The process stood still, or its machine did.
        _stoodLooked = now;
        if (Mode(now) != NodeMode.Frozen || StoreRegressed is not null || AssentedUntil(now) is not null)
        {
            if (Freezes.CountsOnEnd) _stoodSince = null;
            return;
        }
        if (woke) _stoodSince = now;
        _stoodSince ??= now;
        if (now - _stoodSince > Freezes.Longest)
            Stop(ExitCodes.Frozen, $"Frozen for longer than Cluster:Node:FrozenMax ({Freezes.Longest}): no lease was renewed and own rows read in all that time. A new start may reach the store by another way.", effects);
    }
}
