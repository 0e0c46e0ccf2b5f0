using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Downing;
using ActorCluster.Links;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>Names the new targets of the shards that a view change frees.</summary>
/// <param name="after">The members as they will be.</param>
/// <param name="losing">Whose shards are freed.</param>
internal delegate ImmutableArray<ShardTarget> TargetPlanner(ImmutableArray<MemberRow> after, ImmutableSortedSet<Incarnation> losing);

/// <summary>One incarnation's way through the member table: join, lease, views, the split-brain decision, leave (protocol 1 to 4).</summary>
/// <remarks>Not thread-safe. <c>now</c> is monotonic. Every view change is a compare-and-set on the view that it was decided on, so that
/// a decision from an old picture fails in the store.</remarks>
internal sealed partial class Membership(MemberRow draft, ProtocolTimes times, SplitBrainResolver resolver, TargetPlanner plan, WitnessBoard witnesses, Func<Guid> newId, long settingsVersion = 0)
{
    private readonly FailureDetector _detector = new(draft.Inc, times);
    private readonly LeaseWatch _leases = new(times);
    private Watch? _watch;
    private readonly DowningDecision _downing = new(resolver, times);
    private readonly IndirectDecision _indirect = new(resolver, times);
    private readonly RelayRoutes _relays = new();
    private readonly ClockDoubt _clocks = new();
    private readonly SortedDictionary<Incarnation, int> _channels = [];
    private readonly SortedDictionary<Incarnation, PeerState> _peers = [];

    private TimeSpan _started;
    private TimeSpan _lastTick;
    private TimeSpan _lastLateTick;
    private TimeSpan _nextBeat;
    private long _beatSeq;
    private TimeSpan _nextRead;
    private bool _reading;
    private bool _readAgain;
    private TimeSpan _readAsked;
    private long _announcedBefore;
    private ViewChange? _pending;
    private bool _pendingInDoubt;
    private bool _pendingMayLand;
    private bool _pendingCallUnderWay;
    private TimeSpan _lastStoreOk;
    private bool _storeFailed;
    private bool _leaveWanted;
    private TimeSpan _leaveSince;
    private bool _stopped;
    private Incarnation? _toldDownBy;
    private TimeSpan _toldDownAt;
    private TimeSpan _nextLateProbe;
    private readonly SortedSet<Incarnation> _provedLate = [];

    /// <summary>The newest member list read.</summary>
    public ClusterSnapshot? Snapshot { get; private set; }

    /// <summary>Raised with each newer <see cref="Snapshot"/>.</summary>
    public long View => Snapshot?.Cluster.View ?? 0;

    /// <summary>The newest view that anybody announced; above <see cref="View"/> means that news is under way.</summary>
    public long AnnouncedView { get; private set; }

    public Incarnation Self => draft.Inc;

    /// <summary>Own row of the newest snapshot, the draft before the first.</summary>
    public MemberRow SelfRow => Snapshot?.Find(Self) ?? draft;

    /// <summary>How many individually placed entities this node serves; told in its beats, for placement by load.</summary>
    public long OwnPlaced { get; set; }

    /// <summary>Told in the beats: no shard is to be given to this node.</summary>
    public bool TakesNothing { get; set; }

    /// <summary>Who shares the individually placed entities of members that are lost: (members after the change, the lost).</summary>
    public Func<ImmutableArray<MemberRow>, ImmutableSortedSet<Incarnation>, Membership, ImmutableArray<Incarnation>> Heirs { get; init; } = static (_, _, _) => [];

    /// <summary>How many individually placed entities a member serves, as far as it has told.</summary>
    public long PlacedAt(Incarnation inc) => inc == Self ? OwnPlaced : _detector.LastBeat(inc)?.Placed ?? 0;

    public Lease Lease { get; } = new(times);

    /// <summary>Why this node is not up yet, one line per member it waits for.</summary>
    public ImmutableArray<string> JoinBlockedBy { get; private set; } = [];

