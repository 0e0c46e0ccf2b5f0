[assembly: AssemblyFixture(typeof(ActorCluster.AspNetCore.Tests.SharedNode))]

namespace ActorCluster.AspNetCore.Tests;

/// <summary>One node for all tests that need no cluster of their own; each takes rooms and users of its own.</summary>
public sealed class SharedNode : IAsyncLifetime
{
    private TestCluster? _cluster;

    internal TestCluster Cluster => _cluster ?? throw new InvalidOperationException("The node has not started.");

    internal TestNode Node => Cluster.Nodes[0];

    internal Uri Url => Node.Url;

    public async ValueTask InitializeAsync() => _cluster = await TestCluster.StartAsync(1, configure: o => o.Origins = "https://pages.example.com");

    public ValueTask DisposeAsync() => _cluster?.DisposeAsync() ?? ValueTask.CompletedTask;
}
