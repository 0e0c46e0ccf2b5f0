using System.Collections.Immutable;

namespace ActorCluster.Downing;

/// <summary>The side with more than half of the weight lives; an even split goes to the side of the oldest (protocol 3.4).</summary>
public sealed class KeepMajority : SplitBrainResolver
{
    /// <inheritdoc />
    public override string Name => "keep-majority";

    /// <inheritdoc />
    public override DowningClass Classify(ImmutableArray<Voter> voters)
    {
        if (voters.IsEmpty) return DowningClass.Late; // Nobody may vote: only stale leases speak.
        var all = voters.Sum(v => v.Weight);
        var here = voters.Where(v => v.Here).Sum(v => v.Weight);
        if (2 * here > all) return DowningClass.Now;
        if (2 * here < all) return DowningClass.Late;
        var oldest = voters.MinBy(v => (v.UpView, v.Inc));
        return oldest.Here ? DowningClass.Now : DowningClass.Tie;
    }
}
