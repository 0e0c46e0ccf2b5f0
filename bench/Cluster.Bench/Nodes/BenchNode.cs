using ActorCluster.Hosting;
using ActorCluster.Primitives;
using ActorCluster.Sql;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Bench.Nodes;

/// <summary>A node in this process, set up as a user would: SQLite, defaults, nothing switched off.</summary>
internal sealed class BenchNode : IAsyncDisposable
{
    private readonly IHost _host;

    private BenchNode(IHost host) => _host = host;

    public IActorCluster Cluster => _host.Services.GetRequiredService<IActorCluster>();

    /// <summary>The engine below; to find out what is served where.</summary>
    public ClusterNode Engine => _host.Services.GetRequiredService<ClusterNode>();

    /// <summary>Starts a node and waits until it serves.</summary>
    /// <param name="folder">Holds store and data; nodes that share it form a cluster.</param>
    /// <param name="name">Name of the node.</param>
    /// <param name="more">What the row needs beside counters.</param>
    public static async Task<BenchNode> StartAsync(string folder, string name, Action<ActorClusterBuilder>? more = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddSimpleConsole().SetMinimumLevel(LogLevel.Warning);
        builder.Logging.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.Services.AddActorCluster(cluster =>
        {
            cluster
                .WithNode(name, link: "127.0.0.1:0", clients: "")
                .WithSqlite(Path.Combine(folder, "cluster.db"))
                .WithEntity<Counter>("counter", Counter.Register)
                .Configure(options =>
                {
                    options.Secret = "the secret of the bench";
                    options.Data = folder;
                    options.Times = new ProtocolTimes { RebalanceDelay = TimeSpan.FromSeconds(1) };
                });
            more?.Invoke(cluster);
        });
        var node = new BenchNode(builder.Build());
        await node._host.StartAsync().ConfigureAwait(false);
        await node.UntilAsync($"{name} serves", TimeSpan.FromSeconds(30), status => status.Mode == "serving" && status.Shards.All(s => s.Owner.Length > 0)).ConfigureAwait(false);
        return node;
    }

    /// <summary>Waits until the status says so.</summary>
    public async Task UntilAsync(string what, TimeSpan limit, Func<ClusterStatus, bool> holds)
    {
        var until = TimeProvider.System.GetTimestamp();
        while (!holds(Cluster.Status()))
        {
            if (TimeProvider.System.GetElapsedTime(until) > limit) throw new TimeoutException($"Expected within {limit.TotalSeconds} s: {what}. Found: {Cluster.Status()}");
            await Task.Delay(20).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync().ConfigureAwait(false);
        _host.Dispose();
    }
}
