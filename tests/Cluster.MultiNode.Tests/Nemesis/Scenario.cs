namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>One fault done again and again, with a bound on how long the users may feel it.</summary>
/// <param name="Name">As <c>--scenario</c> names it.</param>
/// <param name="Kind">The fault.</param>
/// <param name="For">How long it lasts.</param>
/// <param name="Runs">How often, unless <c>--runs</c> says otherwise.</param>
/// <param name="Max">The longest that users may wait.</param>
internal sealed record Scenario(string Name, string Kind, TimeSpan For, int Runs, TimeSpan Max)
{
    /// <summary>Node processes; null: as asked for.</summary>
    public int? Nodes { get; init; }

    /// <summary>The node it is about; null: each in turn.</summary>
    public int? Node { get; init; }

    /// <summary>The median may be so long.</summary>
    public TimeSpan? Median { get; init; }

    /// <summary>Measured from the fault, while it lasts; else from its healing.</summary>
    public bool WhileItLasts { get; init; }

    /// <summary>Users of the node itself do not count: they wait for their own client to give it up.</summary>
    public bool OfOthers { get; init; }

    /// <summary>No shard may change its owner, and no view may come.</summary>
    public bool NothingMoves { get; init; }

    /// <summary>Nodes come back with boot clocks that differ by days and wall clocks that differ by hours.</summary>
    public bool ShiftsClocks { get; init; }

    public static readonly IReadOnlyList<Scenario> All =
    [
        new("paused-owner", "pause", TimeSpan.FromSeconds(12), 10, TimeSpan.FromSeconds(15)),
        new("store-outage", "store-fast", TimeSpan.FromSeconds(120), 1, TimeSpan.FromSeconds(3)) { NothingMoves = true },
        new("store-outage-short", "store-fast", TimeSpan.FromSeconds(20), 1, TimeSpan.FromSeconds(3)) { NothingMoves = true },
        new("all-killed", "kill-all", TimeSpan.FromSeconds(1), 5, TimeSpan.FromSeconds(10)) { ShiftsClocks = true },
        new("wall-clock", FaultKinds.WallClock, TimeSpan.FromSeconds(12), 6, TimeSpan.FromSeconds(2)),
        new("silent-host", "isolate", TimeSpan.FromSeconds(6), 10, TimeSpan.FromSeconds(4)) { WhileItLasts = true, OfOthers = true },
        new("silent-oldest-of-two", "isolate", TimeSpan.FromSeconds(7), 5, TimeSpan.FromSeconds(5)) { Nodes = 2, WhileItLasts = true, OfOthers = true },
        new("killed", "kill", TimeSpan.FromSeconds(2), 20, TimeSpan.FromSeconds(2)) { Median = TimeSpan.FromSeconds(1), WhileItLasts = true },
    ];
}

/// <summary>What a scenario measured.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Ms">What the users felt in each run, sorted.</param>
/// <param name="P50Ms">Median.</param>
/// <param name="MaxMs">Longest.</param>
/// <param name="BoundMs">The longest allowed.</param>
internal sealed record ScenarioResult(string Name, IReadOnlyList<long> Ms, long P50Ms, long MaxMs, long BoundMs);
