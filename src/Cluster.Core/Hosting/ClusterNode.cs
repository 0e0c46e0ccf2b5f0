using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using ActorCluster.Entities;
using ActorCluster.Links;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Placement;
using ActorCluster.Primitives;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Hosting;

/// <summary>This process as a node: one life after the other, from the host's start to its stop.</summary>
internal sealed class ClusterNode(
    ActorClusterBuilder builder, ClusterSettings settings, IServiceProvider services, IHostApplicationLifetime host, ClusterMetrics metrics, ILogger<ClusterNode> log)
    : IActorCluster, IHostedLifecycleService, IAsyncDisposable
{
    /// <summary>Beyond what a life gives itself for leaving: 30 s of hand-offs, and 8 s more where the store is away.</summary>
    private static readonly TimeSpan LeaveLimit = TimeSpan.FromSeconds(50);

    private readonly ClusterOptions _options = settings.Options;
    private readonly CancellationTokenSource _stopping = new();
    private readonly RejoinBackoff _backoff = new();
    private readonly ToldReasons _told = new();
    private readonly AskClock _asks = new(settings.Options.Limits.AskTimeout);
    private IClusterStore? _store;
    private NodeLock? _lock;
    private volatile NodeLife? _life;
    private volatile string? _lastEnd;
    private volatile string? _startFault;
    private Task _lives = Task.CompletedTask;
    private volatile bool _leaving;
    private bool _disposed;
    private readonly NodeFaults? _faults = services.GetService<NodeFaults>();
    private readonly ProcessEnd _end = new(host, settings.Options.Node.ExitWithin, log, services.GetService<ProcessExit>()?.Exit ?? Environment.Exit);
    private ImmutableArray<INodeParticipant> _participants = [];

    /// <summary>The own options with the cluster's shared settings in them, which later lives may read anew.</summary>
    private volatile GoverningSettings _governing = new(settings.Options, 0, []);

    public ClusterOptions Options => _options;

    public TimeSpan AskTimeout => _options.Limits.AskTimeout;

    public AskClock Asks => _asks;

    public NodeLife? Life => _life;

    /// <summary>Clients may be served: up, and neither leaving, frozen nor fenced.</summary>
    public bool IsReady => !_leaving && _life?.Mode is NodeMode.Serving or NodeMode.Degraded;

    /// <summary>One line for a health check that says no.</summary>
    public string WhyNotReady => _leaving ? "the node is stopping" : _life is not { } life ? $"the node has not started: {_startFault ?? _lastEnd ?? "waiting for the store"}" : life.Mode switch
    {
        NodeMode.Joining => $"joining: {string.Join("; ", life.Latest.JoinBlockedBy.DefaultIfEmpty("not up yet"))}",
        NodeMode.Frozen when life.Latest.StoreRegressed is not null => $"frozen: {life.StoreFault}",
        NodeMode.Frozen when life.IsFailsafe => $"failsafe: no member reaches the store ({life.StoreFault}); reads go on, writes are refused",
        NodeMode.Frozen => $"frozen: the store is out of reach ({life.StoreFault ?? "it answers again"})",
        NodeMode.Fenced => "fenced: this incarnation is out",
        var mode => mode.ToString(),
    };

    /// <summary>One line for a health check that says yes.</summary>
    public string ReadyReason => IsSick
        ? string.Create(CultureInfo.InvariantCulture, $"ready, but sick: the thread pool is {_life?.Latest.PoolDelay.TotalSeconds ?? 0:0.0} s behind; others serve its shards where they can")
        : "ready";

    private bool IsSick => _life is { } life && life.Latest.Sick.Contains(life.Self);

    public NodeMode Mode => _life?.Mode ?? NodeMode.Fenced;

    public EntityRef Entity<T>(string id)
        where T : Entity
    {
        if (!builder.TypeNames.TryGetValue(typeof(T), out var type)) throw new ArgumentException($"{typeof(T).Name} is not registered on this node; add it with WithEntity.");
        var entity = new EntityId(type, id);
        entity.Check();
        return new EntityRef(this, entity);
    }

    public EntityRef Singleton<T>()
        where T : Entity =>
        builder.TypeNames.TryGetValue(typeof(T), out var type) && builder.Singletons.ContainsKey(type) ? new EntityRef(this, new EntityId(type, LocalShard.SingletonId))
            : throw new ArgumentException($"{typeof(T).Name} is not registered as a singleton on this node; add it with WithSingleton.");

    /// <summary>A singleton of that name is registered here.</summary>
    public bool HasSingleton(string name) => builder.Singletons.ContainsKey(name);

    public Task<SwitchResult> SwitchAsync(string name, string toNode, long expectedTerm, CancellationToken cancel = default)
    {
        if (!builder.Singletons.TryGetValue(name, out var rule)) throw new ArgumentException($"There is no singleton '{name}' on this node; add it with WithSingleton.", nameof(name));
        return _life is { } life && _store is { } store ? new SingletonSwitch(name, rule, life, store, _governing.Options.Times).RunAsync(toNode, new Epoch(expectedTerm), cancel)
            : Task.FromResult(new SwitchResult(false, 0, $"Node {_options.Node.Name} is not up."));
    }

    /// <summary>Entities of that type execute a command with an id at most once.</summary>
    public bool RemembersCommands(string type) => builder.Types.Any(t => t.Name == type && t.RemembersCommands);

    public void Post(Envelope envelope)
    {
        if (_life is { } life) life.Regions.Post(envelope);
        else envelope.Sink?.Fail(EntityFailure.Unreachable(envelope.Target.StoreKey));
    }

    public void Tell(EntityId target, object message) => _life?.Regions.Tell(target, message);

    public ValueTask TellAsync(EntityId target, object message, CancellationToken cancel) => _life is { } life
        ? life.Regions.TellAsync(target, message, AskTimeout, cancel)
        : ValueTask.FromException(new EntityException(EntityFailure.Unreachable(target.StoreKey)));

    public ClusterStatus Status()
    {
        var latest = _life?.Latest;
        var snapshot = latest?.Snapshot;
        var names = snapshot?.Members.ToDictionary(m => m.Inc, m => m.Name) ?? [];
        return new ClusterStatus(
            _options.Node.Name, _life?.Self.Value ?? 0, _life is { IsFailsafe: true } ? "failsafe" : Name(Mode), _store?.Description ?? "", _life is { } living ? living.StoreFault : _startFault, snapshot?.Cluster.View ?? 0,
            [.. (snapshot?.Members ?? []).Select(m => new MemberStatusLine(m.Name, m.Inc.Value, Name(m.Status), m.IsLive && !latest!.Missing.Contains(m.Inc), m.LinkAddress, m.ClientUrl, m.DownReason, latest!.Sick.Contains(m.Inc)))],
            [.. (latest?.Rows ?? []).GroupBy(r => (r.Type, Owner: r.Owner is { } o ? names.GetValueOrDefault(o, o.ToString()) : "")).OrderBy(g => g.Key).Select(g => new ShardStatusLine(g.Key.Type, g.Key.Owner, g.Count()))],
            [.. builder.Singletons.Select(s => StatusOf(s.Key, s.Value))],
            latest?.JoinBlockedBy ?? [], latest?.Decisions ?? [], _lastEnd, _life?.Entities.ActiveEntities ?? 0, _life?.Entities.Journal.Waiting ?? 0,
            [.. (latest?.Witnesses ?? []).Select(w => new WitnessStatusLine(w.Witness.Text, w.IsFresh, w.Answer, w.AskedAt is { } at ? Math.Round((MonotonicClock.Now - at).TotalSeconds, 1) : null))],
            [.. (latest?.BrokenEdges ?? []).Select(e => new BrokenLinkLine(NameOf(e.A), NameOf(e.B), Math.Round((MonotonicClock.Now - e.Since).TotalSeconds, 1), RelayOf(e)))],
            new SettingsStatus(_governing.Version, [.. _governing.Differences.Select(d => new SettingDifferenceLine(d.Key, d.Here, d.There))]), _life?.Entities.DurableTimers.Failing ?? 0,
            [.. (latest?.AssentsMissing ?? []).Select(NameOf)], Math.Round(latest?.PoolDelay.TotalSeconds ?? 0, 3), _life?.PolicyFault);

        string NameOf(Incarnation inc) => names.GetValueOrDefault(inc, inc.ToString());

        string? RelayOf(Downing.BrokenEdge edge) =>
            (edge.A == _life?.Self || edge.B == _life?.Self) && latest!.Relays.TryGetValue(edge.A == _life!.Self ? edge.B : edge.A, out var relay) ? NameOf(relay) : null;

        SingletonStatus StatusOf(string name, SingletonRule rule)
        {
            var row = latest?.Rows.FirstOrDefault(r => r.Type == name);
            return new SingletonStatus(name, row?.Owner is { } holder ? names.GetValueOrDefault(holder, holder.ToString()) : "", row?.Epoch.Value ?? 0, [.. rule.Succession(name, snapshot?.Members ?? []).Select(m => m.Name)]);
        }

        static string Name<T>(T value)
            where T : struct, Enum => value.ToString().ToLowerInvariant();
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _participants = [.. services.GetServices<INodeParticipant>()];
        return Task.CompletedTask;
    }

    /// <summary>Not before everything else of the host has started: a node whose clients' port is taken must not join first.</summary>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        _lives = Task.Run(LiveAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <summary>Before anything else stops: clients are sent elsewhere, then everything is handed off while links and sockets still work.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _leaving = true;
        await StopServingAsync("The node stops.").ConfigureAwait(false);
        _life?.Leave();
        await _stopping.CancelAsync().ConfigureAwait(false);
        try { await _lives.WaitAsync(LeaveLimit, cancellationToken).ConfigureAwait(false); }
        catch (Exception late) when (late is TimeoutException or OperationCanceledException) { log.LeaveTooLong(LeaveLimit); }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_disposed) return;
        _disposed = true;
        _leaving = true; // Where the host is disposed without having been stopped, the end of this life must not begin another.
        await _stopping.CancelAsync().ConfigureAwait(false);
        if (_life is { } life) await life.DisposeAsync().ConfigureAwait(false);
        try { await _lives.WaitAsync(TimeSpan.FromSeconds(5)).ConfigureAwait(false); }
        catch (TimeoutException late) { log.CoreFailed(late); }
        if (_store is { } store) await store.DisposeAsync().ConfigureAwait(false);
        _lock?.Dispose();
        _end.Disarm();
        _asks.Dispose();
        _stopping.Dispose();
    }

    private async Task LiveAsync()
    {
        try
        {
            var cluster = await OpenAsync().ConfigureAwait(false);
            metrics.Read(() => (Mode, _life?.IsFailsafe ?? false, _life?.Entities.ActiveEntities ?? 0, _life?.Entities.Shards ?? 0, _life?.Entities.Journal.Waiting ?? 0, _life?.Entities.DurableTimers.Failing ?? 0, _life?.Regions.TellsDropped ?? 0, _life?.Latest.PoolDelay.TotalSeconds ?? 0, IsSick));
            while (!_leaving)
            {
                var end = await OneLifeAsync(cluster).ConfigureAwait(false);
                _lastEnd = end.Reason;
                log.LifeEnds(end.ExitCode, end.Reason);
                if (end.ExitCode == ExitCodes.Evicted && _options.OnDown == OnDown.Rejoin && !_leaving)
                {
                    _end.Disarm();
                    var wait = _backoff.Next(MonotonicClock.Now);
                    log.Rejoining(wait);
                    await Task.Delay(wait, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    if (_leaving) return;
                    cluster = (await RetryAsync(_store!.ReadClusterAsync).ConfigureAwait(false)).Cluster; // It may be another generation's.
                    SeenViews.Check(_options, cluster);
                    await GovernAsync().ConfigureAwait(false);
                    continue;
                }
                // Whoever was asked to stop and was evicted meanwhile is out, as asked: 75 or 76 would have it started again.
                if (!_leaving || end.ExitCode is not (ExitCodes.Left or ExitCodes.Evicted or ExitCodes.Frozen)) Exit(end.ExitCode);
                return;
            }
        }
        catch (ClusterStartException refused)
        {
            _lastEnd = refused.Message;
            log.StartRefused(refused.Message);
            Exit(refused.ExitCode);
        }
        catch (OperationCanceledException) when (_leaving)
        {
            // Stopped before it was up: there is nothing to hand off.
        }
        catch (Exception cause)
        {
            log.CoreFailed(cause);
            Exit(ExitCodes.Invariant);
        }
    }

    private void Exit(int code)
    {
        // The process of a test is not this node's.
        if (_faults is null)
        {
            Environment.ExitCode = code;
            _end.Arm(code);
        }
        host.StopApplication();
    }

    private async Task<ClusterRow> OpenAsync()
    {
        if (settings.Faults.Length > 0) throw new ClusterStartException(ExitCodes.Refused, settings.Faults);
        if (builder.Store is null)
            throw new ClusterStartException(ExitCodes.Refused, "No store is chosen: add .WithSqlite(\"data/cluster.db\") for nodes on one machine or .WithPostgres(\"Host=...\") for several (package ActorCluster.Sql) to AddActorCluster; all nodes share it.");
        _store = builder.Store(services, _options)
            ?? throw new ClusterStartException(ExitCodes.Refused, "Cluster:Store is empty; set Cluster:Store:Sqlite to the path of the SQLite file that all nodes of one machine share, or Cluster:Store:Postgres to the connection string of a database that all machines reach.");
        _lock = await TakeLockAsync().ConfigureAwait(false);
        ClusterRow cluster;
        var digest = ClusterDigest.Of(_options);
        try
        {
            cluster = await RetryAsync(() => _store.OpenAsync(new StoreSeed(digest, SharedSettings.Of(_options)), _stopping.Token)).ConfigureAwait(false);
        }
        catch (StoreUnusableException cause)
        {
            throw new ClusterStartException(ExitCodes.Refused, cause.Message, cause);
        }
        if (cluster.HashVersion != StableHash.Version)
            throw new ClusterStartException(ExitCodes.Refused, $"The cluster places entities by hash version {cluster.HashVersion}, this release by {StableHash.Version}; run the release that made the cluster.");
        if (cluster.SettingsVersion == 0)
            throw new ClusterStartException(ExitCodes.Refused, $"An earlier release made this cluster and left of its shared settings only a digest, {cluster.ConfigDigest}, which is {digest} here: start one node with the cluster's values of {string.Join(", ", SharedSettings.Keys)}, which writes them down.");
        SeenViews.Check(_options, cluster);
        await GovernAsync().ConfigureAwait(false);
        foreach (var type in builder.Types)
        {
            var count = await RetryAsync(async () =>
            {
                var registered = await _store.RegisterTypeAsync(type.Name, type.ShardCount, type.IsExclusive).ConfigureAwait(false);
                return registered.Verdict is not StoreVerdict.Conflict ? registered
                    : throw new ClusterStartException(ExitCodes.Refused,
                        $"Entity type {type.Name} {(type.IsExclusive ? "has external effects here and none in this cluster" : "has external effects in this cluster and none here")}; that is fixed for life: register it as it was, or give the type another name.");
            }).ConfigureAwait(false);
            if (count != type.ShardCount)
                throw new ClusterStartException(ExitCodes.Refused, $"Entity type {type.Name} has {count} shards in this cluster, {type.ShardCount} here; shard counts are fixed for life: register it with {count}.");
        }
        return cluster;
    }

    /// <summary>A disk without room is waited for, as a store is: it passes.</summary>
    private async Task<NodeLock> TakeLockAsync()
    {
        while (true)
        {
            string full;
            try { return NodeLock.Take(_options.Data, _options.Node.Name); }
            catch (IOException cause) when (DiskRoom.IsMissing(cause)) { full = cause.Message; }
            await WaitAsync($"Cluster:Data: {full}").ConfigureAwait(false);
        }
    }

    /// <summary>Takes the cluster's settings for its own, and says where they are others.</summary>
    private async Task GovernAsync()
    {
        var stored = await RetryAsync(_store!.ReadSettingsAsync).ConfigureAwait(false);
        var governed = SharedSettings.Apply(_options, stored.Values, out var unreadable);
        if (ResolverChoice.CannotObey(_options.Downing, governed.Downing.Strategy) is { } foreign) throw new ClusterStartException(ExitCodes.Refused, foreign);
        // Whom the cluster's nodes are is the cluster's matter; what this node's other times make impossible is not.
        if (unreadable.Concat(SharedSettings.Faults(governed, [])).Concat(governed.Node.FrozenMaxFault(governed.Times) is { } frozenMax ? [frozenMax] : []).ToList() is { Count: > 0 } faults)
            throw new ClusterStartException(ExitCodes.Refused, $"The cluster's settings (version {stored.Version}) cannot be obeyed here: {string.Join(' ', faults)} Give this node the release and the Cluster:Times that go with them, or see: actorcluster settings.");
        var differences = SharedSettings.Differences(_options, governed);
        foreach (var (key, here, there) in differences.Except(_governing.Differences)) log.SettingDiffers(key, here, there);
        _governing = new GoverningSettings(governed, stored.Version, differences);
        if (governed.Downing.Strategy is not ("static-quorum" or "keep-referee")) return;
        var known = (await RetryAsync(_store!.ReadClusterAsync).ConfigureAwait(false)).Members.Select(m => m.Name);
        foreach (var doubt in ResolverChoice.Doubts(governed.Downing, [.. known.Concat(_options.HostList).Append(_options.Node.Name).Distinct().Order(StringComparer.Ordinal)])) log.SettingDoubted(doubt);
    }

    private async Task<NodeEffect.Stop> OneLifeAsync(ClusterRow cluster)
    {
        var listeners = new List<LinkListener>();
        try
        {
            Bind(_options.Node.Link, nameof(NodeOptions.Link));
            if (_options.Node.ControlLink.Length > 0) Bind(_options.Node.ControlLink, nameof(NodeOptions.ControlLink));
            return await OneLifeAsync(cluster, [.. listeners]).ConfigureAwait(false);
        }
        finally
        {
            foreach (var listener in listeners) listener.Dispose(); // The life has done so already, if there was one.
        }

        void Bind(string address, string key)
        {
            try { listeners.Add(LinkListener.Bind(address, key)); }
            catch (LinkBindException cause) { throw new ClusterStartException(ExitCodes.Refused, cause.Message, cause); }
            if (!_options.AllowPlaintext && !IPAddress.IsLoopback(listeners[^1].Bound.Address))
                throw new ClusterStartException(ExitCodes.Refused, ClusterOptionsValidator.NeedsPlaintext(address, key));
        }
    }

    private async Task<NodeEffect.Stop> OneLifeAsync(ClusterRow cluster, ImmutableArray<LinkListener> listeners)
    {
        var inc = await RetryAsync(_store!.NextIncarnationAsync).ConfigureAwait(false);
        var rows = (await RetryAsync(() => _store.ReadPictureAsync(inc)).ConfigureAwait(false)).Rows;
        // What others dial: the port is the one that the system chose where it is 0.
        var address = string.Join(LinkPeer.Between, listeners.Zip([_options.Node.Link, _options.Node.ControlLink], (l, given) => $"{given[..given.LastIndexOf(':')]}:{l.Bound.Port}"));
        var draft = new MemberRow
        {
            Inc = inc,
            Name = _options.Node.Name,
            Host = Environment.MachineName,
            LinkAddress = address,
            ClientUrl = _options.Node.Clients,
            Roles = _options.Node.RoleList,
            Zone = _options.Node.Zone,
            Weight = _options.Node.Capacity,
            LockFile = _lock!.Proof,
        };
        log.NodeStarts(draft.Name, inc, _store.Description, address);
        var life = new NodeLife(new LifeSetup(draft, cluster, _governing.Options, _governing.Version, ResolverChoice.Make(_governing.Options.Downing), _store, [.. builder.Types], builder.Singletons, rows, listeners, [.. services.GetServices<IFanoutListener>()], services, log));
        metrics.Lives.Add(1);
        life.ViewChanged += snapshot => SeenViews.Note(_options, snapshot.Cluster);
        life.Ending += stop =>
        {
            if (_faults is null && stop.ExitCode != ExitCodes.Left) _end.Arm(stop.ExitCode); // Also of one that is to rejoin: it may be what hangs.
        };
        NodeEffect.Stop end;
        await using (life.ConfigureAwait(false))
        {
            foreach (var participant in _participants) participant.LifeStarted(life);
            _life = life;
            if (_leaving) life.Leave();
            end = await life.Ended.ConfigureAwait(false);
            // Sessions first: whoever is told to go elsewhere resumes there with what is unanswered here.
            // Again where the host stops: it may have asked before this life was there to be told, and a second time is nothing.
            await StopServingAsync(end.Reason).ConfigureAwait(false);
            _life = null;
        }
        // The next life would prove this one dead, and its shards' next owner would act beside what still runs here.
        return life.Entities.EffectsOutlive ? new NodeEffect.Stop(ExitCodes.Invariant, $"{end.Reason} An effect {NodeLife.EffectsOutlive}") : end;
    }

    private sealed record GoverningSettings(ClusterOptions Options, long Version, ImmutableArray<SettingDifference> Differences);

    private async Task StopServingAsync(string reason) =>
        await Task.WhenAll(_participants.Select(p => p.StopServingAsync(reason))).ConfigureAwait(false);

    private async Task<T> RetryAsync<T>(Func<ValueTask<StoreResult<T>>> call)
    {
        while (true)
        {
            var result = await call().ConfigureAwait(false);
            _startFault = result.Reason;
            if (result.IsOk)
            {
                _told.IsNews("Start", null, MonotonicClock.Now);
                return result.Value!;
            }
            await WaitAsync(result.Reason ?? $"the store answers {result.Verdict}").ConfigureAwait(false);
        }
    }

    /// <summary>Half a second of a start that waits for something; why is told when it is new, then each minute.</summary>
    private async Task WaitAsync(string reason)
    {
        _startFault = reason;
        if (_told.IsNews("Start", reason, MonotonicClock.Now)) log.StartWaits(reason);
        await Task.Delay(TimeSpan.FromMilliseconds(500), _stopping.Token).ConfigureAwait(false);
    }
}
