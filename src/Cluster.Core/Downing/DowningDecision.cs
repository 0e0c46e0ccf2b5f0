using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Downing;

/// <summary>What the decision is made from, as one node sees it at one moment (protocol 3.1).</summary>
internal sealed record DowningInput
{
    public required Incarnation Self { get; init; }

    /// <summary>Up and leaving members.</summary>
    public required ImmutableArray<MemberRow> Voters { get; init; }

    public required ImmutableSortedSet<Incarnation> Component { get; init; }

    public required Func<Incarnation, bool> StoreOk { get; init; }

    /// <summary>It sees as many witnesses as are needed.</summary>
    public required Func<Incarnation, bool> WitnessOk { get; init; }

    public required Func<Incarnation, bool> CrashEvident { get; init; }

    public required Func<Incarnation, bool> ProvedDead { get; init; }

    public required Func<Incarnation, bool> LeaseStale { get; init; }

    /// <summary>How badly it does by its own account, 0 (well) to 8.</summary>
    public required Func<Incarnation, int> HealthOf { get; init; }

    /// <summary>Own health is too bad to accuse others.</summary>
    public required bool Unwell { get; init; }
}

/// <summary>Who is to be evicted now, and why. Empty: nobody yet.</summary>
internal sealed record DowningClaim(ImmutableArray<Incarnation> Evict, bool RestsOnLease, DowningClass Class, string Reason)
{
    public static readonly DowningClaim None = new([], false, DowningClass.Late, "");
}

/// <summary>When this node may ask for the eviction of the members it cannot reach (protocol 3.2, 3.3).</summary>
/// <remarks>Not thread-safe. Remembers only since when the division looks as it does.</remarks>
internal sealed class DowningDecision(SplitBrainResolver resolver, ProtocolTimes times)
{
    /// <summary>Why members are evicted that are known to have crashed.</summary>
    public const string Crashed = MemberRow.CrashedReason;

    private (ImmutableSortedSet<Incarnation> Component, ImmutableArray<Incarnation> Missing, ImmutableArray<Incarnation> Voters)? _shape;
    private TimeSpan _stableSince;
    private TimeSpan? _dividedSince;
    private TimeSpan? _wholeSince;

    /// <summary>Members up or leaving that this node's component does not contain, by the last review.</summary>
    public ImmutableArray<Incarnation> Missing { get; private set; } = [];

    public DowningClaim Review(DowningInput input, TimeSpan now)
    {
        Missing = [.. input.Voters.Where(m => !input.Component.Contains(m.Inc)).Select(m => m.Inc).Order()];
        NoteShape(input, now);
        if (Missing.IsEmpty) return DowningClaim.None;

        var evident = Missing.All(input.CrashEvident);
        var stable = evident ? times.StableWithEvidence : ProtocolTimes.StableFor(input.Voters.Length);
        var voters = VotersOf(input);
        var verdict = resolver.Classify(voters);
        // Stopping needs no store: a side that may not live on does not wait for one.
        if (verdict == DowningClass.Stop) return now - _stableSince < stable ? DowningClaim.None : new DowningClaim([input.Self], false, verdict, "this side may not live on");
        if (RankDelay(input) is not { } wait) return DowningClaim.None; // Without the store nobody here can claim.
        if (verdict == DowningClass.All) return now - _stableSince < stable + wait ? DowningClaim.None : Everybody(input, "unreachable members, all start anew");

        if (now - _stableSince >= stable)
        {
            var delay = wait + (verdict == DowningClass.Tie ? times.Tie : TimeSpan.Zero);
            // A slow node may misjudge silence, but not a proof: whom it knows to have crashed it may evict.
            if (verdict is DowningClass.Now or DowningClass.Tie && (evident || !input.Unwell) && now - _stableSince >= stable + delay)
                return new DowningClaim(Missing, false, verdict, evident ? Crashed : $"unreachable, {resolver.Name} {verdict}");
            var stale = Missing.Where(input.LeaseStale).ToImmutableArray();
            if (!stale.IsEmpty && now - _stableSince >= stable + wait)
                return new DowningClaim(stale, true, DowningClass.Late, "unreachable and its lease is stale");
        }
        return Unresolved(input, voters, wait, now);
    }

    private void NoteShape(DowningInput input, TimeSpan now)
    {
        // Broken edges inside the component and joins do not change the shape: only who is in, who is out, who votes.
        var voters = VotersOf(input).Select(v => v.Inc).ToImmutableArray();
        if (_shape is not { } shape || !(shape.Component == input.Component || shape.Component.SequenceEqual(input.Component)) || !shape.Missing.SequenceEqual(Missing) || !shape.Voters.SequenceEqual(voters))
        {
            _shape = (input.Component, Missing, voters);
            _stableSince = now;
        }
        if (Missing.IsEmpty)
        {
            _wholeSince ??= now;
            if (now - _wholeSince >= ProtocolTimes.StableFor(input.Voters.Length)) _dividedSince = null;
        }
        else
        {
            _wholeSince = null;
            _dividedSince ??= now;
        }
    }

    private ImmutableArray<Voter> VotersOf(DowningInput input) => VotersOf(resolver, input, input.Component.Contains);

    /// <summary>Who has a vote: those with the role that are not known to have crashed.</summary>
    internal static ImmutableArray<Voter> VotersOf(SplitBrainResolver resolver, DowningInput input, Func<Incarnation, bool> here) =>
        [.. input.Voters.Where(m => !input.CrashEvident(m.Inc) && (resolver.Role.Length == 0 || m.Roles.Contains(resolver.Role, StringComparer.Ordinal)))
            .Select(m => new Voter(m.Inc, m.Weight, m.UpView, here(m.Inc), m.Name, input.StoreOk(m.Inc) && input.WitnessOk(m.Inc)))];

    private static DowningClaim Everybody(DowningInput input, string reason) => new([.. input.Voters.Select(m => m.Inc).Order()], false, DowningClass.All, reason);

    /// <summary>Executors go one after the other, oldest first; null when this node is none.</summary>
    private TimeSpan? RankDelay(DowningInput input)
    {
        var rank = 0;
        foreach (var member in input.Voters.Where(m => input.Component.Contains(m.Inc)).OrderBy(m => (m.UpView, m.Inc)))
        {
            if (!input.StoreOk(member.Inc)) continue;
            if (member.Inc == input.Self) return rank * times.RankStep;
            rank++;
        }
        return null;
    }

    /// <summary>Flapping, or nobody who may: after ten seconds each component claims in turn, the larger first.</summary>
    private DowningClaim Unresolved(DowningInput input, ImmutableArray<Voter> voters, TimeSpan wait, TimeSpan now)
    {
        if (_dividedSince is not { } since || voters.IsEmpty) return DowningClaim.None;
        if (resolver.DownAllWhenUnstable) return now - since >= times.Unresolved + wait ? Everybody(input, "the division stayed undecided, all start anew") : DowningClaim.None;
        var all = voters.Sum(v => v.Weight);
        var here = voters.Where(v => v.Here).Sum(v => v.Weight);
        var oldestHere = voters.MinBy(v => (v.UpView, v.Inc)).Here;
        var turn = times.Unresolved + (6 * times.Tie * ((all - here) / all)) + (oldestHere ? TimeSpan.Zero : times.Tie / 2) + wait;
        return now - since >= turn ? new DowningClaim(Missing, false, DowningClass.Late, "the division stayed undecided") : DowningClaim.None;
    }
}
