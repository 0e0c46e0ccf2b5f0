using System.Diagnostics;
using ActorCluster.Demo.Replay;

namespace ActorCluster.Demo.Nodes;

/// <summary>Restarts all nodes one after another in an orderly way, as an upgrade does, each in its own part of the events.</summary>
/// <remarks>
/// While a node is away the events of its part are stretched over at least <see cref="PartTime"/>, lest the traffic be over before the node
/// is back; and no second node goes before the first is ready again.
/// </remarks>
internal sealed class RollingPlan(NodeSet nodes, RecoveryLog recovery) : IFaultPlan
{
    private static readonly TimeSpan s_step = TimeSpan.FromMilliseconds(50);
    private readonly List<string> _faults = [];
    private Task _restart = Task.CompletedTask;
    private long _partStarted;
    private int _restarted;

    /// <summary>Least time over which the events of one restart are spread.</summary>
    public static TimeSpan PartTime { get; } = TimeSpan.FromSeconds(10);

    /// <summary>Nodes whose stop was not orderly.</summary>
    public IReadOnlyList<string> Faults => _faults;

    public async ValueTask BeforeEventAsync(int index, int count, CancellationToken stopping)
    {
        // One part before the first restart, one for each, one after the last.
        var part = Math.Max(1, count / (nodes.Count + 2));
        if (_restarted < nodes.Count && index >= part * (_restarted + 1))
        {
            await _restart.ConfigureAwait(false);
            Begin(stopping);
        }
        var share = (double)(index - part * _restarted) / part;
        while (!_restart.IsCompleted && Stopwatch.GetElapsedTime(_partStarted) < PartTime * share)
            await Task.Delay(s_step, stopping).ConfigureAwait(false);
    }

    public async Task FinishAsync(CancellationToken stopping)
    {
        await _restart.ConfigureAwait(false);
        while (_restarted < nodes.Count)
        {
            Begin(stopping);
            await _restart.ConfigureAwait(false);
        }
    }

    private void Begin(CancellationToken stopping)
    {
        _partStarted = Stopwatch.GetTimestamp();
        recovery.Fault(_partStarted);
        _restart = RestartAsync(_restarted++, stopping);
    }

    private async Task RestartAsync(int node, CancellationToken stopping)
    {
        if (await nodes.StopAsync(node).ConfigureAwait(false) is { } fault) _faults.Add(fault);
        // Its coming back moves rooms as its going did: a fault when it begins, and again when it is ready for its share.
        recovery.Fault(Stopwatch.GetTimestamp());
        await nodes.StartAsync(node, stopping).ConfigureAwait(false);
        recovery.Fault(Stopwatch.GetTimestamp());
    }
}
