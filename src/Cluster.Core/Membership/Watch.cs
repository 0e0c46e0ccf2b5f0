using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>What is set about watching many members; the defaults are those of the product.</summary>
internal sealed record WatchRules
{
    /// <summary>Whoever would be one live member more is refused.</summary>
    public int MembersMax { get; init; } = WatchPlan.MeshMax;

    /// <summary>How often S must pass in calm before a full mesh ends; 0 for never a full mesh of many.</summary>
    public int CalmFactor { get; init; } = 3;
}

/// <summary>Whom this node watches now: those of the plan while all is well, everybody from the first sign of trouble anywhere until there was calm for 3 * S (protocol 2.2).</summary>
/// <remarks>Not thread-safe. While all is well a node knows little of members that it does not watch, and takes them for well: whoever misses somebody, or the store, watches everybody at once,
/// and so everybody hears of it and does the same.</remarks>
internal sealed class Watch(Incarnation self, FailureDetector detector, WatchRules rules)
{
    private WatchPlan _plan = new([]);
    private ImmutableSortedSet<Incarnation> _edges = [];
    private long _view = -1;
    private TimeSpan? _troubled;

    /// <summary>There are many members, and as far as this node has heard nobody misses anybody, so that nothing is to be found out about who is connected.</summary>
    public bool IsQuiet { get; private set; }

    /// <summary>All live members.</summary>
    public ImmutableSortedSet<Incarnation> Live => _plan.Live;

    /// <summary>Everybody is watched.</summary>
    public bool IsMesh => _plan.IsMesh || (_troubled is not null && rules.CalmFactor > 0);

    /// <summary>Whether a newcomer has to be connected to a member before it is up.</summary>
    public bool MustGreet(Incarnation member) => _plan.IsMesh || _plan.GreetedBy(self).Contains(member);

    public void Learned(long view, IReadOnlyCollection<MemberRow> live)
    {
        if (view == _view) return;
        _view = view;
        _plan = new WatchPlan(live);
        _edges = _plan.IsMesh ? [] : _plan.EdgesOf(self);
        detector.SetPeers(live.Select(m => m.Inc), _plan.IsMesh);
    }

    /// <param name="isTroubled">This node does not reach the store, or is sick: all are to know of it.</param>
    /// <param name="now">Monotonic.</param>
    public void Review(bool isTroubled, TimeSpan now)
    {
        var stable = ProtocolTimes.StableFor(Live.Count);
        IsQuiet = !_plan.IsMesh && !isTroubled && !detector.SeesTrouble(now);
        if (_plan.IsMesh) _troubled = null;
        else if (!IsQuiet) _troubled = now;
        else if (now - _troubled >= rules.CalmFactor * stable) _troubled = null;
        // Whoever is watched no longer is beaten for a while yet: the other end may be late in learning that nobody needs to hear it.
        detector.Ask(inc => IsMesh || _edges.Contains(inc), stable, now);
    }
}
