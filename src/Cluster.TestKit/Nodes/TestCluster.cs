using System.Diagnostics;
using System.Globalization;
using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.Links;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

/// <summary>
/// Several nodes in this process, for tests of your own entities under faults: real hosts, threads and loopback links over one <see cref="ModelDatabase"/>, whose links, store and processes a test
/// can take away. Time is real, see <see cref="TestClusterOptions.TimeScale"/>. Examples: docs/testing.md.
/// </summary>
/// <remarks>Thread-safe. A fault holds from the moment its method returns, save for what a thread is just doing. Several clusters may run side by side. Disposing it kills all nodes and deletes their folders.</remarks>
public sealed class TestCluster : IAsyncDisposable
{
    private const string Secret = "every node of this test";
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan UserTimeout = new LinkOptions().UserTimeout;

    private readonly TestNetwork _network = new();
    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("actorcluster-test-");
    private readonly CancellationTokenSource _disposing = new();
    private readonly Action<ActorClusterBuilder> _configure;
    private readonly TestClusterOptions _options;
    private readonly TestNode[] _nodes;
    private volatile bool _mayTarget;
    private int _disposed;

    private TestCluster(int nodes, Action<ActorClusterBuilder> configure, TestClusterOptions options)
    {
        (_configure, _options) = (configure, options);
        _nodes = [.. Enumerable.Range(1, nodes).Select(i => new TestNode(string.Create(CultureInfo.InvariantCulture, $"node{i}")))];
    }

    /// <summary>All nodes, <c>node1</c> first; node1 is the oldest until it is restarted.</summary>
    public IReadOnlyList<TestNode> Nodes => _nodes;

    /// <summary>The node of that name.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public TestNode this[string name] =>
        _nodes.FirstOrDefault(n => n.Name == name) ?? throw new ArgumentException($"There is no {name}; the nodes are {string.Join(", ", _nodes.Select(n => n.Name))}.", nameof(name));

    /// <summary>The data of all nodes. Read it only while no node writes.</summary>
    public ModelDatabase Database { get; } = new(Guid.NewGuid());

