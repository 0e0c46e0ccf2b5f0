using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>Who exchanges heartbeats with whom (protocol 2.2): all with all up to <see cref="MeshMax"/> live members. Beyond that each watches <see cref="Rings"/> others: the live
/// members stand on that many rings, on each in another order, and each watches the next one of every ring. An edge has both ends, so whoever is watched watches back.</summary>
/// <remarks>A function of the member list: all nodes with one view make the same plan. Rings of seeded hashes as in expander overlays (Law and Siu 2003): a cut of the members crosses
/// many edges, and one that comes or goes changes few.</remarks>
internal sealed class WatchPlan
{
    /// <summary>The most live members that all watch each other.</summary>
    public const int MeshMax = 25;

    /// <summary>The most live members.</summary>
    public const int MembersMax = 100;

    /// <summary>How many others each member watches.</summary>
    public const int Rings = 10;

    /// <summary>How many members a newcomer greets beside those that it watches and the oldest.</summary>
    public const int GreetedBeside = 3;

    private readonly SortedDictionary<Incarnation, ImmutableArray<Incarnation>> _watched = [];
    private readonly SortedDictionary<Incarnation, ImmutableSortedSet<Incarnation>> _greeted = [];

    /// <param name="live">All live members.</param>
    public WatchPlan(IReadOnlyCollection<MemberRow> live)
    {
        Live = [.. live.Select(m => m.Inc)];
        if (IsMesh) return;
        var rings = Enumerable.Range(1, Rings).Select(RingOf).ToArray();
        foreach (var inc in Live) _watched[inc] = Watched(inc, rings);
        foreach (var newcomer in live.Where(m => m.Status == MemberStatus.Joining)) _greeted[newcomer.Inc] = Greeted(newcomer.Inc, live);
    }

    /// <summary>All live members.</summary>
    public ImmutableSortedSet<Incarnation> Live { get; }

    /// <summary>All watch all.</summary>
    public bool IsMesh => Live.Count <= MeshMax;

    /// <summary>Whom a member watches of itself; everybody else in a mesh.</summary>
    public IReadOnlyCollection<Incarnation> WatchedBy(Incarnation inc) => IsMesh ? Live.Remove(inc) : _watched.TryGetValue(inc, out var watched) ? watched : [];

    /// <summary>Whom a newcomer must hear, and be heard by, before it is up.</summary>
    public IReadOnlyCollection<Incarnation> GreetedBy(Incarnation newcomer) => _greeted.TryGetValue(newcomer, out var greeted) ? greeted : WatchedBy(newcomer);

    /// <summary>With whom a member exchanges heartbeats: those that it watches, those that watch it, and between newcomers and whom they greet.</summary>
    public ImmutableSortedSet<Incarnation> EdgesOf(Incarnation inc) =>
        [.. WatchedBy(inc), .. GreetedBy(inc), .. _watched.Where(w => w.Value.Contains(inc)).Select(w => w.Key), .. _greeted.Where(g => g.Value.Contains(inc)).Select(g => g.Key)];

    /// <summary>The live members in the order of one ring, with their places on it.</summary>
    private (Incarnation[] Members, Dictionary<Incarnation, int> Places) RingOf(int ring)
    {
        Incarnation[] members = [.. Live];
        Array.Sort(Array.ConvertAll(members, inc => StableHash.Of(ring, inc.Value)), members);
        var places = new Dictionary<Incarnation, int>(members.Length);
        for (var place = 0; place < members.Length; place++) places[members[place]] = place;
        return (members, places);
    }

    private static ImmutableArray<Incarnation> Watched(Incarnation inc, (Incarnation[] Members, Dictionary<Incarnation, int> Places)[] rings)
    {
        var watched = ImmutableArray.CreateBuilder<Incarnation>(Rings);
        foreach (var (members, places) in rings)
        {
            // Whom an earlier ring has given already is passed over, or some would watch fewer than others.
            var place = places[inc];
            Incarnation next;
            do next = members[++place % members.Length];
            while (watched.Contains(next));
            watched.Add(next);
        }
        return watched.MoveToImmutable();
    }

    private ImmutableSortedSet<Incarnation> Greeted(Incarnation newcomer, IReadOnlyCollection<MemberRow> live)
    {
        var voters = live.Where(m => m.IsVoter).ToList();
        var oldest = voters.OrderBy(m => (m.UpView, m.Inc)).Take(1);
        var beside = voters.Where(m => !_watched[newcomer].Contains(m.Inc)).OrderBy(m => StableHash.Of(newcomer.Value, m.Inc.Value)).Take(GreetedBeside);
        return [.. _watched[newcomer], .. oldest.Concat(beside).Select(m => m.Inc)];
    }
}
