using ActorCluster.Demo.Checking;

namespace ActorCluster.Demo;

/// <summary>What one window gave.</summary>
internal sealed record WindowResult
{
    /// <summary>The bar: a command may wait so long for its answer around a fault, in milliseconds.</summary>
    public const double RecoveryMsMax = 5_000;

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

    /// <summary>Name of the node that was killed; null if none was.</summary>
    public required string? KilledNode { get; init; }

    /// <summary>From the first event to the last answer.</summary>
    public required double Seconds { get; init; }

    /// <summary>What went wrong beside the figures, one line each.</summary>
    public required IReadOnlyList<string> Faults { get; init; }

    public bool Clean => Check.Clean && ClientErrors == 0 && Faults.Count == 0 && RecoveryMs <= RecoveryMsMax;
}
