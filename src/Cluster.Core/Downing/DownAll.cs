using System.Collections.Immutable;

namespace ActorCluster.Downing;

/// <summary>Any division but a pure crash evicts everybody; all start anew (protocol 3.4).</summary>
public sealed class DownAll : SplitBrainResolver
{
    /// <inheritdoc />
    public override string Name => "down-all";

    /// <inheritdoc />
    protected override DowningClass ClassOf(ImmutableArray<Voter> voters) => voters.All(v => v.Here) ? DowningClass.Now : DowningClass.All;
}
