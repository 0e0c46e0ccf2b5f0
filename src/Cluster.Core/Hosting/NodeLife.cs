using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Downing;
using ActorCluster.Entities;
using ActorCluster.Links;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Placement;
using ActorCluster.Primitives;
using ActorCluster.Sharding;
using ActorCluster.Sharding.Wire;
using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Hosting;

/// <summary>One incarnation of this node: runs a <see cref="NodeCore"/> on a thread of its own and does what it asks for.</summary>
/// <remarks>Heartbeats and decisions never wait for the thread pool. What others may know of the life is published as immutable values.</remarks>
internal sealed partial class NodeLife : IOwnership, INodeLinks, ILinkHandler, IAsyncDisposable
{
    private static readonly TimeSpan TickEvery = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan ReviewFresh = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan RowsFresh = TimeSpan.FromSeconds(1.9);
    internal static readonly string EffectsOutlive = $"still runs {EntityHost.EffectsMustEnd.TotalSeconds:0} s after it was cancelled; dispose effects within their limit.";
    private static readonly TimeSpan DrainLimit = TimeSpan.FromSeconds(5);

    /// <summary>At most 35 bytes each: below the smallest limit of a frame.</summary>
    private const int RoutesPerFrame = 1000;

    private readonly NodeCore _core;
    private readonly LifeSetup _setup;
    private readonly LinkTransport _links;
    private readonly BlockingCollection<NodeInput> _inbox = new(new ConcurrentQueue<NodeInput>(), 100_000);
    private readonly TaskCompletionSource<NodeEffect.Stop> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task? _disposal;
    private readonly WitnessDriver _witnesses;
    private readonly Thread _thread;
    private readonly ILogger _log;
    private readonly NodeFaults? _faults;
    private volatile Published _published;
    private volatile bool _stopping;
    private volatile string? _storeFault;
    private readonly ToldReasons _told = new();
    private volatile string _exported = "";
    private int _routeWanted;
    private readonly ConcurrentQueue<EntityId> _wanted = new(); // Bounded by the outboxes: each asks at most once in its retry interval.
    private int _entitiesWanted;
    private bool _isSick;
    private bool _policyFailed;
    private long _viewShown = -1;
    private ImmutableArray<(long View, ulong Hash)> _recentViews = [];
    private ImmutableArray<Incarnation> _peers = [];
    private ImmutableArray<(Incarnation A, Incarnation B)> _alarmed = [];

    public NodeLife(LifeSetup setup)
    {
        (_setup, _log, _faults) = (setup, setup.Log, setup.Services.GetService<NodeFaults>());
        // Said with the join, so that whoever places shards gives this node none that it could not start.
        var draft = setup.Draft with { Types = [.. setup.Types.Select(t => t.Name).Concat(setup.Types.Where(t => t.OnCrashEvidence).Select(t => t.Name + MemberRow.OnCrashEvidence)).Order(StringComparer.Ordinal)] };
        _core = new NodeCore(draft, setup.Options.Times, setup.Resolver, Guid.NewGuid, new TypeRules([.. setup.Types.Where(t => t.IsExclusive).Select(t => t.Name)], setup.Singletons) { Placed = [.. setup.Types.Where(t => t.IsPlaced).Select(t => t.Name)], OnCrashEvidence = [.. setup.Types.Where(t => t.OnCrashEvidence).Select(t => t.Name)] }, ResolverChoice.WitnessesOf(setup.Options),
            new Retention { Logs = setup.Options.Retention.Logs, DownMembers = setup.Options.Retention.DownMembers }, setup.SettingsVersion, failsafe: new FailsafeRules(setup.Options.Downing.Failsafe), frozen: new FrozenRules(setup.Options.Node.FrozenMax));
        _published = new Published(NodeMode.Joining, TimeSpan.Zero, true, TimeSpan.Zero, TimeSpan.Zero, false, null, [], [], [], [], [], [], [], ImmutableSortedDictionary<Incarnation, Incarnation>.Empty);
        Entities = new EntityHost(this, setup.Store, setup.Services, new EntityLimits(setup.Options.Limits.Mailbox, setup.Options.Limits.PassivateAfter, setup.Options.Times.EffectLimit, setup.Options.Retention.JournalLimits), setup.Log, _faults?.Gate);
        Regions = new RegionDriver(setup.Draft.Inc, setup.Types, setup.Rows, Entities, this, setup.FanoutListeners);
        Entities.Fanout = Regions;
        _links = new LinkTransport(
            setup.Listeners,
            new LinkIdentity(setup.Cluster.Uuid, setup.Cluster.StoreGeneration, setup.Draft.Inc, setup.Draft.Name, setup.Draft.ProtoMin, setup.Draft.ProtoMax),
            new LinkOptions { Secrets = setup.Options.Secrets, AllowPlaintext = setup.Options.AllowPlaintext, FrameBytesMax = setup.Options.Limits.FrameBytes },
            this,
            setup.Log,
            _faults?.Links);
        _witnesses = new WitnessDriver(setup.Store, setup.Options.Times.WitnessTimeout);
        _thread = new Thread(Run) { IsBackground = true, Name = $"cluster-control {setup.Draft.Inc}", Priority = ThreadPriority.AboveNormal };
        _thread.Start();
    }

