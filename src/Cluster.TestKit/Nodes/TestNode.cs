using System.Globalization;
using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ActorCluster.TestKit;

/// <summary>One node of a <see cref="TestCluster"/>: the cluster as seen from it, through kills and restarts.</summary>
/// <remarks>Thread-safe. While it is killed or stopped its <see cref="Mode"/> is <see cref="NodeMode.Fenced"/>, and whatever else is asked of it throws <see cref="InvalidOperationException"/>.</remarks>
public sealed class TestNode : IActorCluster
{
    private readonly SemaphoreSlim _turn = new(1);
    private volatile Run? _run;
    private volatile string _end = "not started";

    internal TestNode(string name) => Name = name;

    /// <summary>Its name: <c>node1</c>, <c>node2</c> and so on.</summary>
    public string Name { get; }

    /// <summary>Neither killed nor stopped; it may be paused.</summary>
    public bool IsRunning => _run is not null;

    /// <summary>It is paused.</summary>
    public bool IsPaused { get; private set; }

    /// <summary>It does not reach the store.</summary>
    public bool IsCutFromStore { get; internal set; }

    /// <summary>The services of its host; a restarted node has new ones.</summary>
    public IServiceProvider Services => Running.Host.Services;

    /// <inheritdoc />
    public NodeMode Mode => _run?.Node.Mode ?? NodeMode.Fenced;

    internal NodeLife? Life => _run?.Node.Life;

    /// <summary>It has ended by itself: it may not start, or was told to exit.</summary>
    internal bool HasEnded => _run?.Host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested ?? true;

    internal string WhyNotReady => _run?.Node.WhyNotReady ?? _end;

    private Run Running => _run ?? throw new InvalidOperationException($"{Name} is {_end}; restart it before it is used again.");

    /// <inheritdoc />
    public EntityRef Entity<T>(string id)
        where T : Entity => Running.Node.Entity<T>(id);

    /// <inheritdoc />
    public EntityRef Singleton<T>()
        where T : Entity => Running.Node.Singleton<T>();

    /// <inheritdoc />
    public Task<SwitchResult> SwitchAsync(string name, string toNode, long expectedTerm, CancellationToken cancel = default) => Running.Node.SwitchAsync(name, toNode, expectedTerm, cancel);

    /// <inheritdoc />
    public ClusterStatus Status() => Running.Node.Status();

    /// <summary>Its name.</summary>
    public override string ToString() => Name;

    internal async Task StartAsync(TestNetwork network, Action<ActorClusterBuilder> configure, Func<PauseGate, TestStore> storeOf)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_run is not null) throw new InvalidOperationException($"{Name} is running; kill or stop it before it is restarted.");
            var gate = new PauseGate();
            var (port, store) = (new TestNetwork.Port(network, Name), storeOf(gate));
            var builder = Host.CreateEmptyApplicationBuilder(null); // No files, no environment: what the test says is all there is.
            builder.Services.AddSingleton(new NodeFaults(port, gate));
            builder.Services.AddActorCluster(node =>
            {
                configure(node);
                node.WithStore((_, _) => store);
            });
            var host = builder.Build();
            _run = new Run(host, host.Services.GetRequiredService<ClusterNode>(), gate, port, store);
            await host.StartAsync().ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    internal void Pause(bool paused)
    {
        if (paused) Running.Gate.Pause();
        else Running.Gate.Resume();
        IsPaused = paused;
    }

    /// <summary>Ends it as the kernel ends a process: nothing more leaves it, no turn begins, nothing is handed off.</summary>
    internal Task KillAsync() => EndAsync("killed", async run =>
    {
        run.Port.Die();
        run.Store.Die();
        run.Gate.End();
        if (run.Node.Life is { } life) await life.EndLinksAsync().ConfigureAwait(false);
    });

    internal Task StopAsync() => EndAsync("stopped", run => run.Host.StopAsync());

    private async Task EndAsync(string end, Func<Run, Task> how)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_run is not { } run) return;
            (_end, _run, IsPaused) = (end, null, false);
            await how(run).ConfigureAwait(false);
            if (run.Host is IAsyncDisposable host) await host.DisposeAsync().ConfigureAwait(false);
            run.Gate.Resume();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>What it is and knows, in one line.</summary>
    internal string Describe()
    {
        if (_run is not { } run) return $"{Name}: {_end}";
        var status = run.Node.Status();
        var text = new List<string> { string.Create(CultureInfo.InvariantCulture, $"{Name}#{status.Incarnation}: {status.Mode}{(IsPaused ? ", paused" : "")}, view {status.View}") };
        text.Add($"sees {List(status.Members.Where(m => m.Status != "down").Select(m => $"{m.Name}#{m.Incarnation} {m.Status}{(m.Reachable ? "" : ", unreachable")}"))}");
        text.Add($"owns {List(status.Shards.Where(s => s.Owner == Name).Select(s => $"{s.Count} of {s.Type}"))}");
        if (status.Shards.Where(s => s.Owner.Length == 0).ToList() is { Count: > 0 } free) text.Add($"knows no owner of {List(free.Select(s => $"{s.Count} of {s.Type}"))}");
        if (status.StoreFault is { } fault) text.Add($"store: {fault}");
        if (status.PolicyFault is { } thrown) text.Add($"policy {thrown}");
        if (status.JoinBlockedBy.Length > 0) text.Add($"joining waits: {List(status.JoinBlockedBy)}");
        if (status.LastEnd is { } last) text.Add($"last life: {last}");
        return string.Join("; ", text);

        static string List(IEnumerable<string> items) => string.Join(", ", items.DefaultIfEmpty("nothing"));
    }

    private sealed record Run(IHost Host, ClusterNode Node, PauseGate Gate, TestNetwork.Port Port, TestStore Store);
}
