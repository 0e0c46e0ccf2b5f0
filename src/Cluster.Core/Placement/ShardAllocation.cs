using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Placement;

/// <summary>Who should own which hashed shard.</summary>
/// <remarks>Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights after Schindelhauer and Schomaker 2005) over the names of the members that host the
/// type, so that a restarted node is preferred for what it had, with a cap per type of 1.25 times the fair share. Pure: only the row in the store counts, so two
/// nodes need not compute the same.</remarks>
internal static class ShardAllocation
{
    private const double CapFactor = 1.25;

    /// <summary>Chooses a target for each shard of <paramref name="freed"/>; a shard whose type no eligible member hosts gets none.</summary>
    /// <param name="members">Members; only those that are up are eligible.</param>
    /// <param name="all">All shard rows: what members own or wait for counts towards their load.</param>
    /// <param name="freed">The shards to place.</param>
    /// <param name="slow">Members that did not come for a shard: chosen only where nobody else is, and again for the same shard only where they are alone.</param>
    /// <param name="rules">Singletons go to the first of their succession instead.</param>
    public static ImmutableArray<ShardTarget> Place(
        ImmutableArray<MemberRow> members, IReadOnlyCollection<ShardRow> all, IReadOnlyCollection<ShardRow> freed, IReadOnlySet<Incarnation>? slow = null, TypeRules? rules = null)
    {
        var targets = ImmutableArray.CreateBuilder<ShardTarget>(freed.Count);
        var placing = freed.Select(s => s.No).ToHashSet();
        foreach (var type in freed.GroupBy(s => s.Type).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            if (rules?.SingletonOf(type.Key) is { } singleton)
            {
                var succession = singleton.Succession(type.Key, members).ToArray();
                if ((succession.FirstOrDefault(m => slow?.Contains(m.Inc) != true) ?? succession.FirstOrDefault()) is { } heir) targets.AddRange(type.Select(s => new ShardTarget(s.No, heir.Inc)));
                continue;
            }
            var hosts = HostsOf(type.Key, members);
            if (hosts.Length == 0) continue;
            var load = LoadOf(hosts, all.Where(s => s.Type == type.Key && !placing.Contains(s.No)));
            var count = all.Count(s => s.Type == type.Key);
            var prompt = slow is null ? hosts : hosts.Where(m => !slow.Contains(m.Inc)).ToArray();
            foreach (var shard in type.OrderBy(s => s.No))
            {
                var eligible = prompt.Length > 0 ? prompt : hosts.Length > 1 ? hosts.Where(m => m.Inc != shard.Target).ToArray() : hosts;
                var target = Preferred(eligible, shard, load, count);
                load[target]++;
                targets.Add(new ShardTarget(shard.No, target));
            }
        }
        return targets.ToImmutable();
    }

    /// <summary>Moves that even out the shards: none while no member carries more than 10 % (and one shard) above its fair share.</summary>
    /// <param name="members">Members; only those that are up get shards.</param>
    /// <param name="all">All shard rows.</param>
    /// <param name="limit">At most so many moves, those under way included.</param>
    /// <param name="rules">Singletons stay where their rule has them.</param>
    public static ImmutableArray<ShardRetarget> Balance(ImmutableArray<MemberRow> members, IReadOnlyCollection<ShardRow> all, int limit, TypeRules? rules = null)
    {
        var room = limit - all.Count(s => s.State == ShardState.Handoff);
        if (room <= 0) return [];
        var moves = ImmutableArray.CreateBuilder<ShardRetarget>();
        foreach (var type in all.GroupBy(s => s.Type).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            if (rules?.SingletonOf(type.Key) is not null) continue;
            var hosts = HostsOf(type.Key, members);
            if (hosts.Length < 2) continue;
            var weights = hosts.Sum(m => m.Weight);
            var load = LoadOf(hosts, type);
            double Excess(MemberRow m) => load[m.Inc] - (type.Count() * m.Weight / weights);
            var movable = type.Where(s => s.State == ShardState.Owned && s.Owner is not null).OrderBy(s => s.No).ToList();
            while (moves.Count < room)
            {
                var most = hosts.MaxBy(Excess)!;
                var least = hosts.MinBy(Excess)!;
                var fair = type.Count() * most.Weight / weights;
                if (Excess(most) < Math.Max(1, fair * 0.1) || Excess(least) > -0.5) break;
                var from = movable.Where(s => s.Owner == most.Inc).ToList();
                if (from.Count == 0) break;
                var shard = from.MaxBy(s => (Score(least, s), -s.No.Value))!;
                movable.Remove(shard);
                load[most.Inc]--;
                load[least.Inc]++;
                moves.Add(new ShardRetarget(shard.No, shard.Epoch, shard.Target, least.Inc));
            }
        }
        return moves.ToImmutable();
    }

