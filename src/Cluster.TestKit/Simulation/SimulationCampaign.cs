using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Runs many seeds, one world per thread; worlds share nothing.</summary>
public static class SimulationCampaign
{
    /// <summary>One seed in this many is run twice, to prove that equal seeds give equal traces.</summary>
    public const int RepeatEvery = 100;

    /// <summary>Runs the seeds <paramref name="from"/>, <paramref name="from"/> + 1 and so on.</summary>
    /// <param name="from">The first seed.</param>
    /// <param name="seeds">How many, 1 at least.</param>
    /// <param name="options">What kind of runs; the defaults draw all faults.</param>
    /// <param name="workers">Threads; as many as the machine has cores by default.</param>
    /// <param name="ran">Told of each run as it ends, by any of the threads.</param>
    public static SimulationCampaignResult Run(ulong from, int seeds, SimulationOptions? options = null, int? workers = null, Action<SimulationResult>? ran = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(seeds, 1);
        var started = Stopwatch.GetTimestamp();
        var failing = new ConcurrentBag<SimulationResult>();
        var totals = new Totals();
        Parallel.For(0, seeds, new ParallelOptions { MaxDegreeOfParallelism = workers ?? Environment.ProcessorCount }, i =>
        {
            var result = Simulation.Run(from + (ulong)i, options);
            if (i % RepeatEvery == 0) result = Repeated(result);
            totals.Add(result);
            if (result.Invariant is not null) failing.Add(result);
            ran?.Invoke(result);
        });
        return new SimulationCampaignResult
        {
            Seeds = seeds,
            Failing = [.. failing.OrderBy(r => r.Plan.Seed)],
            Reached = totals.Reached.ToImmutableSortedDictionary(StringComparer.Ordinal),
            Pairs = totals.Pairs.ToImmutableSortedDictionary(StringComparer.Ordinal),
            Faults = totals.Faults.ToImmutableSortedDictionary(),
            Steps = totals.Steps,
            Elapsed = Stopwatch.GetElapsedTime(started),
        };
    }

    private static SimulationResult Repeated(SimulationResult once)
    {
        var again = Simulation.Run(once.Plan);
        return again.TraceHash == once.TraceHash ? once : once with { Violations = [.. once.Violations, $"Trace is {once.TraceHash:x16} the first time, {again.TraceHash:x16} the second: something beside seed and build decides."] };
    }

    private sealed class Totals
    {
        private readonly Lock _gate = new();

        public SortedDictionary<string, long> Reached { get; } = new(StringComparer.Ordinal);

        public SortedDictionary<string, long> Pairs { get; } = new(StringComparer.Ordinal);

        public SortedDictionary<SimFault, long> Faults { get; } = [];

        public long Steps { get; private set; }

        public void Add(SimulationResult result)
        {
            lock (_gate)
            {
                Steps += result.Steps;
                foreach (var (name, count) in result.Reached) Reached[name] = Reached.GetValueOrDefault(name) + count;
                foreach (var (pair, count) in result.Pairs) Pairs[pair] = Pairs.GetValueOrDefault(pair) + count;
                foreach (var fault in result.Plan.Faults) Faults[fault.Kind] = Faults.GetValueOrDefault(fault.Kind) + 1;
            }
        }
    }
}

/// <summary>What many runs came to.</summary>
public sealed record SimulationCampaignResult
{
    /// <summary>Runs.</summary>
    public required int Seeds { get; init; }

    /// <summary>Runs that broke an invariant, by seed.</summary>
    public required ImmutableArray<SimulationResult> Failing { get; init; }

    /// <summary>What all runs together reached, by name.</summary>
    public required ImmutableSortedDictionary<string, long> Reached { get; init; }

    /// <summary>How often each (state, event) pair of the protocol's tables was met.</summary>
    public required ImmutableSortedDictionary<string, long> Pairs { get; init; }

    /// <summary>The pairs of the tables that no run met.</summary>
    public ImmutableSortedSet<string> Uncovered => SimCoverage.All.Except(Pairs.Keys);

    /// <summary>How many pairs the tables have.</summary>
    public static int AllPairs => SimCoverage.All.Count;

    /// <summary>How often each kind of fault was in a plan.</summary>
    public required ImmutableSortedDictionary<SimFault, long> Faults { get; init; }

    /// <summary>Events that happened.</summary>
    public required long Steps { get; init; }

    /// <summary>Wall time.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <summary>Broken invariants, over all runs.</summary>
    public int Violations => Failing.Sum(f => f.Violations.Length);
}
