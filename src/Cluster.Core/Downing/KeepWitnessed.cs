using System.Collections.Immutable;

namespace ActorCluster.Downing;

/// <summary>The side that sees the witnesses lives, that of the oldest first (keep-referee with witnesses, protocol 3.4).</summary>
/// <remarks>Both sides may see them: a witness is no arbiter. The store's compare-and-set is.</remarks>
/// <param name="strict">A side without them stops, instead of taking over when the leases of the others went stale.</param>
public sealed class KeepWitnessed(bool strict = false) : SplitBrainResolver
{
    /// <inheritdoc />
    public override string Name => "keep-referee";

    /// <inheritdoc />
    protected override DowningClass ClassOf(ImmutableArray<Voter> voters)
    {
        if (voters.Any(v => v.Here && v.Witness)) return Oldest(voters).Here ? DowningClass.Now : DowningClass.Tie;
        if (strict) return DowningClass.Stop;
        // Whoever is missing is known to have crashed: there is no other side.
        return voters.All(v => v.Here) ? DowningClass.Now : DowningClass.Late;
    }
}
