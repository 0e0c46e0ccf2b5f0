using ActorCluster.Hosting;
using ActorCluster.Primitives;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ActorCluster.AspNetCore.Tests;

/// <summary>A host whose node has been frozen for too long (protocol 3.6).</summary>
public sealed class FrozenNodeTests : IDisposable
{
    private readonly int _exitCode = Environment.ExitCode;

    public void Dispose() => Environment.ExitCode = _exitCode; // It is the tests' own.

    [Fact]
    public async Task A_node_whose_store_goes_away_stops_its_host_with_76_and_a_new_start_serves()
    {
        var gate = new StoreGate();
        await using var cluster = await TestCluster.StartAsync(1, gate.Wrap, EndsSoon);
        var first = cluster.Nodes[0];
        var lifetime = first.Services.GetRequiredService<IHostApplicationLifetime>();
        await using var ada = await ChatUser.ConnectAsync("ada", first.Url);
        await ada.Client.JoinAsync("r");

        gate.IsAway = true;
        await Eventually.IsAsync("the host is told to stop", () => lifetime.ApplicationStopping.IsCancellationRequested, () => $"{first.Node.Mode}");
        Assert.Equal(ExitCodes.Frozen, Environment.ExitCode);
        Assert.Contains("Cluster:Node:FrozenMax (00:00:02.5000000)", first.Node.Status().LastEnd, StringComparison.Ordinal);
        await first.StopAsync();
        Assert.Equal(ExitCodes.Frozen, Environment.ExitCode);

        gate.IsAway = false;
        var again = await cluster.AddAsync("node1");
        Assert.Null(again.Node.Status().LastEnd);
        await using var bob = await ChatUser.ConnectAsync("bob", again.Url);
        await bob.Client.JoinAsync("r");
    }

    /// <summary>Nobody waits for this host's end and stops it, as when a service of it hangs.</summary>
    [Fact]
    public async Task A_process_whose_host_does_not_stop_ends_all_the_same_with_the_code_of_its_node()
    {
        var gate = new StoreGate();
        var ended = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var cluster = await TestCluster.StartAsync(1, gate.Wrap, options =>
        {
            EndsSoon(options);
            options.Node.ExitWithin = TimeSpan.FromSeconds(1);
        }, services => services.AddSingleton(new ProcessExit(code => ended.TrySetResult(code))));
        gate.IsAway = true;
        Assert.Equal(ExitCodes.Frozen, await ended.Task.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.True(cluster.Nodes[0].Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested);
    }

    private static void EndsSoon(ClusterOptions options)
    {
        options.Node.FrozenMax = TimeSpan.FromSeconds(2.5);
        options.Times = new ProtocolTimes { LeaseTtl = TimeSpan.FromSeconds(2.5), ServeLimit = TimeSpan.FromSeconds(1), Renew = TimeSpan.FromSeconds(0.3), CallTimeout = TimeSpan.FromSeconds(0.3) };
    }
}