    /// <summary>Members up or leaving that cannot be reached, directly or through others.</summary>
    public ImmutableArray<Incarnation> Missing => _downing.Missing;

    /// <summary>Members of this node's component that do not reach each other.</summary>
    public ImmutableArray<BrokenEdge> BrokenEdges => _indirect.Broken;

    /// <summary>Members that this node reaches through another one, with that one.</summary>
    public ImmutableSortedDictionary<Incarnation, Incarnation> Relays => _relays.Current;

    /// <summary>
    /// What the store has forgotten: it shows less than it did, so nothing that it says is trusted and nothing is written. Only a recovery ends it, and with it this
    /// incarnation (protocol 4.6). Null while the store remembers.
    /// </summary>
    public string? StoreRegressed { get; private set; }

    public FailureDetector Detector => _detector;

    /// <summary>How many members are watched, and how many there may be.</summary>
    public WatchRules Rules { get; init; } = new();

    public Watch Watch => _watch ??= new Watch(Self, _detector, Rules);

    public WitnessBoard Witnesses => witnesses;

    public bool StoreOk(TimeSpan now) => !_storeFailed && _lastStoreOk != default && now - _lastStoreOk <= times.Renew + times.CallTimeout;

    public NodeMode Mode(TimeSpan now)
    {
        if (_stopped || !SelfRow.IsLive) return NodeMode.Fenced;
        if (SelfRow.Status == MemberStatus.Joining) return NodeMode.Joining;
        if (StoreRegressed is not null) return NodeMode.Frozen;
        if (Lease.IsFrozen(now)) return NodeMode.Frozen;
        return _storeFailed ? NodeMode.Degraded : NodeMode.Serving;
    }

    /// <summary>The gate of effects outside the store (protocol 4.5).</summary>
    public bool MayAct(TimeSpan limit, TimeSpan now) =>
        Mode(now) is NodeMode.Serving or NodeMode.Degraded && Lease.IsTrusted && Lease.Covers(Lease.Deadline, now, limit, times);

    /// <summary>How far the wall clock is ahead of the monotonic one. A step is an operator's, or the end of a machine's standstill, which no clock of its own shows (protocol 4.2).</summary>
    public void NoteWallClock(TimeSpan ahead, TimeSpan now)
    {
        if (_clocks.Wall(ahead, now)) Lease.Doubt(now);
    }

    /// <summary>Rows that were read since that time bound how old this node's memory may be: no sign since that the clock stood still, and none that is not settled (protocol 4.2, 4.4).</summary>
    public bool MayTrustRows(TimeSpan asked) => Lease.IsTrusted && asked > Lease.DoubtedAt;

    /// <summary>Members that this node is connected to and that may execute decisions, oldest first; whoever stands first sweeps and rebalances.</summary>
    public bool IsCoordinator(TimeSpan now)
    {
        if (Snapshot is not { } snapshot || SelfRow.Status != MemberStatus.Up || !StoreOk(now) || StoreRegressed is not null) return false;
        foreach (var member in snapshot.Members.Where(m => m.Status == MemberStatus.Up).OrderBy(m => (m.UpView, m.Inc)))
        {
            if (member.Inc == Self) return true;
            if (_detector.IsWell(member.Inc, now)) return false;
        }
        return false;
    }

    /// <summary>Asks for an orderly stop: hand everything off, then go down as left.</summary>
    public void Leave(TimeSpan now)
    {
        if (_leaveWanted) return;
        _leaveWanted = true;
        _leaveSince = now;
    }

    /// <summary>Whether shards may be given to that member: its lease moves, and it does not say that it is frozen or takes nothing (protocol 4.3, 5.1).</summary>
    public bool MayBeGivenShards(Incarnation inc, TimeSpan now) =>
        inc == Self || (!IsStale(inc, now) && _detector.LastBeat(inc) is not ({ Mode: NodeMode.Frozen } or { TakesNothing: true }));