    public RegionDriver Regions { get; }

    public EntityHost Entities { get; }

    public Incarnation Self => _setup.Draft.Inc;

    /// <summary>How and why the life ended.</summary>
    public Task<NodeEffect.Stop> Ended => _ended.Task;

    /// <summary>Raised once, by whoever ends this life, before anybody waits for it: also where the pool runs nothing any more.</summary>
    public event Action<NodeEffect.Stop>? Ending;

    /// <summary>Why the store did not answer the last control call that ended, or what it has forgotten; null while it answers and remembers.</summary>
    public string? StoreFault => _published.StoreRegressed is { } lost ? lost + _exported : _storeFault;

    /// <summary>What the program's own policy threw instead of deciding; null while it never did.</summary>
    public string? PolicyFault => _setup.Resolver is OwnPolicy { Fault: { } fault } policy ? $"{policy.Name}: {fault.GetType().Name}: {fault.Message}" : null;

    /// <summary>The latest state, for status pages and gateways.</summary>
    public Published Latest => _published;

    public NodeMode Mode
    {
        get
        {
            var latest = _published;
            return latest.Mode is NodeMode.Serving or NodeMode.Degraded && MonotonicClock.Now >= latest.Deadline ? NodeMode.Frozen : latest.Mode;
        }
    }

    public bool IsLive(Incarnation inc) => _published.Snapshot?.Find(inc) is { IsLive: true };

    public bool MayReadUnmarked
    {
        get
        {
            var latest = _published;
            var now = MonotonicClock.Now;
            if (now < latest.AssentedUntil && now - latest.At < ReviewFresh) return true;
            // A node that wakes from a pause finds its last review whole; only rows that are young enough bound how old its memory may be.
            return latest.IsWhole && now - latest.At < ReviewFresh && now - latest.RowsAt < RowsFresh && Mode is NodeMode.Serving or NodeMode.Degraded;
        }
    }

    public bool MayAct(TimeSpan limit)
    {
        var latest = _published;
        var now = MonotonicClock.Now;
        // A node that wakes has not looked at its clocks and links since it slept: the review comes first.
        return latest is { IsTrusted: true, Mode: NodeMode.Serving or NodeMode.Degraded } && now - latest.At < ReviewFresh && Lease.Covers(latest.Deadline, now, limit, _setup.Options.Times);
    }

    public bool MayActByAssent(TimeSpan limit)
    {
        var latest = _published;
        var now = MonotonicClock.Now;
        return latest.AssentedUntil is { } until && now - latest.At < ReviewFresh && Lease.Covers(until, now, limit, _setup.Options.Times);
    }

