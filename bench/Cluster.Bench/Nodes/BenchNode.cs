using System.Net;
using System.Net.Sockets;
using System.Security.Claims;
using ActorCluster.AspNetCore;
using ActorCluster.Hosting;
using ActorCluster.Primitives;
using ActorCluster.Sql;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Bench.Nodes;

/// <summary>A node in this process, set up as a user would: SQLite, defaults, nothing switched off.</summary>
internal sealed class BenchNode : IAsyncDisposable
{
    private readonly IHost _host;

    private BenchNode(IHost host) => _host = host;

    public IActorCluster Cluster => Service<IActorCluster>();

    /// <summary>The engine below; to find out what is served where.</summary>
    public ClusterNode Engine => Service<ClusterNode>();

    /// <summary>Starts a node and waits until it serves.</summary>
    /// <param name="folder">Holds store and data; nodes that share it form a cluster.</param>
    /// <param name="name">Name of the node.</param>
    /// <param name="more">What the row needs beside counters.</param>
    /// <param name="steps">Is told of what happens in the node's life.</param>
    public static Task<BenchNode> StartAsync(string folder, string name, Action<ActorClusterBuilder>? more = null, StepLog? steps = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        SetUp(builder.Logging, folder, name, "", more, steps);
        return StartAsync(builder.Build(), name);
    }

    /// <summary>Starts a node with a gateway for clients, on a port of its own.</summary>
    public static async Task<(BenchNode Node, Uri Url)> StartWithGatewayAsync(string folder, string name)
    {
        var url = $"http://127.0.0.1:{FreePort()}";
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls(url);
        builder.Logging.ClearProviders();
        SetUp(builder.Logging, folder, name, url, cluster => cluster.WithPresence().WithChatRooms().Services.AddClusterGateway(), null);
        var app = builder.Build();
        app.UseWebSockets();
        app.Use((context, next) =>
        {
            if (context.Request.Query["user"].ToString() is { Length: > 0 } user) context.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, user)], "query"));
            return next(context);
        });
        app.MapClusterGateway("/ws");
        return (await StartAsync(app, name).ConfigureAwait(false), new Uri(url));
    }

    public T Service<T>()
        where T : class => _host.Services.GetRequiredService<T>();

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

    private static void SetUp(ILoggingBuilder logging, string folder, string name, string clients, Action<ActorClusterBuilder>? more, StepLog? steps)
    {
        logging.AddSimpleConsole().SetMinimumLevel(LogLevel.Warning);
        logging.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        if (steps is not null) logging.AddProvider(steps).AddFilter<StepLog>("ActorCluster", LogLevel.Debug);
        logging.Services.AddActorCluster(cluster =>
        {
            cluster
                .WithNode(name, link: "127.0.0.1:0", clients)
                .WithSqlite(Path.Combine(folder, "cluster.db"))
                .WithEntity<Counter>("counter", Counter.Register)
                .Configure(options =>
                {
                    options.Secret = "the secret of the bench";
                    options.Data = folder;
                    // Only how soon shards move for balance alone: a row need not wait 10 s for its second node.
                    options.Times = new ProtocolTimes { RebalanceDelay = TimeSpan.FromSeconds(1) };
                });
            more?.Invoke(cluster);
        });
    }

    private static async Task<BenchNode> StartAsync(IHost host, string name)
    {
        var node = new BenchNode(host);
        await host.StartAsync().ConfigureAwait(false);
        await node.UntilAsync($"{name} serves", TimeSpan.FromSeconds(30), status => status.Mode == "serving" && status.Shards.All(s => s.Owner.Length > 0)).ConfigureAwait(false);
        return node;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
