using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Downing;

/// <summary>How a division ended.</summary>
/// <param name="Lives">The members that are still in the table and run; empty when all stopped.</param>
/// <param name="Stopped">Those that stopped themselves.</param>
/// <param name="Evicted">Those that the store's table lost.</param>
/// <param name="Seconds">When the last of that happened, from the moment the silence was noticed; 0 when nothing did.</param>
internal sealed record PartitionOutcome(ImmutableArray<Incarnation> Lives, ImmutableArray<Incarnation> Stopped, ImmutableArray<Incarnation> Evicted, double Seconds);

/// <summary>Cuts members into groups that hear nothing of each other, and lets the very <see cref="DowningDecision"/> of a running node decide at each, in virtual time,
/// against a store whose compare-and-set one wins.</summary>
internal static class PartitionTrial
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>Runs until no group can claim any more: half a minute at the most.</summary>
    /// <param name="resolver">The strategy.</param>
    /// <param name="times">The protocol's times.</param>
    /// <param name="members">All up.</param>
    /// <param name="groupOf">Per member, its group.</param>
    /// <param name="store">Per member, whether it reaches the store.</param>
    /// <param name="witness">Per member, whether it sees the witnesses; none does where this is left out.</param>
    /// <param name="broken">Pairs of one group, by index, lower first, that reach each other through others only.</param>
    public static PartitionOutcome Run(SplitBrainResolver resolver, ProtocolTimes times, ImmutableArray<MemberRow> members, int[] groupOf, bool[] store, bool[]? witness = null, IReadOnlyCollection<(int A, int B)>? broken = null)
    {
        var group = members.Select((m, i) => (m.Inc, groupOf[i])).ToDictionary(p => p.Inc, p => p.Item2);
        var reaches = members.Select((m, i) => (m.Inc, store[i])).ToDictionary(p => p.Inc, p => p.Item2);
        var sees = members.Select((m, i) => (m.Inc, witness?[i] == true)).ToDictionary(p => p.Inc, p => p.Item2);
        var renewed = members.ToDictionary(m => m.Inc, _ => TimeSpan.Zero);
        var nodes = members.ToDictionary(m => m.Inc, _ => new DowningDecision(resolver, times));
        var indirect = members.ToDictionary(m => m.Inc, _ => new IndirectDecision(resolver, times));
        var table = members;
        var stopped = new SortedSet<Incarnation>();
        var last = TimeSpan.Zero;
        for (var now = TimeSpan.Zero; now <= Limit; now += Step)
        {
            var running = table.Where(m => !stopped.Contains(m.Inc)).ToImmutableArray();
            var edges = (broken ?? []).Select(e => (members[e.A].Inc, members[e.B].Inc)).Where(e => running.Any(m => m.Inc == e.Item1) && running.Any(m => m.Inc == e.Item2)).ToList();
            if (edges.Count == 0 && running.Select(m => group[m.Inc]).Distinct().Count() < 2 && stopped.All(s => table.All(m => m.Inc != s))) break;
            foreach (var member in running.Where(m => reaches[m.Inc])) renewed[member.Inc] = now;
            var seen = table;
            var claims = running.Select(m => (Node: m.Inc, Claim: ClaimOf(m.Inc, now))).Where(c => !c.Claim.Evict.IsEmpty).ToList();
            foreach (var (node, claim) in claims)
            {
                if (claim.Class == DowningClass.Stop) stopped.Add(node);
                else if (seen == table) table = [.. table.Where(m => !claim.Evict.Contains(m.Inc))]; // The second of a moment finds another view.
                last = now;
            }

            DowningClaim ClaimOf(Incarnation self, TimeSpan at)
            {
                var input = InputOf(self, at);
                var claim = nodes[self].Review(input, at);
                var other = indirect[self].Review(input, [.. edges.Where(e => group[e.Item1] == group[self])], nodes[self].Missing.IsEmpty, at);
                return claim.Evict.IsEmpty ? other : claim;
            }

            DowningInput InputOf(Incarnation self, TimeSpan at) => new()
            {
                Self = self,
                Voters = reaches[self] ? seen : members, // Without the store it knows the old view only.
                Component = [.. running.Where(m => group[m.Inc] == group[self]).Select(m => m.Inc)],
                StoreOk = inc => reaches[inc],
                WitnessOk = inc => sees[inc],
                CrashEvident = _ => false,
                ProvedDead = _ => false,
                LeaseStale = inc => at - renewed[inc] >= times.LeaseTtl,
                HealthOf = _ => 0,
                Unwell = false,
            };
        }
        var lives = table.Where(m => !stopped.Contains(m.Inc)).Select(m => m.Inc).ToImmutableArray();
        return new PartitionOutcome(lives, [.. stopped], [.. members.Select(m => m.Inc).Where(inc => table.All(t => t.Inc != inc))], last.TotalSeconds);
    }

    /// <summary>Every way to put nodes into unnamed groups: node i joins a group of its forerunners or opens the next one.</summary>
    public static IEnumerable<int[]> PartitionsOf(int nodes)
    {
        IEnumerable<int[]> partitions = [[]];
        for (var i = 0; i < nodes; i++)
            partitions = partitions.SelectMany(p => Enumerable.Range(0, (p.Length == 0 ? -1 : p.Max()) + 2).Select(g => (int[])[.. p, g]));
        return partitions;
    }
}
