using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Placement;

/// <summary>Which shards sick members are still to have (protocol 2.4): those that nobody else can serve.</summary>
/// <param name="SparesLastHosts">A type that no well member hosts stays with the sick ones.</param>
/// <param name="AreAlwaysFew">Members are relieved however many of them are sick.</param>
internal sealed record SickMembers(bool SparesLastHosts = true, bool AreAlwaysFew = false)
{
    /// <summary>Fewer than half of the members that are up. Where it is half or more, load is the trouble and not a node: then nothing is moved for it.</summary>
    public bool AreFew(IEnumerable<MemberRow> members, IReadOnlySet<Incarnation> sick)
    {
        var up = members.Where(m => m.Status == MemberStatus.Up).ToList();
        return AreAlwaysFew || 2 * up.Count(m => sick.Contains(m.Inc)) < up.Count;
    }

    /// <summary>The members as placement is to see them: sick ones host only what no other hosts.</summary>
    /// <param name="members">Who may be given shards.</param>
    /// <param name="sick">Who says that it is sick.</param>
    /// <param name="types">All entity types that have shards.</param>
    /// <param name="rules">Whom a singleton's rule lets hold it counts as its hosts.</param>
    public ImmutableArray<MemberRow> Spared(ImmutableArray<MemberRow> members, IReadOnlySet<Incarnation> sick, IEnumerable<string> types, TypeRules rules)
    {
        var well = members.Where(m => m.Status == MemberStatus.Up && !sick.Contains(m.Inc)).ToList();
        bool HasAnother(string type) => rules.SingletonOf(type) is { } rule ? rule.Succession(type, well).Any() : well.Exists(m => m.Hosts(type));
        var left = SparesLastHosts ? types.Where(t => !HasAnother(t)).Distinct().Order(StringComparer.Ordinal).ToList() : [];
        return [.. members.Select(m => sick.Contains(m.Inc) ? m with { Types = [.. left.Where(m.Hosts)] } : m)];
    }
}
