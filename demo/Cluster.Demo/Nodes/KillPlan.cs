using System.Diagnostics;
using ActorCluster.Demo.Replay;

namespace ActorCluster.Demo.Nodes;

/// <summary>Kills one node at 40 % of the events and starts it again at 70 %; traffic never waits for it.</summary>
/// <param name="nodes">The nodes.</param>
/// <param name="victim">Index of the node to kill.</param>
/// <param name="state">Learns the moments; knows who is connected.</param>
internal sealed class KillPlan(NodeSet nodes, int victim, ReplayState state) : IFaultPlan
{
    private Task? _kill;
    private Task? _restart;

    /// <summary>Clients that were connected to the node when it was killed.</summary>
    public int Struck { get; private set; }

    public ValueTask BeforeEventAsync(int index, int count, CancellationToken stopping)
    {
        if (_kill is null && index >= (int)(count * 0.4)) Kill();
        else if (_restart is null && index >= (int)(count * 0.7)) _restart = RestartAsync(stopping);
        return ValueTask.CompletedTask;
    }

    public async Task FinishAsync(CancellationToken stopping)
    {
        if (_kill is null) Kill();
        await (_restart ??= RestartAsync(stopping)).ConfigureAwait(false);
    }

    private void Kill()
    {
        // Noted first: a command that is answered in between is one that the fault did not touch.
        state.Recovery.Fault(Stopwatch.GetTimestamp());
        Struck = state.ConnectedTo(nodes[victim].Name);
        _kill = nodes.KillAsync(victim);
    }

    private async Task RestartAsync(CancellationToken stopping)
    {
        await _kill!.ConfigureAwait(false);
        // Its coming back moves rooms as its going did: a fault when it begins, and again when it is ready for its share.
        state.Recovery.Fault(Stopwatch.GetTimestamp());
        await nodes.StartAsync(victim, stopping).ConfigureAwait(false);
        state.Recovery.Fault(Stopwatch.GetTimestamp());
    }
}