    /// <summary>Who can commit this node's releases, when it cannot (protocol 4.3): the oldest member that is heard and reaches the store. Null while this node reaches it, or may soon.</summary>
    /// <remarks>A store that is away for all is known to all by the time for which a member that has heard nothing bad of it yet calls it reached, and one that comes back is found by all within that
    /// time: so nobody gives up its shards to others that have lost the store too, or have only found it sooner.</remarks>
    public Incarnation? Helper(TimeSpan now)
    {
        var known = times.Renew + times.CallTimeout;
        if (!_storeFailed || Lease.Failures < 2 || now - _lastStoreOk < known + (2 * times.Heartbeat) || StoreRegressed is not null || Snapshot is not { } snapshot) return null;
        return snapshot.Members.Where(m => m.Status == MemberStatus.Up && m.Inc != Self && _detector.IsUp(m.Inc) && _detector.StoreOk(m.Inc, now, known)).MinBy(m => (m.UpView, m.Inc))?.Inc;
    }

    /// <summary>Members that are up, heard, not sick, and reach the store, as far as this node knows.</summary>
    public ImmutableArray<Incarnation> Fit(TimeSpan now) =>
        [.. (Snapshot?.Members ?? []).Where(m => m.Status == MemberStatus.Up && MayBeGivenShards(m.Inc, now) && !SaysSick(m.Inc) && (m.Inc == Self ? StoreOk(now) : _detector.IsWell(m.Inc, now))).Select(m => m.Inc)];

    /// <summary>Those of the given members whose lease this node watched for the whole TTL, as it last saw them.</summary>
    public ImmutableArray<LeaseSeen> StaleAmong(IEnumerable<Incarnation> members, TimeSpan now) =>
        [.. members.Distinct().Where(m => IsStale(m, now)).Order().Select(m => new LeaseSeen(m, _leases.LeaseSeq(m)))];

    /// <param name="now">Monotonic.</param>
    /// <param name="ownsNothing">Nothing is served here.</param>
    /// <param name="awaited">Members that some exclusive shard still waits for.</param>
    /// <param name="effects">What is to be done.</param>
    public void Tick(TimeSpan now, bool ownsNothing, IReadOnlySet<Incarnation> awaited, List<NodeEffect> effects)
    {
        if (_stopped) return;
        NoteOwnPace(now);
        if (_toldDownBy is not null && now - _toldDownAt >= 2 * times.CallTimeout)
        {
            StopAsTold(effects); // A store whose answers come as late as that, to a pool that hangs for instance, says nothing.
            return;
        }
        EndIfFrozenForLong(now, effects);
        if (_stopped) return;
        _detector.Review(now);
        Pool.Tick(now, effects);
        Watch.Review(_storeFailed || StoreRegressed is not null || Pool.IsSick, now);
        Beat(now, effects);
        ChooseRelays(now, effects);
        if (StoreRegressed is not null)
        {
            Read(now, effects); // A recovery shows in the generation.
            if (_leaveWanted) Stop(ExitCodes.Left, "Left a store that has lost commits: nothing was handed off.", effects);
            return;
        }
        Renew(now, effects);
        Read(now, effects);
        ProbeTheLost(now, effects);
        ProbeTheAwaited(awaited, now, effects);
        foreach (var witness in witnesses.Due(now)) effects.Add(new NodeEffect.AskWitness(witness));
        if (_leaveWanted) EndLeaving(now, effects);
        if (_stopped) return;
        if (_pending is not null) DrivePending(effects);
        else if (Snapshot is not null) Decide(now, ownsNothing, effects);
    }

    public void Heard(Heartbeat beat, LinkChannel channel, TimeSpan now, List<NodeEffect> effects)
    {
        _detector.Heard(beat, channel, now);
        NoteAssent(beat, now);
        if (beat.Clock > TimeSpan.Zero && _peers.ContainsKey(beat.From) && _clocks.Peer(beat.From, beat.Clock, now)) Lease.Doubt(now);
        if (beat.View > AnnouncedView) AnnouncedView = beat.View;
        if (beat.View > View) ReadNow(now, effects);
    }

