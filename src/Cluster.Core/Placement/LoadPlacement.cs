using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Placement;

/// <summary>Where individually placed entities go: to whoever carries least for its weight.</summary>
internal static class LoadPlacement
{
    /// <summary>Deals entities one after the other.</summary>
    /// <param name="hosts">Who may be given any; the order decides between equals.</param>
    /// <param name="loadOf">What each carries now.</param>
    /// <param name="count">How many to deal, 0 or more.</param>
    /// <param name="each">How much each adds to the load, above 0.</param>
    /// <returns>One member for each; none when there is no host.</returns>
    public static ImmutableArray<Incarnation> Deal(IEnumerable<MemberRow> hosts, Func<Incarnation, double> loadOf, int count, double each = 1)
    {
        var loads = hosts.Select(m => (m.Inc, m.Weight, Load: loadOf(m.Inc))).ToArray();
        if (loads.Length == 0) return [];
        var dealt = ImmutableArray.CreateBuilder<Incarnation>(count);
        for (var i = 0; i < count; i++)
        {
            var least = 0;
            for (var j = 1; j < loads.Length; j++)
                if ((loads[j].Load + each) / loads[j].Weight < (loads[least].Load + each) / loads[least].Weight) least = j;
            loads[least].Load += each;
            dealt.Add(loads[least].Inc);
        }
        return dealt.MoveToImmutable();
    }
}