    /// <summary>Reads and some effects go on although the lease has run out, by the word of all members.</summary>
    public bool IsFailsafe => Mode is NodeMode.Frozen && MonotonicClock.Now < _published.AssentedUntil;

    /// <summary>Raised on the control thread with each newer member list.</summary>
    public event Action<ClusterSnapshot>? ViewChanged;

    /// <summary>Somebody has changed shard rows beside the core: everybody reads them.</summary>
    public void RowsChanged()
    {
        Tell(new NodeInput.Hinted());
        Broadcast(FrameType.Hint, null);
    }

    public void Leave() => Tell(new NodeInput.Leave());

    public void Fenced(ShardNo shard, Epoch epoch) => Tell(new NodeInput.Fenced(shard, epoch));

    /// <summary>A store that has forgotten a batch freezes the node until an operator has decided; anything else ends the life.</summary>
    public void Broken(int exitCode, string reason)
    {
        if (exitCode == ExitCodes.StoreMismatch && _published.Mode is not NodeMode.Joining) Tell(new NodeInput.Regressed(reason));
        else End(new NodeEffect.Stop(exitCode, reason));
    }

    /// <summary>A frame less the addresses and numbers around a message.</summary>
    public int PayloadBytesMax => _setup.Options.Limits.FrameBytes - (4 * 1024);

