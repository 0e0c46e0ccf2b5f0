using System.Diagnostics;
using System.Diagnostics.Metrics;
using ActorCluster.Persistence;

namespace ActorCluster.Hosting;

/// <summary>Measurements of this node, under the meter <c>ActorCluster</c>.</summary>
/// <remarks>Thread-safe: gauges are read on the thread of whoever collects them, at any time, and show the node as it was published last. The host makes it and disposes it.</remarks>
public sealed class ClusterMetrics : IDisposable
{
    /// <summary>Name of the meter and of the activity source.</summary>
    public const string Name = "ActorCluster";

    internal static readonly ActivitySource Activities = new(Name);

    private readonly Meter _meter = new(Name);
    private Func<(NodeMode Mode, bool IsFailsafe, int Entities, int Shards, int Rows, int FailingTimers, long TellsDropped, double PoolDelay, bool IsSick)> _read = static () => default;

    /// <summary>Creates the instruments; they read nothing until the node runs.</summary>
    public ClusterMetrics()
    {
        _meter.CreateObservableGauge("actorcluster.node.mode", () => (int)_read().Mode, description: "0 joining, 1 serving, 2 degraded, 3 frozen, 4 fenced");
        _meter.CreateObservableGauge("actorcluster.node.failsafe", () => _read().IsFailsafe ? 1 : 0, description: "1 while a frozen node serves reads by the word of all members");
        _meter.CreateObservableGauge("actorcluster.entities.active", () => _read().Entities, "{entity}", "Entities in memory");
        _meter.CreateObservableGauge("actorcluster.shards.owned", () => _read().Shards, "{shard}", "Shards served here");
        _meter.CreateObservableGauge("actorcluster.journal.waiting", () => _read().Rows, "{row}", "Journal rows that wait for their commit");
        _meter.CreateObservableGauge("actorcluster.timers.failing", () => _read().FailingTimers, "{timer}", "Durable timers whose last firing failed; each is fired again every minute");
        _meter.CreateObservableGauge("actorcluster.tells.dropped", () => _read().TellsDropped, "{message}", "Tells of this life that could not be kept");
        _meter.CreateObservableGauge("actorcluster.pool.delay", () => _read().PoolDelay, "s", "How long the newest item waited for a thread of the pool");
        _meter.CreateObservableGauge("actorcluster.node.sick", () => _read().IsSick ? 1 : 0, description: "1 while the thread pool hangs and others are to serve this node's shards");
        Lives = _meter.CreateCounter<long>("actorcluster.node.lives", "{incarnation}", "Incarnations that this process started");
    }

    internal Counter<long> Lives { get; }

    /// <inheritdoc />
    public void Dispose() => _meter.Dispose();

    internal void Read(Func<(NodeMode Mode, bool IsFailsafe, int Entities, int Shards, int Rows, int FailingTimers, long TellsDropped, double PoolDelay, bool IsSick)> read) => _read = read;
}