    /// <summary>A younger peer may be linked before its row is read here; its links count from then on.</summary>
    public void ChannelUp(Incarnation peer, LinkChannel channel)
    {
        _channels[peer] = _channels.GetValueOrDefault(peer) | (1 << (int)channel);
        if (_peers.TryGetValue(peer, out var state)) state.SecretDiffers = false;
    }

    public void ChannelLost(Incarnation peer, LinkChannel channel, TimeSpan now, List<NodeEffect> effects)
    {
        var left = _channels.GetValueOrDefault(peer) & ~(1 << (int)channel);
        if (left == 0) _channels.Remove(peer);
        else _channels[peer] = left;
        if (!_peers.TryGetValue(peer, out var state)) return;
        if (left == 0) state.NextProbe = now; // Crash or cut: the probes tell them apart.
        if (!_peers.Keys.Any(IsLinked)) Lease.Doubt(now); // Who wakes from a standstill finds all its links broken.
        ProbeTheLost(now, effects);
    }

    private bool IsLinked(Incarnation peer) => _channels.ContainsKey(peer);

    public void SecretDiffers(Incarnation peer)
    {
        if (_peers.TryGetValue(peer, out var state)) state.SecretDiffers = true;
    }

    public void LinkProbed(Incarnation peer, bool gone, TimeSpan now, List<NodeEffect> effects)
    {
        if (!_peers.TryGetValue(peer, out var state)) return;
        if (IsLinked(peer)) gone = false;
        _detector.Probed(peer, gone);
        _detector.Review(now);
        // Asked once the link is gone, so that both halves of the evidence are of one time.
        if (!gone || state.SessionAsked || _detector.IsProvedDead(peer) || Snapshot?.Find(peer) is not { IsLive: true } row) return;
        state.SessionAsked = true;
        effects.Add(new NodeEffect.ProbeSession(row));
    }

    public void LockProbed(Incarnation peer, bool free, TimeSpan now)
    {
        if (free && Snapshot?.Find(peer) is { IsLive: false, DeadProof: false }) _provedLate.Add(peer);
        _detector.LockProbed(peer, free);
        _detector.Review(now);
    }

    /// <summary>A peer has read that this incarnation is down, which is final (protocol 3.6). The store says why; a node that does not reach it goes by the word of the peer.</summary>
    public void ToldDown(Incarnation by, TimeSpan now, List<NodeEffect> effects)
    {
        if (!SelfRow.IsLive) return;
        if (_toldDownBy is null) _toldDownAt = now;
        _toldDownBy = by;
        if (_storeFailed) StopAsTold(effects);
        else ReadNow(now, effects);
    }

    private void StopAsTold(List<NodeEffect> effects)
    {
        if (_leaveWanted) Stop(ExitCodes.Left, "Left the cluster.", effects);
        else Stop(ExitCodes.Evicted, $"{_toldDownBy} says that this incarnation is down, and the store does not answer.", effects);
    }

    public void SessionProbed(Incarnation peer, bool gone, TimeSpan now)
    {
        if (_peers.TryGetValue(peer, out var state)) state.SessionAsked = false;
        _detector.SessionProbed(peer, gone);
        _detector.Review(now);
    }

    /// <summary>Somebody says that the store has news.</summary>
    public void Hinted(TimeSpan now, List<NodeEffect> effects) => ReadNow(now, effects);

    /// <summary>A write was refused because this incarnation is out; the next read says why.</summary>
    public void Fenced(TimeSpan now, List<NodeEffect> effects)
    {
        DoubtView(now);
        ReadNow(now, effects);
    }

