namespace ActorCluster.Primitives;

/// <summary>The times of the protocol, section 10. Safety rests on <see cref="LeaseTtl"/>, <see cref="ServeLimit"/> and
/// <see cref="StopBudget"/>: with <see cref="Renew"/> they are the cluster's, and count for a node whatever it says itself (decision 18).</summary>
public sealed record ProtocolTimes
{
    /// <summary>Between two heartbeats to a peer, on each channel.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Silence forgiven beyond the mean before suspicion begins to rise: a garbage collection, a busy host.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromMilliseconds(600);

    /// <summary>Smallest deviation of heartbeat arrivals that is believed.</summary>
    public TimeSpan DeviationMin { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Suspicion (minus the decimal logarithm of the odds of being wrong) at which a channel counts as silent.</summary>
    public double PhiDown { get; init; } = 8;

    /// <summary>Age beyond which a peer's reachability row no longer counts.</summary>
    public TimeSpan RowFresh { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long an unchanged lease must be watched before it is stale.</summary>
    public TimeSpan LeaseTtl { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>Between two renewals of the own lease.</summary>
    public TimeSpan Renew { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Longest store call.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>D: how long after the start of a successful renewal a node serves.</summary>
    public TimeSpan ServeLimit { get; init; } = TimeSpan.FromSeconds(6.5);

    /// <summary>B: how long an effect that passed the gate may still take.</summary>
    public TimeSpan StopBudget { get; init; } = TimeSpan.FromSeconds(1.4);

    /// <summary>Longest effect outside the store; what <see cref="StopBudget"/> has beyond it is the time in which a cancelled one ends.</summary>
    public TimeSpan EffectLimit { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Extra delay of the side that has exactly half of the weight, without the oldest.</summary>
    public TimeSpan Tie { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Delay between executors of one claim, by age.</summary>
    public TimeSpan RankStep { get; init; } = TimeSpan.FromMilliseconds(300);

    /// <summary>How long a division may stay undecided before each component claims in turn.</summary>
    public TimeSpan Unresolved { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long two members may reach each other through others only before somebody is evicted for it.</summary>
    public TimeSpan BrokenGrace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Stability needed when every missing member is known to have crashed.</summary>
    public TimeSpan StableWithEvidence { get; init; } = TimeSpan.FromMilliseconds(300);

    /// <summary>Between two reads of members and shards while all is well.</summary>
    public TimeSpan PollCalm { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Between two such reads while somebody is missing, joining or leaving.</summary>
    public TimeSpan PollUnsettled { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How long a leaving node may take to hand its shards off.</summary>
    public TimeSpan Leave { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a hand-off may take before it is reverted.</summary>
    public TimeSpan Handoff { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Age of the view before shards are moved for balance.</summary>
    public TimeSpan RebalanceDelay { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a better host must be up and well before a singleton goes back to it.</summary>
    public TimeSpan SingletonReturn { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a singleton's place is kept for a host that stopped in good order.</summary>
    public TimeSpan Vacancy { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a free row may wait for its target before the sweep chooses another.</summary>
    public TimeSpan SweepPatience { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long the row of an individually placed entity is kept after it ended, so that a late message to it is refused; its id may not be used again before.</summary>
    public TimeSpan EndedRetention { get; init; } = TimeSpan.FromDays(30);

    /// <summary>By how much a thread pool is behind where its node counts as sick, if it lasts; above 1 s, up to which a pool is well.</summary>
    public TimeSpan SickDelay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a thread pool must be that far behind before its node is sick and its shards are handed off.</summary>
    public TimeSpan SickAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a thread pool must be at most 1 s behind, on end, before a sick node is given shards again.</summary>
    public TimeSpan SickEnds { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Between two questions to a witness.</summary>
    public TimeSpan WitnessPeriod { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a witness may take to answer.</summary>
    public TimeSpan WitnessTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a witness counts as seen after the question it answered.</summary>
    public TimeSpan WitnessFresh { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>In which a cancelled effect ends.</summary>
    private static readonly TimeSpan EffectCancel = TimeSpan.FromMilliseconds(400);

    /// <summary>How long the reachability must stand still before a decision: grows with the number of voters.</summary>
    public static TimeSpan StableFor(int voters) => TimeSpan.FromSeconds(voters <= 10 ? 1 : voters <= 25 ? 2 : 4);

    /// <summary>Says what is wrong with these times, or nothing.</summary>
    public IEnumerable<string> Faults()
    {
        if (ServeLimit <= (2 * Renew) + CallTimeout)
            yield return $"Cluster:Times:ServeLimit is {ServeLimit}; give more than 2 × Renew + CallTimeout ({(2 * Renew) + CallTimeout}), so that two lost renewals are survived.";
        if (WitnessFresh < WitnessPeriod + WitnessTimeout)
            yield return $"Cluster:Times:WitnessFresh is {WitnessFresh}; give at least WitnessPeriod + WitnessTimeout ({WitnessPeriod + WitnessTimeout}), so that a witness that always answers is always fresh.";
        const double rho = 0.005;
        var proven = (LeaseTtl * ((1 - rho) / (1 + rho))) - StopBudget;
        if (ServeLimit > proven)
            yield return $"Cluster:Times:ServeLimit is {ServeLimit}; with LeaseTtl {LeaseTtl} and StopBudget {StopBudget} give at most {proven}.";
        if (StopBudget < EffectLimit + EffectCancel)
            yield return $"Cluster:Times:StopBudget is {StopBudget}; give at least EffectLimit + {EffectCancel.TotalMilliseconds:0} ms ({EffectLimit + EffectCancel}), so that a cancelled effect has ended.";
        if (SickDelay <= TimeSpan.FromSeconds(1))
            yield return $"Cluster:Times:SickDelay is {SickDelay}; give more than 1 s, up to which a thread pool counts as well.";
        if (Pause < 2 * Heartbeat)
            yield return $"Cluster:Times:Pause is {Pause}; give at least 2 × Heartbeat ({2 * Heartbeat}).";
    }
}
