using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Persistence;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Asks a policy of the user's, when one side claims at once, what it would have told the other (3.3).</summary>
/// <remarks>The store lets one claim win whatever the policy says; where two sides may claim at once, who stays is a race. The project's own policies are tried for every partition by tests of their own.</remarks>
internal static class SimPolicyChecker
{
    /// <summary>What is wrong with the policy by which a view change claims; null for nothing.</summary>
    public static string? FaultOf(SimCluster cluster, ViewChange change)
    {
        var downs = change.Members.OfType<MemberChange.Down>().Where(d => d.Reason.EndsWith($"{cluster.Resolver.Name} {DowningClass.Now}", StringComparison.Ordinal)).Select(d => d.Inc).ToHashSet();
        if (cluster.Plan.Resolver is not { } policy || downs.Count == 0) return null;
        // Only who is alive could claim on the other side.
        var voters = cluster.Store.Database.Members.Where(m => m.IsVoter && cluster.LifeOf(m.Inc) is not null && (policy.Role.Length == 0 || m.Roles.Contains(policy.Role, StringComparer.Ordinal)))
            .Select(m => new Voter(m.Inc, m.Weight, m.UpView, downs.Contains(m.Inc), m.Name, IsWitness(cluster, cluster.LifeOf(m.Inc)!.Node.Index))).ToImmutableArray();
        return voters.Any(v => v.Here) && policy.Classify(voters) == DowningClass.Now
            ? $"{policy.Name} lets the side of {change.By} claim at once, and would let {string.Join(", ", downs.Order())} on the other side do so too: who stays is a race."
            : null;
    }

    private static bool IsWitness(SimCluster cluster, int node) => cluster.Store.IsReached(node) && !cluster.WithoutWitness.Contains(node);
}
