using System.Collections.Immutable;
using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>What a node does with a frame that came for somebody through a third.</summary>
internal enum RelayVerdict
{
    /// <summary>Nothing: it is not from a member, not for one, or has been relayed before.</summary>
    Drop,

    /// <summary>It is for this node.</summary>
    Deliver,

    /// <summary>Hand it to its destination, over an own link.</summary>
    Forward,
}

/// <summary>Through whom this node's frames go to members that no link of its own reaches (protocol 2.6).</summary>
/// <remarks>Not thread-safe. A way is kept while it serves, because every change puts what is under way in doubt.</remarks>
internal sealed class RelayRoutes
{
    /// <summary>The member that relays, by the member that is reached through it.</summary>
    public ImmutableSortedDictionary<Incarnation, Incarnation> Current { get; private set; } = ImmutableSortedDictionary<Incarnation, Incarnation>.Empty;

    /// <param name="cutOff">Members that no link reaches.</param>
    /// <param name="relays">Members that this node is connected to, the best first.</param>
    /// <param name="reaches">Whether one of those says that it is connected to a member.</param>
    /// <param name="effects">Every way that changes.</param>
    public void Review(ImmutableSortedSet<Incarnation> cutOff, IReadOnlyList<Incarnation> relays, Func<Incarnation, Incarnation, bool> reaches, List<NodeEffect> effects)
    {
        foreach (var to in cutOff.Union(Current.Keys))
        {
            Incarnation? was = Current.TryGetValue(to, out var kept) ? kept : null;
            Incarnation? via = null;
            if (cutOff.Contains(to)) via = was is { } same && relays.Contains(same) && reaches(same, to) ? same : relays.Where(r => reaches(r, to)).Select(r => (Incarnation?)r).FirstOrDefault();
            if (via == was) continue;
            Current = via is { } chosen ? Current.SetItem(to, chosen) : Current.Remove(to);
            effects.Add(new NodeEffect.Relay(to, via));
        }
    }

    /// <summary>One hop: only its origin's own link may bring a frame that is to go further.</summary>
    public static RelayVerdict Judge(Incarnation self, Incarnation from, Incarnation origin, Incarnation destination, Func<Incarnation, bool> isLive) =>
        origin == self || !isLive(origin) ? RelayVerdict.Drop
        : destination == self ? RelayVerdict.Deliver
        : origin == from && isLive(destination) ? RelayVerdict.Forward : RelayVerdict.Drop;
}