    public bool Send(Incarnation peer, FrameType type, IMessage message, LinkFlush flush)
    {
        var size = message.CalculateSize();
        if (size >= _setup.Options.Limits.FrameBytes) return false; // Only a push may be so large: what is missing is read from the journal.
        var bytes = System.Buffers.ArrayPool<byte>.Shared.Rent(size);
        try
        {
            message.WriteTo(bytes.AsSpan(0, size));
            return Send(peer, type, bytes.AsSpan(0, size), flush);
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    public bool Send(Incarnation peer, FrameType type, ReadOnlySpan<byte> frame, LinkFlush flush) =>
        SendTo(peer, LinkChannel.Data, type, frame, flush);

    public void RouteWanted()
    {
        if (Interlocked.Exchange(ref _routeWanted, 1) == 0) Tell(new NodeInput.RouteWanted());
    }

    /// <summary>Gathered, so that many that are wanted at once are looked up together.</summary>
    public void EntityWanted(EntityId entity)
    {
        _wanted.Enqueue(entity);
        if (Interlocked.Exchange(ref _entitiesWanted, 1) == 0) Tell(new NodeInput.EntitiesWanted([]));
    }

    public void EntityEnded(ShardNo shard, Epoch epoch) => Tell(new NodeInput.EntityEnded(shard, epoch));

    /// <summary>By whoever lives the life and by a host that goes without having been stopped, at the same time: it ends once.</summary>
    public ValueTask DisposeAsync()
    {
        lock (_ended) return new ValueTask(_disposal ??= EndAsync());
    }

    private void End(NodeEffect.Stop stop)
    {
        if (_ended.TrySetResult(stop)) Ending?.Invoke(stop);
    }

    private async Task EndAsync()
    {
        _stopping = true;
        End(new NodeEffect.Stop(ExitCodes.Left, "The host stopped the node."));
        _published = _published with { Mode = NodeMode.Fenced };
        await Task.Run(_thread.Join).ConfigureAwait(false);
        Regions.Close();
        await Entities.DisposeAsync().ConfigureAwait(false);
        await _links.DisposeAsync().ConfigureAwait(false);
        _witnesses.Dispose();
        _inbox.Dispose();
    }

    private void Tell(NodeInput input)
    {
        if (_stopping) return;
        try { _inbox.TryAdd(input); }
        catch (Exception cause) when (cause is ObjectDisposedException or InvalidOperationException) { _log.InputAfterEnd(input.GetType().Name); }
    }

    private void Run()
    {
        try
        {
            var next = MonotonicClock.Now;
            while (!_stopping && !_ended.Task.IsCompleted)
            {
                _faults?.Gate.Wait();
                var wait = next - MonotonicClock.Now;
                // A tick that is due goes first: many peers' beats do not hold decisions up.
                NodeInput? input = null;
                if (wait > TimeSpan.Zero) _inbox.TryTake(out input, wait);
                var now = MonotonicClock.Now;
                input ??= new NodeInput.Tick(DateTime.UtcNow - DateTime.UnixEpoch - now);
                if (input is NodeInput.Tick)
                {
                    next = now + TickEvery;
                    Interlocked.Exchange(ref _routeWanted, 0);
                    Interlocked.Exchange(ref _entitiesWanted, 0);
                    if (!_wanted.IsEmpty) _inbox.TryAdd(new NodeInput.EntitiesWanted([])); // Should a full inbox have lost the word.
                    Regions.Tick();
                }
                if (input is NodeInput.EntitiesWanted) input = TakeWanted();
                var effects = _core.Handle(input, now);
                Publish(now);
                foreach (var effect in effects) Perform(effect);
            }
        }
        catch (Exception cause)
        {
            // A core that throws has met a state that cannot be: nothing it says may be trusted any more.
            _log.CoreFailed(cause);
            End(new NodeEffect.Stop(ExitCodes.Invariant, $"The node's core failed: {cause.Message}"));
        }
    }

    private NodeInput.EntitiesWanted TakeWanted()
    {
        Interlocked.Exchange(ref _entitiesWanted, 0); // First: what comes from now on is told of anew.
        var entities = ImmutableArray.CreateBuilder<EntityId>();
        while (_wanted.TryDequeue(out var entity)) entities.Add(entity);
        return new NodeInput.EntitiesWanted(entities.DrainToImmutable());
    }

    private void Publish(TimeSpan now)
    {
        var membership = _core.Membership;
        var before = _published;
        var mode = membership.Mode(now);
        var newView = membership.View != _viewShown && membership.Snapshot is not null;
        var whole = membership.Missing.IsEmpty && membership.AnnouncedView <= membership.View && membership.MayTrustRows(_core.Ownership.RowsAskedAt);
        _published = new Published(
            mode, membership.Lease.Deadline, membership.Lease.IsTrusted, now, _core.Ownership.RowsAskedAt, whole, membership.Snapshot, membership.JoinBlockedBy, membership.Missing,
            before.Decisions, _core.Ownership.Rows, membership.Fit(now), membership.Witnesses.States(now), membership.BrokenEdges, membership.Relays, membership.StoreRegressed,
            membership.AssentedUntil(now), membership.AssentsMissing(now))
        {
            Sick = membership.Sick,
            PoolDelay = membership.Pool.Delay(now),
        };
        if (membership.Pool.IsSick && !_isSick) _log.IsSick(_published.PoolDelay);
        if (!membership.Pool.IsSick && _isSick) _log.IsWell();
        _isSick = membership.Pool.IsSick;
        if (!_policyFailed && _setup.Resolver is OwnPolicy { Fault: { } fault } policy)
        {
            _policyFailed = true;
            _log.PolicyFailed(policy.Name, fault);
        }
        var (was, isNow) = (before.AssentedUntil is not null, _published.AssentedUntil is not null);
        if (was != isNow) SayAssents(isNow, mode);
        if (membership.StoreRegressed is { } lost && before.StoreRegressed is null)
        {
            _log.StoreRegressed(lost);
            _ = Task.Run(ExportAcked); // Beats go on meanwhile.
        }
        foreach (var witness in _published.Witnesses.Where(w => w.AskedAt is not null))
        {
            if (before.Witnesses.FirstOrDefault(w => w.Witness == witness.Witness) is { AskedAt: not null } last && last.IsFresh == witness.IsFresh) continue;
            _log.WitnessChanged(witness.Witness, witness.IsFresh ? "seen" : "not seen", witness.Answer);
        }
        AlarmOfBrokenEdges(now);
        if (mode != before.Mode)
        {
            _log.ModeChanged(before.Mode, mode);
            if (mode is NodeMode.Frozen) Entities.DropSpeculation();
        }
        if (newView) ShowView(membership.Snapshot!);
    }

    private void SayAssents(bool isNow, NodeMode mode)
    {
        if (isNow) _log.FailsafeBegins();
        else _log.FailsafeEnds(mode, string.Join(", ", _published.AssentsMissing));
    }

    /// <summary>What was acknowledged last may be what the store has forgotten, and is nowhere else.</summary>
    private void ExportAcked()
    {
        var batches = Entities.Journal.LatestAcked();
        if (batches.IsEmpty) return;
        try
        {
            var file = AckedExport.Write(Path.Combine(_setup.Options.Data, "nodes", _setup.Options.Node.Name), _setup.Cluster, _setup.Options.Node.Name, Self, DateTimeOffset.UtcNow, batches);
            _exported = $" What this node had acknowledged in the {AckedBatches.Kept.TotalSeconds:0} s before is in {file}.";
            _log.AckedExported(batches.Sum(b => b.Rows.Length), file);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            _log.AckedNotExported(cause);
        }
    }

    /// <summary>Not at once: while silence spreads, some have noticed and others have not.</summary>
    private void AlarmOfBrokenEdges(TimeSpan now)
    {
        var lasting = _published.BrokenEdges.Where(e => now - e.Since >= _setup.Options.Times.RowFresh).Select(e => (e.A, e.B)).ToImmutableArray();
        foreach (var (a, b) in lasting.Except(_alarmed)) _log.EdgeBroken(a, b);
        foreach (var (a, b) in _alarmed.Except(lasting)) _log.EdgeMended(a, b);
        _alarmed = lasting;
    }

    private void ShowView(ClusterSnapshot snapshot)
    {
        _viewShown = snapshot.Cluster.View;
        var live = snapshot.Members.Where(m => m.IsLive).ToList();
        _log.ViewChanged(_viewShown, string.Join(", ", live));
        var hash = StableHash.Of("view", string.Join(',', live.Select(m => string.Create(CultureInfo.InvariantCulture, $"{m.Inc.Value}:{(int)m.Status}"))));
        _recentViews = [.. _recentViews.TakeLast(15), (_viewShown, hash)];
        var peers = live.Where(m => m.Inc != Self).ToList();
        var gone = _peers.Except(peers.Select(p => p.Inc)).ToList();
        _peers = [.. peers.Select(p => p.Inc)];
        foreach (var peer in gone) SendControl(peer, LinkChannel.Control, FrameType.YouAreDown, null); // It may not reach the store, and its links end now.
        // The links first: a frame that came after a peer was forgotten would begin its streams anew.
        if (snapshot.Find(Self) is { IsLive: true }) _links.SetPeers([.. peers.Select(p => new LinkPeer(p.Inc, p.Name, p.LinkAddress))]);
        foreach (var peer in gone)
        {
            Regions.LinkLost(peer);
            Regions.Forget(peer);
        }
        ViewChanged?.Invoke(snapshot);
    }

    private void Perform(NodeEffect effect)
    {
        switch (effect)
        {
            case NodeEffect.Call(var call):
                if (call is ControlCall.ChangeView(var change)) _log.AsksForView(change.Reason);
                _ = CallAsync(call);
                break;
            case NodeEffect.Beat(var to, var channel, var beat):
                SendControl(to, channel, FrameType.Beat, ToWire(beat, channel, isOwnConnection: _links.IsUp(to, channel)));
                break;
            case NodeEffect.Relay(var to, var via):
                ChangeWay(to, via);
                break;
            case NodeEffect.Hint:
                Broadcast(FrameType.Hint, null);
                break;
            case NodeEffect.ProbeLink(var peer):
                _ = ProbeLinkAsync(peer);
                break;
            case NodeEffect.AskPool(var no):
                ThreadPool.UnsafeQueueUserWorkItem(_ => Tell(new NodeInput.PoolRan(no)), null);
                break;
            case NodeEffect.AskWitness(var witness):
                _ = AskWitnessAsync(witness);
                break;
            case NodeEffect.ProbeLock(var peer):
                ThreadPool.UnsafeQueueUserWorkItem(_ => ProbeLock(peer), null);
                break;
            case NodeEffect.ProbeSession(var peer):
                _ = ProbeSessionAsync(peer);
                break;
            case NodeEffect.Decided(var what):
                _log.Decided(what);
                _published = _published with { Decisions = [.. _published.Decisions.TakeLast(19), what] };
                break;
            case NodeEffect.Stop stop:
                End(stop);
                break;
            case ShardEffect.Start(var shards):
                Regions.Start(shards);
                _log.ShardsStarted(shards.Length, Self);
                break;
            case ShardEffect.Drain(var shards):
                Regions.Drain(shards, DrainLimit, (shard, epoch) => Tell(new NodeInput.Drained(shard, epoch)));
                break;
            case ShardEffect.Reopen(var shards):
                Regions.Reopen(shards);
                break;
            case ShardEffect.Stop(var shards):
                _ = StopAsync(shards);
                _log.ShardsStopped(shards.Length, Self);
                break;
            case ShardEffect.Routes(var known):
                Regions.Learn(known);
                break;
            case ShardEffect.Found(var rows):
                Regions.Found(rows);
                break;
            case ShardEffect.AskRelease(var to, var shards):
                _log.AsksForRelease(shards.Length, to);
                foreach (var wire in ToWire(shards)) SendControl(to, LinkChannel.Control, FrameType.AskRelease, wire);
                break;
            case ShardEffect.Announce(var moved):
                foreach (var wire in ToWire(moved)) Broadcast(FrameType.ShardsMoved, wire);
                break;
            default:
                throw new InvalidOperationException($"No driver for {effect}.");
        }
    }

    /// <summary>Whoever takes an exclusive shard over waits for the word that nothing of it runs here.</summary>
    private async Task StopAsync(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards)
    {
        var ended = Regions.Stop(shards);
        if (ended.IsCompleted || await Task.WhenAny(ended, Task.Delay(EntityHost.EffectsMustEnd)).ConfigureAwait(false) == ended) Tell(new NodeInput.Stopped(shards));
        else Broken(ExitCodes.Invariant, $"An effect of shards {string.Join(", ", shards.Take(5).Select(s => s.Shard))} {EffectsOutlive}");
    }

    private async Task CallAsync(ControlCall call)
    {
        ControlAnswer answer;
        try { answer = await call.RunAsync(_setup.Store).ConfigureAwait(false); }
        catch (Exception cause)
        {
            // A store must not throw; if it does, nothing is known of the call, and a core that waits for its answer must get one.
            answer = new ControlAnswer(call, StoreVerdict.InDoubt, null, $"{cause.GetType().Name}: {cause.Message}");
        }
        _storeFault = answer.Verdict is StoreVerdict.NotSent or StoreVerdict.InDoubt ? answer.Reason ?? "it does not answer" : null;
        if (_told.IsNews(call.GetType().Name, answer.IsOk ? null : $"{answer.Verdict}: {answer.Reason}", MonotonicClock.Now)) _log.StoreCallEnded(call.GetType().Name, answer.Verdict, answer.Reason);
        Tell(new NodeInput.Answered(answer));
    }

    private async Task AskWitnessAsync(Witness witness)
    {
        var (ok, answer) = await _witnesses.AskAsync(witness).ConfigureAwait(false);
        Tell(new NodeInput.WitnessAnswered(witness, ok, answer));
    }

    private async Task ProbeLinkAsync(MemberRow peer)
    {
        try
        {
            var outcome = await _links.ProbeAsync(new LinkPeer(peer.Inc, peer.Name, peer.LinkAddress), TimeSpan.FromSeconds(1), CancellationToken.None).ConfigureAwait(false);
            var gone = outcome is ProbeOutcome.Refused or ProbeOutcome.ClosedBeforeHello or ProbeOutcome.OtherIncarnation;
            if (gone) _log.LinkGone(peer.Inc);
            Tell(new NodeInput.LinkProbed(peer.Inc, gone));
        }
        catch (ObjectDisposedException)
        {
            // The life ended while the probe was under way; nobody asks for its answer.
        }
        catch (Exception cause)
        {
            _log.ProbeFailed(peer.Inc, cause.Message); // Asked again while the peer is missing.
        }
    }

    private void ProbeLock(MemberRow peer)
    {
        var free = NodeLock.IsFree(peer.LockFile!);
        if (free) _log.LockFree(peer.Inc);
        Tell(new NodeInput.LockProbed(peer.Inc, free));
    }

    private async Task ProbeSessionAsync(MemberRow peer)
    {
        var gone = false;
        try
        {
            gone = await _setup.Store.IsSessionGoneAsync(peer.Inc).ConfigureAwait(false) is { IsOk: true, Value: true };
        }
        catch (Exception cause)
        {
            _log.ProbeFailed(peer.Inc, cause.Message);
        }
        if (gone) _log.SessionGone(peer.Inc);
        Tell(new NodeInput.SessionProbed(peer.Inc, gone));
    }

    private void Broadcast(FrameType type, IMessage? message)
    {
        var bytes = message is null ? [] : message.ToByteArray();
        foreach (var peer in _peers) SendTo(peer, LinkChannel.Control, type, bytes, LinkFlush.Now);
    }

    private void SendControl(Incarnation to, LinkChannel channel, FrameType type, IMessage? message)
    {
        var bytes = message is null ? [] : message.ToByteArray();
        _links.Send(to, channel, (byte)type, bytes);
    }

    /// <summary>A node that takes over everything may have 65,536 shards of each type to tell of.</summary>
    internal static IEnumerable<ShardsMoved> ToWire(ImmutableArray<ShardRoute> moved)
    {
        foreach (var some in moved.Chunk(RoutesPerFrame))
        {
            var wire = new ShardsMoved();
            foreach (var route in some) wire.Routes.Add(new ShardsMoved.Types.Route { Shard = route.Shard.Value, Epoch = route.Epoch.Value, Owner = route.Owner.Value });
            yield return wire;
        }
    }

    /// <summary>What everybody may know of a life at one moment.</summary>
    internal sealed record Published(
        NodeMode Mode, TimeSpan Deadline, bool IsTrusted, TimeSpan At, TimeSpan RowsAt, bool IsWhole, ClusterSnapshot? Snapshot, ImmutableArray<string> JoinBlockedBy,
        ImmutableArray<Incarnation> Missing, ImmutableArray<string> Decisions, ImmutableArray<ShardRow> Rows, ImmutableArray<Incarnation> Fit, ImmutableArray<WitnessState> Witnesses,
        ImmutableArray<BrokenEdge> BrokenEdges, ImmutableSortedDictionary<Incarnation, Incarnation> Relays, string? StoreRegressed = null, TimeSpan? AssentedUntil = null, ImmutableArray<Incarnation> LacksAssentOf = default)
    {
        /// <summary>Members whose word is missing while this node asks for it.</summary>
        public ImmutableArray<Incarnation> AssentsMissing => LacksAssentOf.IsDefault ? [] : LacksAssentOf;

        /// <summary>Members that say that they are sick.</summary>
        public ImmutableSortedSet<Incarnation> Sick { get; init; } = [];

        /// <summary>How far the own thread pool is behind.</summary>
        public TimeSpan PoolDelay { get; init; }
    }
}