    public void Answered(ControlAnswer answer, TimeSpan now, List<NodeEffect> effects)
    {
        if (_stopped) return;
        NoteStore(answer, now);
        switch (answer.Call)
        {
            case ControlCall.Renew:
                Renewed(answer, now, effects);
                break;
            case ControlCall.ReadCluster:
                _reading = false;
                if (answer.IsOk)
                {
                    Learned(answer.As<ClusterSnapshot>(), now, effects);
                    if (_readAsked >= _toldDownAt) _toldDownBy = null; // The store has answered since, and its word counts.
                }
                else if (_toldDownBy is not null)
                {
                    StopAsTold(effects);
                }
                if (_readAgain) ReadNow(now, effects);
                break;
            case ControlCall.ChangeView(var change) when change == _pending:
                _pendingCallUnderWay = false;
                Changed(answer, now, effects);
                break;
            case ControlCall.FindView(var opId) when opId == _pending?.OpId:
                _pendingCallUnderWay = false;
                Found(answer, now, effects);
                break;
            default:
                break; // An answer to a question that nobody asks any more.
        }
    }

    private void NoteOwnPace(TimeSpan now)
    {
        if (_started == default) _started = _lastTick = _lastLateTick = now;
        var late = now - _lastTick - (2 * times.Heartbeat);
        if (late > TimeSpan.Zero)
        {
            _detector.OwnPause(now - _lastTick);
            _lastLateTick = now;
        }
        else if (now - _lastLateTick >= TimeSpan.FromSeconds(1))
        {
            _detector.CleanSecond();
            _lastLateTick = now;
        }
        _lastTick = now;
    }

    private void NoteStore(ControlAnswer answer, TimeSpan now)
    {
        if (answer.Verdict is StoreVerdict.NotSent or StoreVerdict.InDoubt)
        {
            if (!_storeFailed) _leases.StoreLost();
            _storeFailed = true;
        }
        else
        {
            _storeFailed = false;
            _lastStoreOk = now;
        }
    }

    private void Beat(TimeSpan now, List<NodeEffect> effects)
    {
        if (now < _nextBeat || Snapshot is null) return;
        _nextBeat = now + times.Heartbeat;
        _beatSeq++;
        var row = _detector.OwnRow(now);
        var (mode, storeOk, witnessOk, asks) = (Mode(now), StoreOk(now), witnesses.IsFresh(now), Asks(now));
        foreach (var peer in _peers.Keys)
        {
            if (!_detector.IsBeaten(peer, now)) continue;
            var beat = new Heartbeat(Self, _beatSeq, View, mode, storeOk, _detector.Health, _detector.Hears(peer), row, witnessOk, OwnPlaced, now, TakesNothing, Pool.IsSick)
            {
                Announced = Math.Max(AnnouncedView, View),
                Asks = asks,
                Assents = AssentTo(peer, now),
            };
            effects.Add(new NodeEffect.Beat(peer, LinkChannel.Control, beat));
            effects.Add(new NodeEffect.Beat(peer, LinkChannel.Data, beat));
        }
    }

    /// <summary>A link that stands carries what is for its peer, however silent it is: TCP ends it soon. Beats are never relayed, or a broken edge would look whole.</summary>
    private void ChooseRelays(TimeSpan now, List<NodeEffect> effects)
    {
        var cutOff = _peers.Keys.Where(p => !IsLinked(p) && !_detector.IsUp(p) && !_detector.IsCrashEvident(p)).ToImmutableSortedSet();
        if (cutOff.IsEmpty && _relays.Current.IsEmpty) return;
        var relays = Snapshot!.Members.Where(m => m.IsVoter && IsLinked(m.Inc) && _detector.IsUp(m.Inc))
            .OrderBy(m => (_detector.LastBeat(m.Inc)?.Health ?? 0, m.UpView, m.Inc)).Select(m => m.Inc).ToList();
        _relays.Review(cutOff, relays, (via, to) => Reachability.Says(RowOf(via, now), to) == true, effects);
    }

    private void Renew(TimeSpan now, List<NodeEffect> effects)
    {
        if (Snapshot?.Find(Self) is not { IsLive: true } || !Lease.IsDue(now)) return;
        Lease.Asked(now);
        effects.Add(new NodeEffect.Call(new ControlCall.Renew(Self)));
    }

