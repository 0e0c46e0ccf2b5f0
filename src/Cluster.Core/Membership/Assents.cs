using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>Whether, and for how long, members that all miss the store may go on by each other's word (protocol 4.4, decision 25).</summary>
/// <param name="Longest">Since the last renewal; zero: never.</param>
internal sealed record FailsafeRules(TimeSpan Longest)
{
    public static FailsafeRules Off { get; } = new(TimeSpan.Zero);

    public bool IsOn => Longest > TimeSpan.Zero;

    /// <summary>How long a node that is not up must have watched the lease of a silent member before it takes it out.</summary>
    public TimeSpan NewcomersWait { get; init; } = Longest;

    /// <summary>Whoever gives its word keeps it, when false only as long as it likes.</summary>
    public bool Binds { get; init; } = true;
}

/// <summary>The word of other members that a node without the store lives on, and what giving one's own binds to (decision 25).</summary>
/// <remarks>Not thread-safe. A word answers one question, and its age counts from when that was asked, by the asker's own clock: no delay can stretch it. Whoever gives one changes no view for as
/// long as the asker can rest on it, so that whatever could take the asker's place comes after it has stopped.</remarks>
internal sealed class Assents(FailsafeRules rules, ProtocolTimes times)
{
    /// <summary>How long a word counts from its question on.</summary>
    public static readonly TimeSpan Counts = TimeSpan.FromSeconds(2);

    /// <summary>What a clock's rate may be off by.</summary>
    private const double Rho = 0.005;

    private readonly SortedDictionary<Incarnation, (long Seq, long View, TimeSpan Asked)> _given = [];
    private TimeSpan _boundUntil = TimeSpan.MinValue;

    public bool IsOn => rules.IsOn;

    /// <summary>How long whoever gave its word changes no view: until the asker's last effect has ended, however its clock runs.</summary>
    public TimeSpan Bound => rules.Binds ? Slower(Counts + times.StopBudget) : TimeSpan.Zero;

    /// <summary>How long an effect that was let in may last after its node has heard of a newer view, by another's clock.</summary>
    public TimeSpan EffectsEnd => Slower(times.StopBudget);

    public TimeSpan NewcomersWait => rules.NewcomersWait > times.LeaseTtl ? rules.NewcomersWait : times.LeaseTtl;

    private TimeSpan Longest => (rules.Longest * ((1 - Rho) / (1 + Rho))) - times.StopBudget;

    /// <summary>A beat came: its sender's word, or that it gives none.</summary>
    /// <param name="from">Whose.</param>
    /// <param name="seq">Of the beat; an older one than the last is passed over.</param>
    /// <param name="view">That the sender has read.</param>
    /// <param name="asked">The own clock in the question that it answers; zero: it gives no word.</param>
    public void Heard(Incarnation from, long seq, long view, TimeSpan asked)
    {
        if (_given.TryGetValue(from, out var last) && seq < last.Seq) return;
        _given[from] = (seq, view, asked);
    }

    /// <summary>Forgets who is no member any more.</summary>
    public void Keep(Func<Incarnation, bool> isMember)
    {
        foreach (var gone in _given.Keys.Where(inc => !isMember(inc)).ToList()) _given.Remove(gone);
    }

    /// <summary>This node gives its word now.</summary>
    public void Gave(TimeSpan now)
    {
        if (now + Bound > _boundUntil) _boundUntil = now + Bound;
    }

    /// <summary>Somebody may rest on this node's word: it asks for no view change.</summary>
    public bool IsBound(TimeSpan now) => now < _boundUntil;

    /// <summary>Those of the others whose word does not count now.</summary>
    public IEnumerable<Incarnation> Missing(IEnumerable<Incarnation> others, long view, TimeSpan now) => others.Where(inc => now >= UntilOf(inc, view));

    /// <summary>Until when this node may go on by the word of all.</summary>
    /// <param name="others">All other members of the view, joining ones too.</param>
    /// <param name="view">That this node has read.</param>
    /// <param name="renewed">Just before its last renewal was sent.</param>
    /// <param name="now">Monotonic.</param>
    /// <returns>Past or present when it may not.</returns>
    public TimeSpan Until(IEnumerable<Incarnation> others, long view, TimeSpan renewed, TimeSpan now)
    {
        if (!IsOn) return TimeSpan.MinValue;
        var (until, isAlone) = (renewed + Longest, true);
        foreach (var inc in others)
        {
            isAlone = false;
            if (UntilOf(inc, view) is var word && word < until) until = word;
        }
        return isAlone ? TimeSpan.MinValue : until; // Nobody would tell it that its machine has stood still meanwhile.
    }

    private TimeSpan UntilOf(Incarnation inc, long view) => _given.TryGetValue(inc, out var given) && given.View == view && given.Asked > TimeSpan.Zero ? given.Asked + Counts : TimeSpan.MinValue;

    private static TimeSpan Slower(TimeSpan time) => time * ((1 + Rho) / (1 - Rho));
}
