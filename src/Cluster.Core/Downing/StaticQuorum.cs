using System.Collections.Immutable;

namespace ActorCluster.Downing;

/// <summary>A side with at least <paramref name="quorum"/> voters lives, every other one stops (protocol 3.4).</summary>
/// <param name="quorum">At least 1; of the 2 × quorum - 1 voters there may be, only one side can have as many.</param>
public sealed class StaticQuorum(int quorum) : SplitBrainResolver
{
    /// <inheritdoc />
    public override string Name => "static-quorum";

    /// <inheritdoc />
    public override int VotersMax => (2 * quorum) - 1;

    /// <inheritdoc />
    public override int VotersMin => quorum;

    /// <inheritdoc />
    protected override DowningClass ClassOf(ImmutableArray<Voter> voters)
    {
        if (voters.Length > VotersMax) return DowningClass.Late; // Two sides could have a quorum.
        return voters.Count(v => v.Here) >= quorum ? DowningClass.Now : DowningClass.Stop;
    }
}