    private void Renewed(ControlAnswer answer, TimeSpan now, List<NodeEffect> effects)
    {
        if (answer.IsOk)
        {
            Lease.Granted(now);
            if (answer.As<Renewal>().View <= View) return;
            DoubtView(now);
            ReadNow(now, effects);
        }
        else
        {
            Lease.Refused(now);
            if (answer.Verdict != StoreVerdict.Fenced) return;
            DoubtView(now);
            ReadNow(now, effects); // It tells why and by whom.
        }
    }

    private void Read(TimeSpan now, List<NodeEffect> effects)
    {
        if (now >= _nextRead) ReadNow(now, effects);
    }

    private void ReadNow(TimeSpan now, List<NodeEffect> effects)
    {
        if (_reading)
        {
            _readAgain = true;
            return;
        }
        _reading = true;
        _readAgain = false;
        _readAsked = now;
        _announcedBefore = AnnouncedView;
        var unsettled = Missing.Length > 0 || SelfRow.Status != MemberStatus.Up || Snapshot?.Members.Any(m => m.Status is MemberStatus.Joining or MemberStatus.Leaving) != false;
        _nextRead = now + (unsettled ? times.PollUnsettled : times.PollCalm);
        effects.Add(new NodeEffect.Call(new ControlCall.ReadCluster()));
    }

    /// <summary>The store has forgotten what it said or took: a node that is up stands still until an operator has decided, one that starts ends.</summary>
    public void Regressed(string what, List<NodeEffect> effects)
    {
        if (_stopped || StoreRegressed is not null) return;
        var reason = $"StoreRegressed: {what}. It was restored or has lost commits: point the nodes at the right store, or run: actorcluster recover";
        if (SelfRow.Status == MemberStatus.Joining)
        {
            Stop(ExitCodes.StoreMismatch, reason, effects);
            return;
        }
        StoreRegressed = reason;
        effects.Add(new NodeEffect.Decided(reason));
    }

