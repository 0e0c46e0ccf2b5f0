using System.Collections.Immutable;

namespace ActorCluster.Downing;

/// <summary>The side of one named node lives, if it has enough voters (protocol 3.4).</summary>
/// <param name="referee">Its node name.</param>
/// <param name="votersMin">Voters its side needs, at least 1; with fewer it stops.</param>
/// <param name="strict">A side without the referee stops, instead of taking over when the leases went stale.</param>
public sealed class KeepReferee(string referee, int votersMin = 1, bool strict = false) : SplitBrainResolver
{
    /// <inheritdoc />
    public override string Name => "keep-referee";

    /// <inheritdoc />
    protected override DowningClass ClassOf(ImmutableArray<Voter> voters)
    {
        var enough = voters.Count(v => v.Here) >= votersMin;
        if (voters.Any(v => v.Here && v.Name == referee)) return enough ? DowningClass.Now : DowningClass.Stop;
        // Whoever is missing is known to have crashed: there is no other side.
        if (enough && voters.All(v => v.Here)) return DowningClass.Now;
        return strict ? DowningClass.Stop : DowningClass.Late;
    }
}
