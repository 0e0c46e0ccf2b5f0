using ActorCluster.Demo.Replay;

namespace ActorCluster.Demo.Nodes;

/// <summary>Leaves the nodes alone.</summary>
internal sealed class NoFaultPlan : IFaultPlan
{
    public ValueTask BeforeEventAsync(int index, int count, CancellationToken stopping) => ValueTask.CompletedTask;

    public Task FinishAsync(CancellationToken stopping) => Task.CompletedTask;
}