    /// <summary>Starts nodes and waits until they have settled (<see cref="UntilSettled"/>).</summary>
    /// <param name="nodes">How many, 1 to 9.</param>
    /// <param name="configure">Says what each node hosts, again at each restart. Name, addresses, store, data folder and secret are the kit's.</param>
    /// <param name="options">How it runs; the defaults if null.</param>
    /// <exception cref="TestClusterException">A node cannot start, or they did not settle within the patience; all have been killed.</exception>
    public static async Task<TestCluster> StartAsync(int nodes, Action<ActorClusterBuilder> configure, TestClusterOptions? options = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(nodes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(nodes, 9);
        ArgumentNullException.ThrowIfNull(configure);
        var cluster = new TestCluster(nodes, configure, options ?? new TestClusterOptions());
        try
        {
            foreach (var node in cluster._nodes)
            {
                await cluster.StartAsync(node).ConfigureAwait(false);
                // One by one, so that age follows the numbers.
                await cluster.Until(
                    $"{node} serves",
                    () => node.HasEnded ? throw new TestClusterException($"{node} cannot start: {node.WhyNotReady}") : node.Mode == NodeMode.Serving).ConfigureAwait(false);
            }
            // Who decides must know all of them, or the first would get everything after all.
            await cluster.Until("all nodes see each other", () => HaveMet(cluster.Lives())).ConfigureAwait(false);
            cluster._mayTarget = true;
            await cluster.UntilSettled().ConfigureAwait(false);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The node that owns an entity's shard, whether or not the entity is active; null while nobody does, or while the owner's process is gone.</summary>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is not hosted, or the id is not 1 to 255 UTF-8 bytes.</exception>
    public TestNode? OwnerOf<T>(string id)
        where T : Entity
    {
        var entity = _nodes.First(n => n.IsRunning).Entity<T>(id).Id;
        Incarnation? owner;
        lock (Database.Gate)
        {
            var shards = Database.Shards.Where(s => s.Type == entity.Type).ToList();
            var key = StableHash.ShardOf(entity, shards.Count).ToString(CultureInfo.InvariantCulture);
            owner = shards.Single(s => s.Key == key).Owner;
        }
        return _nodes.FirstOrDefault(n => owner is not null && n.Life?.Self == owner);
    }

    /// <summary>Cuts the network between two nodes, both ways: nothing passes and nobody can dial. What is under way waits; healed within 2 s it arrives, else the connections break on both sides, as TCP's do.</summary>
    public void Cut(TestNode a, TestNode b)
    {
        CutOneWay(a, b);
        CutOneWay(b, a);
    }

    /// <summary>Cuts one way. What comes the other way arrives until the connections break after 2 s for want of acknowledgements; a new one needs both ways.</summary>
    public void CutOneWay(TestNode from, TestNode to)
    {
        if (Own(from) == Own(to)) throw new ArgumentException($"{from} cannot be cut from itself.", nameof(to));
        if (_network.Cut(from.Name, to.Name) is { } cut) _ = BreakAsync(from, to, cut);
    }

    /// <summary>Cuts every way between these nodes and the rest; among themselves they stay connected. All of them still reach the store, see <see cref="CutStore"/>.</summary>
    public void Isolate(params TestNode[] side)
    {
        foreach (var inside in side)
            foreach (var outside in _nodes.Except(side)) Cut(inside, outside);
    }

    /// <summary>Cuts a node off from the store: its calls fail as not sent, after 0.1 s each.</summary>
    public void CutStore(TestNode node) => Own(node).IsCutFromStore = true;

    /// <summary>Ends every cut, the store's included. Paused nodes stay paused. Broken connections are dialled anew within about 1 s.</summary>
    public void Heal()
    {
        _network.Heal(null);
        foreach (var node in _nodes) node.IsCutFromStore = false;
    }

    /// <summary>Ends the cuts that a node has part in, also that from the store.</summary>
    public void Heal(TestNode node)
    {
        _network.Heal(Own(node).Name);
        node.IsCutFromStore = false;
    }

    /// <summary>Stops a node where it stands, as SIGSTOP does: no heartbeat, no turn, no store call begins, and what it is sent or has just sent waits. A turn that has begun runs on; asks from it keep their time-out.</summary>
    /// <exception cref="InvalidOperationException">It is not running.</exception>
    public void Pause(TestNode node)
    {
        Own(node).Pause(true);
        _network.Pause(node.Name, true);
    }

    /// <summary>Has a paused node go on; it may find that it was evicted meanwhile, and then rejoins. Nothing if it is not paused.</summary>
    /// <exception cref="InvalidOperationException">It is not running.</exception>
    public void Resume(TestNode node)
    {
        _network.Pause(Own(node).Name, false);
        node.Pause(false);
    }

    /// <summary>Ends a node as SIGKILL does: no good-bye, no hand-off, the lease stays; its connections end and its lock file is free. Nothing if it is not running. A turn that has begun runs on in this process, but reaches neither store nor nodes.</summary>
    public async Task KillAsync(TestNode node)
    {
        await Own(node).KillAsync().ConfigureAwait(false);
        _network.Pause(node.Name, false);
    }

    /// <summary>Stops a node in good order, as SIGTERM does: everything is handed off first. Nothing if it is not running; a paused one goes on first.</summary>
    public async Task StopAsync(TestNode node)
    {
        if (Own(node).IsPaused) Resume(node);
        await node.StopAsync().ConfigureAwait(false);
    }

    /// <summary>Starts a killed or stopped node again: same name and folder, a new incarnation, empty memory. Returns when its host runs; it joins when the others let it, see <see cref="UntilSettled"/>. Cuts stay.</summary>
    /// <exception cref="InvalidOperationException">It is running.</exception>
    public Task RestartAsync(TestNode node) => StartAsync(Own(node));

    /// <summary>Waits until all running nodes see each other up and serving, nobody else is a member, and every shard is owned by one of them.</summary>
    /// <exception cref="TestClusterException">Not within that time.</exception>
    public Task UntilSettled(TimeSpan? within = null, CancellationToken cancel = default) =>
        Until("all running nodes are the members, serving and connected, and own every shard", IsSettled, within, cancel);

    /// <summary>Waits until a condition holds; looks every 20 ms.</summary>
    /// <param name="expected">The condition in words, for the message where it does not come about: "expected: ...".</param>
    /// <param name="holds">Looks, without side effects. An <see cref="EntityException"/> counts as "not yet"; anything else that it throws ends the wait.</param>
    /// <param name="within">How long; <see cref="TestClusterOptions.Patience"/> (30 s) if null.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="TestClusterException">It did not hold in time; the message has what is, per node.</exception>
    public Task Until(string expected, Func<bool> holds, TimeSpan? within = null, CancellationToken cancel = default) =>
        Until(expected, () => Task.FromResult(holds()), within, cancel);

    /// <summary>As the other overload, for a condition that asks. A look that does not end in time counts as "not yet".</summary>
    /// <inheritdoc cref="Until(string, Func{bool}, TimeSpan?, CancellationToken)" />
    public async Task Until(string expected, Func<Task<bool>> holds, TimeSpan? within = null, CancellationToken cancel = default)
    {
        var (limit, since) = (within ?? _options.Patience, Stopwatch.GetTimestamp());
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancel, _disposing.Token);
        Exception? last = null;
        do
        {
            var left = limit - Stopwatch.GetElapsedTime(since);
            try
            {
                if (await holds().WaitAsync(left > Look ? left : Look, ending.Token).ConfigureAwait(false)) return;
                last = null;
            }
            catch (Exception notYet) when (notYet is EntityException or TimeoutException)
            {
                last = notYet;
            }
            await Task.Delay(Look, ending.Token).ConfigureAwait(false);
        }
        while (Stopwatch.GetElapsedTime(since) < limit);
        var met = last is null ? "" : $" The last look met: {last.Message}";
        throw new TestClusterException($"Expected within {limit.TotalSeconds} s: {expected}.{met}{Environment.NewLine}{this}", last);
    }

    /// <summary>The state of every node, and what is cut.</summary>
    public override string ToString()
    {
        List<string> lines = [.. _nodes.Select(n => n.Describe())];
        lines.AddRange(_network.Cuts.Select(c => $"cut: {c.From} to {c.To}"));
        lines.AddRange(_nodes.Where(n => n.IsCutFromStore).Select(n => $"cut: {n} from the store"));
        return string.Join(Environment.NewLine, lines);
    }

    /// <summary>Kills all nodes and deletes their folders; twice is harmless. Waits that are under way end as cancelled.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        await _disposing.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_nodes.Select(n => n.KillAsync())).ConfigureAwait(false);
        _data.Delete(recursive: true);
        _disposing.Dispose();
    }

    private Task StartAsync(TestNode node)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        return node.StartAsync(
            _network,
            builder =>
            {
                builder.Configure(o => o.Times = _options.Scaled(o.Times));
                _configure(builder);
                builder.Configure(o => (o.Node.Name, o.Node.Link, o.Data, o.Secret) = (node.Name, "127.0.0.1:0", Path.Combine(_data.FullName, node.Name), Secret));
            },
            gate => new TestStore(new ModelStore(Database), gate, () => node.IsCutFromStore, () => _mayTarget, inc => _network.Name(inc, node.Name)));
    }