    private void Learned(ClusterSnapshot snapshot, TimeSpan now, List<NodeEffect> effects)
    {
        if (Snapshot is { } known)
        {
            var (here, there) = (known.Cluster, snapshot.Cluster);
            if (there.Uuid != here.Uuid)
            {
                Stop(ExitCodes.StoreMismatch, $"The store is now that of cluster {there.Uuid}, but this node lives in {here.Uuid}: it was replaced. Point the node at the right store.", effects);
                return;
            }
            if (there.StoreGeneration > here.StoreGeneration)
            {
                Stop(ExitCodes.Evicted, string.Create(CultureInfo.InvariantCulture, $"The store was recovered: it is at generation {there.StoreGeneration}, and {Self} is of generation {here.StoreGeneration}."), effects);
                return;
            }
            // A member announces what it has read, and this was asked for later.
            if (there.StoreGeneration == here.StoreGeneration && there.View < _announcedBefore && here.View < _announcedBefore)
                Regressed(string.Create(CultureInfo.InvariantCulture, $"the store shows view {there.View}, but a member has seen view {_announcedBefore}"), effects);
            else if ((there.StoreGeneration, there.View).CompareTo((here.StoreGeneration, here.View)) < 0)
                Regressed(string.Create(CultureInfo.InvariantCulture, $"the store shows generation {there.StoreGeneration}, view {there.View}, but this node has seen generation {here.StoreGeneration}, view {here.View}"), effects);
        }
        if (StoreRegressed is not null || _stopped) return;
        if (snapshot.Cluster.SettingsVersion != settingsVersion)
        {
            // They change while nobody is live, so this incarnation is out, or has not joined: and now it never will, under these settings.
            Stop(ExitCodes.Evicted, string.Create(CultureInfo.InvariantCulture, $"The cluster's settings are at version {snapshot.Cluster.SettingsVersion}, and {Self} goes by version {settingsVersion}."), effects);
            return;
        }
        _leases.Read(snapshot.Members, _readAsked, now);
        var before = Snapshot;
        Snapshot = snapshot;
        AnnouncedView = Math.Max(AnnouncedView, snapshot.Cluster.View);
        var live = snapshot.Members.Where(m => m.IsLive && m.Inc != Self).ToList();
        foreach (var gone in _peers.Keys.Except(live.Select(m => m.Inc)).ToList()) _peers.Remove(gone);
        foreach (var member in live) _peers.TryAdd(member.Inc, new PeerState { NextProbe = now });
        _clocks.Keep(_peers.Keys);
        NoteView(before, snapshot, now);
        Watch.Learned(snapshot.Cluster.View, [.. snapshot.Members.Where(m => m.IsLive)]);
        if (snapshot.Find(Self) is null && Self <= snapshot.Cluster.Forgotten)
        {
            // It slept for days: it was evicted, and its row is gone. To join under the same number would bring a dead incarnation back.
            Stop(ExitCodes.Evicted, $"Incarnation {Self} is out and forgotten: the rows of incarnations up to {snapshot.Cluster.Forgotten} that are down were pruned.", effects);
        }
        else if (snapshot.Find(Self) is { IsLive: false } me)
        {
            if (me.DownReason == LeftReason) Stop(ExitCodes.Left, "Left the cluster.", effects);
            else if (me.DownReason == SecretReason) Stop(ExitCodes.Refused, $"Cluster:Secret of this node differs from that of {_secretsDiffer}. Give every node the same secret, or both values, separated by a comma, while one is being rotated.", effects);
            else if (me.DownReason.StartsWith(SupersededReason, StringComparison.Ordinal)) Stop(ExitCodes.Superseded, $"Incarnation {Self} of {me.Name} is out: {me.DownReason}.", effects);
            else Stop(ExitCodes.Evicted, $"Incarnation {Self} of {me.Name} was evicted by {me.DownBy} in view {me.DownView}: {me.DownReason}.", effects);
        }
    }

    private void ProbeTheLost(TimeSpan now, List<NodeEffect> effects)
    {
        foreach (var (inc, peer) in _peers)
        {
            if (IsLinked(inc) || now < peer.NextProbe) continue;
            if (Snapshot!.Find(inc) is not { } row) continue;
            peer.NextProbe = now + times.Heartbeat;
            effects.Add(new NodeEffect.ProbeLink(row));
            if (row.LockFile is { } theirs && draft.LockFile is { } mine && theirs.BootId == mine.BootId) effects.Add(new NodeEffect.ProbeLock(row));
        }
    }

    /// <summary>Whoever went down without a proof may be proved dead afterwards, which frees the exclusive shards that it had (protocol 2.5, 4.5).</summary>
    private void ProbeTheAwaited(IReadOnlySet<Incarnation> awaited, TimeSpan now, List<NodeEffect> effects)
    {
        if (awaited.Count == 0 || now < _nextLateProbe) return;
        _nextLateProbe = now + times.Heartbeat;
        foreach (var inc in awaited.Order())
        {
            if (Snapshot?.Find(inc) is not { IsLive: false, DeadProof: false, LockFile: { } theirs } row) continue;
            if (HoldsLockOf(row)) _provedLate.Add(inc); // An earlier process, or an earlier life of this one, which has ended before this one began.
            else if (draft.LockFile is { } mine && theirs.BootId == mine.BootId) effects.Add(new NodeEffect.ProbeLock(row));
        }
    }

    private void Stop(int exitCode, string reason, List<NodeEffect> effects)
    {
        if (_stopped) return;
        _stopped = true;
        effects.Add(new NodeEffect.Stop(exitCode, reason));
    }

    private sealed class PeerState
    {
        public TimeSpan NextProbe { get; set; }

        public bool SessionAsked { get; set; }

        public bool SecretDiffers { get; set; }
    }
}
