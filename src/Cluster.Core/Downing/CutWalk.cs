using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Downing;

/// <summary>All cuts of a cluster of equal nodes, decided by the code that decides at run time: for the tests of a policy of your own, and <c>actorcluster explain</c>.</summary>
/// <remarks>Pure and thread-safe. Clean cuts alone: no crashes that are known as such, no one-way loss, no change while a cut is decided; those are the simulator's (docs/testing.md).</remarks>
public static class CutWalk
{
    private static readonly ProtocolTimes Times = new();

    /// <summary>Walks all cuts of nodes n1, n2 and so on.</summary>
    /// <param name="resolver">Whatever it throws comes out.</param>
    /// <param name="nodes">How many, 2 to 7.</param>
    /// <param name="varyStore">Also over which groups reach the store; else all do.</param>
    /// <param name="varyWitness">Also over which groups see a witness: all, each alone, none; else none does.</param>
    public static ImmutableArray<Cut> All(SplitBrainResolver resolver, int nodes, bool varyStore = false, bool varyWitness = false) => All(resolver, Names(nodes), varyStore, varyWitness);

    /// <summary>As the other overload, for a policy that goes by names.</summary>
    /// <param name="resolver">Whatever it throws comes out.</param>
    /// <param name="names">2 to 7, the oldest first. All have the role that votes, and the same weight.</param>
    /// <param name="varyStore">Also over which groups reach the store; else all do.</param>
    /// <param name="varyWitness">Also over which groups see a witness: all, each alone, none; else none does.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer names than 2, or more than 7.</exception>
    public static ImmutableArray<Cut> All(SplitBrainResolver resolver, IReadOnlyList<string> names, bool varyStore = false, bool varyWitness = false)
    {
        ArgumentNullException.ThrowIfNull(resolver);
        ArgumentNullException.ThrowIfNull(names);
        if (names.Count is < 2 or > 7) throw new ArgumentOutOfRangeException(nameof(names), names.Count, "Give 2 to 7 nodes.");
        var members = Members(names, resolver.Role);
        return [.. from groups in Partitions(names.Count) from reach in varyStore ? Reaches(groups) : Reaches(groups).Take(1) from sees in Sights(groups, varyWitness) select Try(resolver, members, groups, reach, sees)];
    }

    internal static ImmutableArray<string> Names(int nodes) => [.. Enumerable.Range(1, Math.Max(nodes, 0)).Select(i => string.Create(CultureInfo.InvariantCulture, $"n{i}"))];

    internal static ImmutableArray<MemberRow> Members(IReadOnlyList<string> names, string role = "") =>
        [.. names.Select((name, i) => new MemberRow { Inc = new Incarnation(i + 1), Name = name, Host = "", LinkAddress = "", ClientUrl = "", Status = MemberStatus.Up, UpView = i + 1, Roles = role.Length > 0 ? [role] : [] })];

    internal static Cut Try(SplitBrainResolver resolver, ImmutableArray<MemberRow> members, int[] groups, int reach, int sees)
    {
        var outcome = PartitionTrial.Run(resolver, Times, members, groups, [.. groups.Select(g => (reach & (1 << g)) != 0)], [.. groups.Select(g => (sees & (1 << g)) != 0)]);
        var serving = outcome.Lives.Select(inc => groups[inc.Value - 1]).Distinct().Where(g => (reach & (1 << g)) != 0).ToList();
        var minority = serving.Count == 1 && 2 * groups.Count(g => g == serving[0]) < groups.Length;
        var waits = outcome.Seconds >= Times.Unresolved.TotalSeconds;
        var flag = reach == 0 ? ""
            : serving.Count == 0 ? Cut.NobodyServes
            : serving.Count > 1 ? Cut.TwoSidesServe
            : string.Join(", ", new[] { minority ? Cut.MinorityServes : "", waits ? Cut.Waits : "" }.Where(f => f.Length > 0));
        var named = Enumerable.Range(0, groups.Max() + 1).Select(s => string.Join(' ', members.Where((_, i) => groups[i] == s).Select(m => m.Name))).ToImmutableArray();
        return new Cut(
            named, [.. named.Where((_, s) => (reach & (1 << s)) != 0)], [.. named.Where((_, s) => (sees & (1 << s)) != 0)], NamesOf(outcome.Lives), NamesOf(members.Select(m => m.Inc).Except(outcome.Lives)), outcome.Seconds, flag);

        ImmutableArray<string> NamesOf(IEnumerable<Incarnation> some) => [.. some.Select(inc => members[(int)inc.Value - 1].Name)];
    }

    internal static IEnumerable<int[]> Partitions(int nodes) => PartitionTrial.PartitionsOf(nodes).Where(g => g.Max() > 0);

    /// <summary>Sets of groups that reach the store, as bits, from all of them down to none.</summary>
    internal static IEnumerable<int> Reaches(int[] groups) => Enumerable.Range(0, 2 << groups.Max()).Reverse();

    /// <summary>Sets of groups that see the witness, as bits: all, each alone, none; or none alone.</summary>
    internal static IEnumerable<int> Sights(int[] groups, bool vary) => vary ? [(2 << groups.Max()) - 1, .. Enumerable.Range(0, groups.Max() + 1).Select(g => 1 << g), 0] : [0];
}
