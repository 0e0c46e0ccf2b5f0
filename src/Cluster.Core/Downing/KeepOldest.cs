using System.Collections.Immutable;

namespace ActorCluster.Downing;

/// <summary>The side of the oldest voter lives (protocol 3.4).</summary>
/// <param name="downIfAlone">Not when the oldest is cut off alone from two or more others.</param>
/// <param name="strict">The other side stops, instead of taking over when the leases went stale.</param>
public sealed class KeepOldest(bool downIfAlone = true, bool strict = false) : SplitBrainResolver
{
    /// <inheritdoc />
    public override string Name => "keep-oldest";

    /// <inheritdoc />
    protected override DowningClass ClassOf(ImmutableArray<Voter> voters)
    {
        var here = voters.Count(v => v.Here);
        var there = voters.Length - here;
        var keeps = Oldest(voters).Here ? !downIfAlone || here > 1 || there <= 1 : downIfAlone && there == 1 && here >= 2;
        return keeps ? DowningClass.Now : strict ? DowningClass.Stop : DowningClass.Late;
    }
}
