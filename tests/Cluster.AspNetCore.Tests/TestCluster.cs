using System.Net;
using System.Net.Sockets;
using System.Security.Claims;
using ActorCluster.ChatRooms;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ActorCluster.AspNetCore.Tests;

/// <summary>Nodes of one cluster in this process: real links, real sockets, one model database.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("actorcluster-nodes-");
    private readonly Func<IClusterStore, IClusterStore> _wrap;

    private readonly Action<ClusterOptions> _configure;

    private TestCluster(Func<IClusterStore, IClusterStore>? wrap, Action<ClusterOptions>? configure) => (_wrap, _configure) = (wrap ?? (store => store), configure ?? (_ => { }));

    /// <summary>What more the nodes that are added from here on have.</summary>
    public Action<IServiceCollection> Services { get; init; } = static _ => { };

    public ModelDatabase Database { get; } = new(Guid.NewGuid());

    public List<TestNode> Nodes { get; } = [];

    public IReadOnlyList<Uri> Hosts => [.. Nodes.Select(n => n.Url)];

    public static async Task<TestCluster> StartAsync(int nodes, Func<IClusterStore, IClusterStore>? wrap = null, Action<ClusterOptions>? configure = null, Action<IServiceCollection>? services = null)
    {
        var cluster = new TestCluster(wrap, configure) { Services = services ?? (static _ => { }) };
        try
        {
            for (var i = 1; i <= nodes; i++) await cluster.AddAsync($"node{i}");
            foreach (var node in cluster.Nodes) await node.UntilItSeesAsync(nodes);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public async Task<TestNode> AddAsync(string name, bool presence = true)
    {
        var url = $"http://127.0.0.1:{FreePort()}";
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls(url);
        builder.Logging.ClearProviders();
        builder.Services.AddClusterGateway();
        Services(builder.Services);
        builder.Services.AddActorCluster(cluster =>
        {
            cluster
                .WithNode(name, "127.0.0.1:0", url)
                .WithStore((_, _) => _wrap(new ModelStore(Database)))
                .Configure(o => (o.Data, o.Secret) = (Path.Combine(_data.FullName, name), Secret))
                .Configure(_configure)
                .WithChatRooms();
            if (presence) cluster.WithPresence();
        });
        var app = builder.Build();
        app.UseWebSockets();
        app.Use((context, next) =>
        {
            if (context.Request.Query["user"].ToString() is { Length: > 0 } user)
                context.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, user)], "query"));
            return next(context);
        });
        app.MapClusterGateway("/ws");
        app.MapClusterHealth();
        app.MapClusterStatus();
        var node = new TestNode(name, new Uri(url), app);
        Nodes.Add(node);
        await app.StartAsync();
        await node.UntilReadyAsync();
        return node;
    }

    public const string Secret = "a secret of the tests and long enough";

    /// <summary>All committed events of a room.</summary>
    public async Task<IReadOnlyList<(long Seq, RoomEvent Event)>> JournalAsync(string room)
    {
        var rows = await new ModelStore(Database).ReadJournalAsync(new EntityId(RoomEntity.TypeName, room).StoreKey, 1, 10_000);
        return [.. rows.Value.Select(r => (r.EntitySeq, RoomEventCodec.Instance.Decode(r.Kind, r.Payload.Span)))];
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Nodes.Select(n => n.StopAsync()));
        _data.Delete(recursive: true);
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

/// <summary>One node in this process.</summary>
internal sealed class TestNode(string name, Uri url, WebApplication app)
{
    private Task? _stopped;

    public string Name { get; } = name;

    public Uri Url { get; } = url;

    public IServiceProvider Services => app.Services;

    public ClusterNode Node => app.Services.GetRequiredService<ClusterNode>();

    public Task UntilReadyAsync() => Eventually.IsAsync($"{Name} is ready", () => Node.IsReady, () => Node.WhyNotReady);

    public Task UntilItSeesAsync(int members) => Eventually.IsAsync(
        $"{Name} sees {members} members up and all shards owned",
        () => Node.Status() is var s && s.Members.Count(m => m.Status == "up") == members && s.Shards.Length > 0 && s.Shards.All(l => l.Owner.Length > 0),
        () => Node.Status().ToString());

    /// <summary>Stops the host in good order, as a signal would; a second call waits for the first.</summary>
    public Task StopAsync() => _stopped ??= StopOnceAsync();

    private async Task StopOnceAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
    }
}
