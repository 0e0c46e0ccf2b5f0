using System.Collections.Immutable;

namespace ActorCluster.Downing;

/// <summary>The majority goes first; a second later any side may, and the store's first compare-and-set wins (protocol 3.4).</summary>
public sealed class LeaseMajority : SplitBrainResolver
{
    /// <inheritdoc />
    public override string Name => "lease-majority";

    /// <inheritdoc />
    protected override DowningClass ClassOf(ImmutableArray<Voter> voters) =>
        Majority(voters) is var sign && (sign > 0 || (sign == 0 && Oldest(voters).Here)) ? DowningClass.Now : DowningClass.Tie;
}
