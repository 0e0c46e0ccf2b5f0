using System.Collections.Immutable;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Makes a failing plan small: fewer faults, then nodes, clients and operations, then round times, as long as the same invariant breaks.</summary>
/// <remarks>Delta debugging (Zeller, Hildebrandt 2002) over what the plan lists. Not thread-safe.</remarks>
public sealed class SimulationShrinker
{
    private readonly int _runsMax;
    private SimulationPlan _plan;
    private string _invariant = "";

    private SimulationShrinker(SimulationPlan plan, int runsMax) => (_plan, _runsMax) = (plan, runsMax);

    private int Runs { get; set; }

    /// <summary>Shrinks.</summary>
    /// <param name="failing">A run that broke an invariant.</param>
    /// <param name="runsMax">Runs to spend; what has been reached by then is returned.</param>
    /// <returns>A plan that breaks the same invariant first; the given one, listed, when nothing could go.</returns>
    /// <exception cref="ArgumentException"><paramref name="failing"/> broke nothing.</exception>
    public static SimulationPlan Shrink(SimulationResult failing, int runsMax = 400)
    {
        ArgumentNullException.ThrowIfNull(failing);
        if (failing.Invariant is not { } invariant) throw new ArgumentException("The run broke no invariant, so there is nothing to keep.", nameof(failing));
        var shrinker = new SimulationShrinker(failing.Plan.Listed() with { Breaks = invariant }, runsMax) { _invariant = invariant };
        for (var before = ""; before != shrinker._plan.ToJson() && shrinker.Runs < runsMax;)
        {
            before = shrinker._plan.ToJson();
            shrinker.Pass();
        }
        return shrinker._plan;
    }

    private void Pass()
    {
        Reduce(p => p.Faults, (p, faults) => p with { Faults = faults });
        if (_plan.Buggify) Try(_plan with { Buggify = false });
        foreach (var node in _plan.Nodes.Reverse())
            if (_plan.Nodes.Length > 2) Try(_plan with { Nodes = _plan.Nodes.Remove(node) });
        foreach (var client in Operations(_plan).Select(o => o.Client).Distinct().ToList()) Try(_plan with { Operations = [.. Operations(_plan).Where(o => o.Client != client)] });
        Reduce(Operations, (p, operations) => p with { Operations = operations });
        for (var i = 0; i < _plan.Faults.Length; i++)
        {
            Round(i, f => f.ForMs, (f, ms) => f with { ForMs = Math.Max(1, ms) });
            Round(i, f => f.AtMs, (f, ms) => f with { AtMs = ms });
        }
    }

    /// <summary>Leaves out ever smaller parts of a list, until no single one can go.</summary>
    private void Reduce<T>(Func<SimulationPlan, ImmutableArray<T>> listOf, Func<SimulationPlan, ImmutableArray<T>, SimulationPlan> with)
    {
        for (var part = listOf(_plan).Length; part >= 1; part /= 2)
        {
            for (var at = 0; at < listOf(_plan).Length && Runs < _runsMax;)
            {
                var list = listOf(_plan);
                if (!Try(with(_plan, list.RemoveRange(at, Math.Min(part, list.Length - at))))) at += part;
            }
        }
    }

    private void Round(int index, Func<PlannedFault, long> timeOf, Func<PlannedFault, long, PlannedFault> with)
    {
        foreach (var unit in new[] { 10_000, 5_000, 1_000, 500, 100 })
        {
            var fault = _plan.Faults[index];
            if (timeOf(fault) % unit == 0) return;
            foreach (var round in new[] { timeOf(fault) / unit * unit, ((timeOf(fault) / unit) + 1) * unit })
                if (Try(_plan with { Faults = _plan.Faults.SetItem(index, with(fault, round)) })) return;
        }
    }

    private bool Try(SimulationPlan smaller)
    {
        if (Runs >= _runsMax) return false;
        Runs++;
        if (Simulation.Run(smaller).Invariant != _invariant) return false;
        _plan = smaller;
        return true;
    }

    private static ImmutableArray<PlannedOperation> Operations(SimulationPlan plan) => plan.Operations!.Value;
}
