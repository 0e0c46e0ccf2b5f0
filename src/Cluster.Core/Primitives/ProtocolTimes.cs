using System.Collections.Immutable;
using System.Globalization;

namespace ActorCluster.Primitives;

/// <summary>The times of the protocol, section 10. Safety rests on <see cref="LeaseTtl"/>, <see cref="ServeLimit"/> and
/// <see cref="StopBudget"/>: with <see cref="Renew"/> they are the cluster's, and count for a node whatever it says itself (decision 18).</summary>
public sealed record ProtocolTimes
{
    /// <summary>Between two heartbeats to a peer, on each channel. 10 ms to 1 min; 200 ms by default.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Silence forgiven beyond the mean before suspicion begins to rise: a garbage collection, a busy host. 20 ms to 10 min; 600 ms by default.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromMilliseconds(600);

    /// <summary>Smallest deviation of heartbeat arrivals that is believed. 1 ms to 1 min; 50 ms by default.</summary>
    public TimeSpan DeviationMin { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Suspicion (minus the decimal logarithm of the odds of being wrong) at which a channel counts as silent. 1 to 16; 8 by default.</summary>
    public double PhiDown { get; init; } = 8;

    /// <summary>Age beyond which a peer's reachability row no longer counts. 100 ms to 1 h; 2 s by default.</summary>
    public TimeSpan RowFresh { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long an unchanged lease must be watched before it is stale. 1 s to 1 h; 8 s by default.</summary>
    public TimeSpan LeaseTtl { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>Between two renewals of the own lease. 50 ms to 30 min; 2 s by default.</summary>
    public TimeSpan Renew { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Longest store call. 100 ms to 1 min; 1.5 s by default.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>D: how long after the start of a successful renewal a node serves. 200 ms to 1 h; 6.5 s by default.</summary>
    public TimeSpan ServeLimit { get; init; } = TimeSpan.FromSeconds(6.5);

    /// <summary>B: how long an effect that passed the gate may still take. 410 ms to 10 min; 1.4 s by default.</summary>
    public TimeSpan StopBudget { get; init; } = TimeSpan.FromSeconds(1.4);

    /// <summary>Longest effect outside the store; what <see cref="StopBudget"/> has beyond it is the time in which a cancelled one ends. 10 ms to 9 min; 1 s by default.</summary>
    public TimeSpan EffectLimit { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Extra delay of the side that has exactly half of the weight, without the oldest. 100 ms to 10 min; 1 s by default.</summary>
    public TimeSpan Tie { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Delay between executors of one claim, by age. 10 ms to 1 min; 300 ms by default.</summary>
    public TimeSpan RankStep { get; init; } = TimeSpan.FromMilliseconds(300);

    /// <summary>How long a division may stay undecided before each component claims in turn. 1 s to 1 day; 10 s by default.</summary>
    public TimeSpan Unresolved { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long two members may reach each other through others only before somebody is evicted for it. 1 s to 1 day; 10 s by default.</summary>
    public TimeSpan BrokenGrace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Stability needed when every missing member is known to have crashed. 10 ms to 1 min; 300 ms by default.</summary>
    public TimeSpan StableWithEvidence { get; init; } = TimeSpan.FromMilliseconds(300);

    /// <summary>Between two reads of members and shards while all is well. 10 ms to 1 min; 1 s by default.</summary>
    public TimeSpan PollCalm { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Between two such reads while somebody is missing, joining or leaving. 10 ms to 1 min; 200 ms by default.</summary>
    public TimeSpan PollUnsettled { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How long a leaving node may take to hand its shards off. 1 s to 1 h; 30 s by default.</summary>
    public TimeSpan Leave { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a hand-off may take before it is reverted. 100 ms to 1 h; 10 s by default.</summary>
    public TimeSpan Handoff { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Age of the view before shards are moved for balance. 100 ms to 1 day; 10 s by default.</summary>
    public TimeSpan RebalanceDelay { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a better host must be up and well before a singleton goes back to it. 100 ms to 1 day; 1 min by default.</summary>
    public TimeSpan SingletonReturn { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a singleton's place is kept for a host that stopped in good order. 100 ms to 1 day; 5 min by default.</summary>
    public TimeSpan Vacancy { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a free row may wait for its target before the sweep chooses another. 100 ms to 1 h; 3 s by default.</summary>
    public TimeSpan SweepPatience { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long the row of an individually placed entity is kept after it ended, so that a late message to it is refused; its id may not be used again before. 1 day to 3,650 days; 30 days by default.</summary>
    public TimeSpan EndedRetention { get; init; } = TimeSpan.FromDays(30);

    /// <summary>By how much a thread pool is behind where its node counts as sick, if it lasts; up to 1 s it is well. 1.001 s to 1 h; 5 s by default.</summary>
    public TimeSpan SickDelay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a thread pool must be that far behind before its node is sick and its shards are handed off. 1 s to 1 h; 10 s by default.</summary>
    public TimeSpan SickAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a thread pool must be at most 1 s behind, on end, before a sick node is given shards again. 1 s to 1 day; 30 s by default.</summary>
    public TimeSpan SickEnds { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Between two questions to a witness. 100 ms to 1 h; 2 s by default.</summary>
    public TimeSpan WitnessPeriod { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a witness may take to answer. 10 ms to 1 min; 1 s by default.</summary>
    public TimeSpan WitnessTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a witness counts as seen after the question it answered. 100 ms to 1 day; 4 s by default.</summary>
    public TimeSpan WitnessFresh { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>In which a cancelled effect ends.</summary>
    private static readonly TimeSpan EffectCancel = TimeSpan.FromMilliseconds(400);

    private const double PhiDownLeast = 1;

    /// <summary>Beyond it a double no longer tells the odds of being wrong from none.</summary>
    private const double PhiDownMost = 16;

    /// <summary>Between which bounds each time lies, whoever gives it: a node's configuration, an operator or the store.</summary>
    internal static readonly ImmutableArray<TimeRange> Ranges =
    [
        new(nameof(Heartbeat), t => t.Heartbeat, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)),
        new(nameof(Pause), t => t.Pause, TimeSpan.FromMilliseconds(20), TimeSpan.FromMinutes(10)),
        new(nameof(DeviationMin), t => t.DeviationMin, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1)),
        new(nameof(RowFresh), t => t.RowFresh, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)),
        new(nameof(LeaseTtl), t => t.LeaseTtl, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)),
        new(nameof(Renew), t => t.Renew, TimeSpan.FromMilliseconds(50), TimeSpan.FromMinutes(30)),
        new(nameof(CallTimeout), t => t.CallTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1)),
        new(nameof(ServeLimit), t => t.ServeLimit, TimeSpan.FromMilliseconds(200), TimeSpan.FromHours(1)),
        new(nameof(StopBudget), t => t.StopBudget, TimeSpan.FromMilliseconds(410), TimeSpan.FromMinutes(10)),
        new(nameof(EffectLimit), t => t.EffectLimit, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(9)),
        new(nameof(Tie), t => t.Tie, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10)),
        new(nameof(RankStep), t => t.RankStep, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)),
        new(nameof(Unresolved), t => t.Unresolved, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)),
        new(nameof(BrokenGrace), t => t.BrokenGrace, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)),
        new(nameof(SickDelay), t => t.SickDelay, TimeSpan.FromMilliseconds(1_001), TimeSpan.FromHours(1)),
        new(nameof(SickAfter), t => t.SickAfter, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)),
        new(nameof(SickEnds), t => t.SickEnds, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)),
        new(nameof(StableWithEvidence), t => t.StableWithEvidence, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)),
        new(nameof(PollCalm), t => t.PollCalm, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)),
        new(nameof(PollUnsettled), t => t.PollUnsettled, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)),
        new(nameof(Leave), t => t.Leave, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)),
        new(nameof(Handoff), t => t.Handoff, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)),
        new(nameof(RebalanceDelay), t => t.RebalanceDelay, TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1)),
        new(nameof(SingletonReturn), t => t.SingletonReturn, TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1)),
        new(nameof(Vacancy), t => t.Vacancy, TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1)),
        new(nameof(SweepPatience), t => t.SweepPatience, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)),
        new(nameof(EndedRetention), t => t.EndedRetention, TimeSpan.FromDays(1), TimeSpan.FromDays(3650)),
        new(nameof(WitnessPeriod), t => t.WitnessPeriod, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)),
        new(nameof(WitnessTimeout), t => t.WitnessTimeout, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)),
        new(nameof(WitnessFresh), t => t.WitnessFresh, TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1)),
    ];

    /// <summary>How long the reachability must stand still before a decision: grows with the number of voters.</summary>
    public static TimeSpan StableFor(int voters) => TimeSpan.FromSeconds(voters <= 10 ? 1 : voters <= 25 ? 2 : 4);

    /// <summary>Says what is wrong with these times, or nothing: each that is out of its range, and each rule between two times that a range does not break already.</summary>
    public IEnumerable<string> Faults()
    {
        var wild = Ranges.Where(r => !r.Holds(this)).ToList();
        foreach (var range in wild) yield return range.Fault(this);
        if (PhiDown is not (>= PhiDownLeast and <= PhiDownMost)) // NaN too: nothing is below it, so nobody would be heard.
            yield return string.Create(CultureInfo.InvariantCulture, $"Cluster:Times:PhiDown is {PhiDown}; give {PhiDownLeast} to {PhiDownMost}, for example 8.");
        if (Sound(nameof(ServeLimit), nameof(Renew), nameof(CallTimeout)) && ServeLimit <= (2 * Renew) + CallTimeout)
            yield return $"Cluster:Times:ServeLimit is {ServeLimit}; give more than 2 × Renew + CallTimeout ({(2 * Renew) + CallTimeout}), so that two lost renewals are survived.";
        if (Sound(nameof(WitnessFresh), nameof(WitnessPeriod), nameof(WitnessTimeout)) && WitnessFresh < WitnessPeriod + WitnessTimeout)
            yield return $"Cluster:Times:WitnessFresh is {WitnessFresh}; give at least WitnessPeriod + WitnessTimeout ({WitnessPeriod + WitnessTimeout}), so that a witness that always answers is always fresh.";
        const double rho = 0.005;
        if (Sound(nameof(ServeLimit), nameof(LeaseTtl), nameof(StopBudget)) && (LeaseTtl * ((1 - rho) / (1 + rho))) - StopBudget is var proven && ServeLimit > proven)
            yield return $"Cluster:Times:ServeLimit is {ServeLimit}; with LeaseTtl {LeaseTtl} and StopBudget {StopBudget} give at most {proven}.";
        if (Sound(nameof(StopBudget), nameof(EffectLimit)) && StopBudget < EffectLimit + EffectCancel)
            yield return $"Cluster:Times:StopBudget is {StopBudget}; give at least EffectLimit + {EffectCancel.TotalMilliseconds:0} ms ({EffectLimit + EffectCancel}), so that a cancelled effect has ended.";
        if (Sound(nameof(Pause), nameof(Heartbeat)) && Pause < 2 * Heartbeat)
            yield return $"Cluster:Times:Pause is {Pause}; give at least 2 × Heartbeat ({2 * Heartbeat}).";
        if (Sound(nameof(RowFresh), nameof(Heartbeat)) && RowFresh < 2 * Heartbeat)
            yield return $"Cluster:Times:RowFresh is {RowFresh}; give at least 2 × Heartbeat ({2 * Heartbeat}), so that a peer's row counts until the next one.";

        bool Sound(params ReadOnlySpan<string> names)
        {
            foreach (var name in names)
                if (wild.Exists(r => r.Name == name)) return false;
            return true;
        }
    }
}
