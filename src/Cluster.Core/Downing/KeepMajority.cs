using System.Collections.Immutable;

namespace ActorCluster.Downing;

/// <summary>The side with more than half of the weight lives; an even split goes to the side of the oldest (protocol 3.4).</summary>
/// <param name="minorityStops">A smaller side stops at once, instead of taking over when the leases of the others went stale.</param>
public sealed class KeepMajority(bool minorityStops = false) : SplitBrainResolver
{
    /// <inheritdoc />
    public override string Name => "keep-majority";

    /// <inheritdoc />
    protected override DowningClass ClassOf(ImmutableArray<Voter> voters) => Majority(voters) switch
    {
        > 0 => DowningClass.Now,
        0 => Oldest(voters).Here ? DowningClass.Now : DowningClass.Tie,
        < 0 => minorityStops ? DowningClass.Stop : DowningClass.Late,
    };
}
