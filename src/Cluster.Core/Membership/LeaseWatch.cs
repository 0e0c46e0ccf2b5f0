using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>Leases of other members as this node saw them, on its own clock alone (protocol 4.1).</summary>
/// <remarks>Not thread-safe. Nobody compares wall clocks: a lease is stale when this node read the same number over the whole TTL.</remarks>
internal sealed class LeaseWatch(ProtocolTimes times)
{
    private readonly SortedDictionary<Incarnation, Seen> _seen = [];

    /// <summary>Notes what a read showed.</summary>
    /// <param name="members">The members read.</param>
    /// <param name="asked">When the read was asked for: what it shows was true then or later.</param>
    /// <param name="answered">When it came back: what it shows was true then or earlier.</param>
    public void Read(IEnumerable<MemberRow> members, TimeSpan asked, TimeSpan answered)
    {
        foreach (var member in members)
        {
            // Those of down members too: an exclusive shard that one of them had is taken over when its lease is stale (protocol 4.5).
            if (!_seen.TryGetValue(member.Inc, out var seen) || seen.LeaseSeq != member.LeaseSeq) _seen[member.Inc] = new Seen(member.LeaseSeq, answered, answered, seen is not null);
            else _seen[member.Inc] = seen with { Latest = asked };
        }
    }

    /// <summary>The store was out of reach: whatever was seen before says nothing of what happened meanwhile.</summary>
    public void StoreLost() => _seen.Clear();

    public bool IsStale(Incarnation inc) => IsStale(inc, times.LeaseTtl);

    /// <summary>As <see cref="IsStale(Incarnation)"/>, over another time.</summary>
    public bool IsStale(Incarnation inc, TimeSpan unchangedFor) => _seen.TryGetValue(inc, out var seen) && seen.Latest - seen.First >= unchangedFor;

    /// <summary>True when the lease was seen to move: its holder lives.</summary>
    public bool HasMoved(Incarnation inc) => _seen.TryGetValue(inc, out var seen) && seen.Moved;

    public bool Knows(Incarnation inc) => _seen.ContainsKey(inc);

    /// <summary>The lease as last seen, the guard of every write that rests on its being stale.</summary>
    public long LeaseSeq(Incarnation inc) => _seen[inc].LeaseSeq;

    private sealed record Seen(long LeaseSeq, TimeSpan First, TimeSpan Latest, bool Moved);
}
