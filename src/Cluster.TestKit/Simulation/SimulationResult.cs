using System.Collections.Immutable;

namespace ActorCluster.TestKit.Simulation;

/// <summary>How a run went.</summary>
public sealed record SimulationResult
{
    /// <summary>What was run.</summary>
    public required SimulationPlan Plan { get; init; }

    /// <summary>Broken invariants, in words, each behind its name (<c>I5 at 12.345 s: ...</c>); empty when all held.</summary>
    public required ImmutableArray<string> Violations { get; init; }

    /// <summary>Digest of every step: equal for equal plan and build.</summary>
    public required ulong TraceHash { get; init; }

    /// <summary>Events that happened.</summary>
    public required long Steps { get; init; }

    /// <summary>What the run reached, by name: acknowledged commands, fenced writes, evictions and so on.</summary>
    public required ImmutableSortedDictionary<string, long> Reached { get; init; }

    /// <summary>How often the run met each (state, event) pair of the protocol's tables, those that it met.</summary>
    public required ImmutableSortedDictionary<string, long> Pairs { get; init; }

    /// <summary>The steps before the first violation, or the last ones.</summary>
    public required ImmutableArray<string> LastSteps { get; init; }

    /// <summary>Name of the first broken invariant, for example <c>I5</c>; null when all held.</summary>
    public string? Invariant => Violations.IsEmpty ? null : Violations[0][..Violations[0].IndexOf(' ', StringComparison.Ordinal)];

    /// <summary>The seed, what broke, and the last steps.</summary>
    public override string ToString() => Violations.IsEmpty
        ? $"Seed {Plan.Seed}: {Steps} steps, no violation."
        : $"Seed {Plan.Seed}:{Environment.NewLine}{string.Join(Environment.NewLine, Violations)}{Environment.NewLine}Last steps:{Environment.NewLine}{string.Join(Environment.NewLine, LastSteps)}";
}