    /// <summary>Moves that take shards from members which others are to relieve; a shard whose owner is among the hosts of its type stays.</summary>
    /// <param name="members">Members; only those that are up get shards.</param>
    /// <param name="all">All shard rows.</param>
    /// <param name="from">Whose shards are to go.</param>
    /// <param name="limit">At most so many moves, those under way included.</param>
    /// <param name="turn">The shards go in this order, so that one which comes back again and again holds up no other.</param>
    /// <param name="rules">Singletons go to the first of their succession.</param>
    public static ImmutableArray<ShardRetarget> Relieve(
        ImmutableArray<MemberRow> members, IReadOnlyCollection<ShardRow> all, IReadOnlySet<Incarnation> from, int limit, Func<ShardNo, long> turn, TypeRules rules)
    {
        var room = limit - all.Count(s => s.State == ShardState.Handoff);
        var moves = ImmutableArray.CreateBuilder<ShardRetarget>();
        var loads = new SortedDictionary<string, SortedDictionary<Incarnation, int>>(StringComparer.Ordinal);
        foreach (var shard in all.Where(s => s is { State: ShardState.Owned, Owner: { } owner } && from.Contains(owner)).OrderBy(s => (turn(s.No), s.No)))
        {
            if (moves.Count >= room) break;
            var singleton = rules.SingletonOf(shard.Type);
            var hosts = singleton is null ? HostsOf(shard.Type, members) : [.. singleton.Succession(shard.Type, members)];
            if (hosts.Length == 0 || hosts.Any(m => m.Inc == shard.Owner)) continue;
            if (!loads.TryGetValue(shard.Type, out var load)) loads.Add(shard.Type, load = LoadOf(hosts, all.Where(s => s.Type == shard.Type)));
            var target = singleton is null ? Preferred(hosts, shard, load, all.Count(s => s.Type == shard.Type)) : hosts[0].Inc;
            load[target]++;
            moves.Add(new ShardRetarget(shard.No, shard.Epoch, shard.Target, target));
        }
        return moves.ToImmutable();
    }

    private static MemberRow[] HostsOf(string type, ImmutableArray<MemberRow> members) =>
        [.. members.Where(m => m.Status == MemberStatus.Up && m.Hosts(type)).OrderBy(m => m.Inc)];

    private static SortedDictionary<Incarnation, int> LoadOf(MemberRow[] hosts, IEnumerable<ShardRow> shards)
    {
        var load = new SortedDictionary<Incarnation, int>();
        foreach (var member in hosts) load[member.Inc] = 0;
        foreach (var shard in shards)
        {
            // A shard on its way counts where it will be.
            var at = shard.State == ShardState.Owned ? shard.Owner : shard.Target ?? shard.Owner;
            if (at is { } inc && load.TryGetValue(inc, out var n)) load[inc] = n + 1;
        }
        return load;
    }

    private static Incarnation Preferred(MemberRow[] eligible, ShardRow shard, SortedDictionary<Incarnation, int> load, int count)
    {
        var weights = eligible.Sum(m => m.Weight);
        var ranked = eligible.OrderByDescending(m => Score(m, shard)).ThenBy(m => m.Inc);
        // The caps add up to 1.25 times the shards, so somebody is always below.
        return (ranked.FirstOrDefault(m => load[m.Inc] < Math.Ceiling(CapFactor * count * m.Weight / weights)) ?? eligible.MinBy(m => load[m.Inc] / m.Weight)!).Inc;
    }

    private static double Score(MemberRow member, ShardRow shard)
    {
        var hash = StableHash.Of(member.Name, string.Create(CultureInfo.InvariantCulture, $"{shard.Type}/{shard.Key}"));
        var unit = ((hash >> 11) + 0.5) * (1.0 / (1UL << 53));
        return -member.Weight / Math.Log(unit);
    }
}