    private bool IsSettled()
    {
        var lives = Lives();
        var running = lives.Select(l => l?.Self).ToHashSet();
        lock (Database.Gate)
            if (!Database.Shards.All(s => s is { State: ShardState.Owned, Owner: { } owner } && running.Contains(owner))) return false;
        return HaveMet(lives);
    }

    private List<NodeLife?> Lives() => [.. _nodes.Where(n => n.IsRunning).Select(n => n.Life)];

    private static bool HaveMet(List<NodeLife?> lives)
    {
        if (lives.Any(l => l is not { Mode: NodeMode.Serving })) return false;
        var running = lives.Select(l => l!.Self).ToHashSet();
        return lives.All(l => l!.Latest is { Missing.IsEmpty: true, Snapshot: { } seen } && seen.Members.Where(m => m.IsLive).All(m => m.Status == MemberStatus.Up) && running.SetEquals(seen.Members.Where(m => m.IsLive).Select(m => m.Inc)));
    }

    /// <summary>What a way that stays cut does to connections: neither end gets its bytes acknowledged.</summary>
    private async Task BreakAsync(TestNode from, TestNode to, long cut)
    {
        await Task.Delay(UserTimeout, _disposing.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_network.IsStill(from.Name, to.Name, cut) || from.Life is not { } here || to.Life is not { } there) return;
        here.GiveUp(there.Self);
        there.GiveUp(here.Self);
    }

    private TestNode Own(TestNode node)
    {
        ArgumentNullException.ThrowIfNull(node);
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        return _nodes.Contains(node) ? node : throw new ArgumentException($"{node} is a node of another cluster.", nameof(node));
    }
}
