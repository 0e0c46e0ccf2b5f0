using System.Globalization;
using ActorCluster.Demo.Checking;
using ActorCluster.Demo.Replay;

namespace ActorCluster.Demo;

/// <summary>What one window gave.</summary>
internal sealed record WindowResult
{
    public required CheckResult Check { get; init; }
    public required int Users { get; init; }
    public required int Rooms { get; init; }
    public required int FailedOver { get; init; }
    public required int ImpliedJoins { get; init; }

    /// <summary>Parts and quits of users who were not there; nothing was sent for them.</summary>
    public required int Ignored { get; init; }
    public required int ClientErrors { get; init; }
    public required double RecoveryMs { get; init; }

    /// <summary>Waits of the commands that felt a fault, sorted, in milliseconds.</summary>
    public required IReadOnlyList<double> FeltMs { get; init; }

    /// <summary>Of all commands, not only of those around a fault.</summary>
    public required LongestWait LongestWait { get; init; }

    /// <summary>Longest time between anybody's first knowledge of a row and its delivery to a member, in milliseconds.</summary>
    public required long LongestBehindMs { get; init; }

    /// <summary>Name of the node that was killed; null if none was.</summary>
    public required string? KilledNode { get; init; }

    /// <summary>Clients that were connected to it at that moment.</summary>
    public required int Struck { get; init; }

    /// <summary>From the first event to the last answer.</summary>
    public required double Seconds { get; init; }

    /// <summary>What went wrong beside the figures, and the bars that they breach, one line each.</summary>
    public required IReadOnlyList<string> Faults
    {
        get => [.. field, .. Breaches()];
        init;
    }

    public bool Clean => Check.Clean && ClientErrors == 0 && Faults.Count == 0;

    private IEnumerable<string> Breaches()
    {
        var bar = RecoveryLog.WaitMax.TotalMilliseconds;
        if (LongestWait.Ms > bar)
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{LongestWait.AboveBar} commands waited longer than {bar} ms for their answer, the longest {LongestWait.Ms:0} ms: {LongestWait.What}.");
        if (Struck > 0 && FailedOver == 0)
            yield return $"{KilledNode} was killed while {Struck} clients were connected to it, but none changed node.";
        if (Check.ExcusesTooMany)
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{Check.RowsStale} stale rows are excused behind leaves whose connection broke, more than {CheckResult.StaleShareMax:P1} of {Check.Delivered} deliveries.");
    }
}
