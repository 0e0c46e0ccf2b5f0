using System.Collections.Immutable;
using System.Diagnostics;
using ActorCluster.Downing;
using ActorCluster.Hosting;
using ActorCluster.Links;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Placement;
using ActorCluster.Primitives;
using ActorCluster.Sharding;

namespace ActorCluster.TestKit.Simulation;

/// <summary>One incarnation: the real cores, and a host that carries out their effects as the product's drivers do.</summary>
internal sealed class SimLife
{
    /// <summary>What the store knows a user's switch by, in traces and for the checkers.</summary>
    public const string SwitchCall = "Switch";

    private static readonly TimeSpan UsualTick = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan TickOfMany = TimeSpan.FromMilliseconds(100);

    /// <summary>More than clocks drift, and than they may part by.</summary>
    private static readonly TimeSpan SignShows = TimeSpan.FromMilliseconds(600);

    private readonly SimCluster _cluster;
    private readonly MemberRow _draft;
    private TimeSpan _nextDial;
    private readonly SortedDictionary<ShardNo, SimPhase> _phases = [];
    private readonly SortedDictionary<Incarnation, Incarnation> _relays = [];
    private long _viewSeen;
    private NodeMode _mode = NodeMode.Joining;
    private ClusterSnapshot? _shown;
    private TimeSpan? _frozenSince;
    private bool _released;
    private bool _assented;
    private TimeSpan _wallAhead;
    private readonly HashSet<(Incarnation Peer, LinkChannel Channel)> _channels = []; // Only asked and counted, never iterated.
    private readonly SortedSet<Incarnation> _heard = [];
    private ImmutableSortedSet<Incarnation> _heardBefore = [];

    public SimLife(SimCluster cluster, SimNode node, MemberRow draft)
    {
        (_cluster, Node, _draft) = (cluster, node, draft);
        var stored = cluster.Store.Database.ReadSettings().Value!;
        var times = TimesOf(cluster.Plan, node, stored);
        Core = new NodeCore(draft, times, cluster.Plan.Mutation == SimMutation.NobodyClaims ? new Undecided() : cluster.Resolver, node.Ids.Id, cluster.Types, new WitnessBoard(cluster.Witnesses, 1, times), RetentionOf(cluster.Plan), stored.Version, WatchRulesOf(cluster.Plan), FailsafeOf(cluster.Plan, stored), new SickMembers(SparesLastHosts: cluster.Plan.Mutation != SimMutation.DrainsLastHosts, AreAlwaysFew: cluster.Plan.Mutation == SimMutation.RelievesHoweverMany), FrozenOf(cluster.Plan));
        Gateway = new SimGateway(cluster, this);
        Rooms = new SimRooms(cluster, this);
        Mixers = new SimMixers(cluster, this);
        Timers = new SimTimers(cluster, this);
        Calls = new SimCalls(cluster, this);
    }

    /// <summary>Half as often where there are many: what they do between two ticks is the greater part of a run.</summary>
    private TimeSpan TickEvery => _cluster.Plan.Places > WatchPlan.MeshMax ? TickOfMany : UsualTick;

    public SimNode Node { get; }

    public Incarnation Inc => _draft.Inc;

    public NodeCore Core { get; }

    public SimGateway Gateway { get; }

    public SimRooms Rooms { get; }

    public SimMixers Mixers { get; }

    public SimTimers Timers { get; }

    public SimCalls Calls { get; }

    public bool IsEnded { get; private set; }

    public TimeSpan Clock => Node.Clock;

    /// <summary>For how long it has been frozen on end, without the word of all, as seen after all that it was told but beats.</summary>
    public TimeSpan FrozenFor => _frozenSince is { } since ? Clock - since : TimeSpan.Zero;

    public NodeMode Mode => IsEnded ? NodeMode.Fenced : Core.Membership.Mode(Clock);

    /// <summary>Until when it goes on by the word of others, null when it does not.</summary>
    public TimeSpan? AssentedUntil =>
        IsEnded ? null : _cluster.Plan.Mutation == SimMutation.GoesOnByAQuorum && HasAQuorumsWord() ? Clock + Assents.Counts : Core.Membership.AssentedUntil(Clock);

    /// <summary>Rows asked for less than 2 s ago showed this node as the owner, so nobody else can have acknowledged anything before that.</summary>
    public bool MayReadUnmarked => AssentedUntil is not null || MayReadByItself;

    private bool MayReadByItself =>
        Mode is NodeMode.Serving or NodeMode.Degraded && Core.Membership.Missing.IsEmpty
        && Core.Membership.AnnouncedView <= Core.Membership.View && Core.Membership.MayTrustRows(Core.Ownership.RowsAskedAt) && Clock - Core.Ownership.RowsAskedAt <= TimeSpan.FromSeconds(1.9);

    public bool MayActByAssent(TimeSpan limit) =>
        _cluster.Plan.Mutation == SimMutation.GoesOnByAQuorum ? AssentedUntil is not null : Core.Membership.MayActByAssent(limit, Clock);

    public SimPhase PhaseOf(ShardNo shard) => _phases.GetValueOrDefault(shard);

    public void Begin() => Tick();

    /// <summary>Clocks of others that are known by now show how long it was.</summary>
    public void StandsStill() => _heardBefore = [.. _heard];

    /// <summary>The process died: nobody runs any clean-up.</summary>
    public void Vanish()
    {
        IsEnded = true;
        Gateway.Vanish();
        Rooms.Vanish();
        Mixers.Vanish();
        Calls.StopAll();
        _cluster.Network.Close(this);
    }

    /// <summary>Lets time pass for this life; lost when the life ends, late when its process stands still.</summary>
    public void After(TimeSpan delay, Action happens) => _cluster.World.After(delay, () => Node.Happen(this, happens));

    public void Receive(SimLife from, SimFrame frame) => Node.Happen(this, () => Handle(from.Inc, frame));

    /// <summary>As a handshake does: whoever is down for this life is let in no more, and is told why.</summary>
    public bool RefusesAsDown(SimLife dialler) =>
        _cluster.Plan.Mutation != SimMutation.TellsNobodyThatItIsDown && KnowsDown(dialler.Inc);

    public bool KnowsDown(Incarnation inc) => Core.Membership.Snapshot?.Find(inc) is { IsLive: false };

    public void ToldDown(SimLife by) => Node.Happen(this, () => Tell(new NodeInput.ToldDown(by.Inc)));

    public void ChannelUp(SimLife peer, LinkChannel channel) => Node.Happen(this, () =>
    {
        _channels.Add((peer.Inc, channel));
        Tell(new NodeInput.ChannelUp(peer.Inc, channel));
        Gateway.LinkUp(peer.Inc);
        DoubtRelays();
    });

    public void ChannelLost(SimLife peer, LinkChannel channel) => Node.Happen(this, () =>
    {
        _channels.Remove((peer.Inc, channel));
        Tell(new NodeInput.ChannelLost(peer.Inc, channel));
        if (_channels.Count == 0 && Core.Membership.Snapshot?.Find(peer.Inc) is { IsLive: true }) Node.Showed();
        Gateway.LinkLost(peer.Inc); // What was sent on it may be gone, although the other channel lives.
        var other = channel == LinkChannel.Data ? LinkChannel.Control : LinkChannel.Data;
        if (_cluster.Network.HasLink(this, peer.Node.Index, other))
        {
            Gateway.LinkUp(peer.Inc);
            if (_cluster.Plan.Mutation != SimMutation.KeepsLossesToItself) _cluster.Network.Send(this, peer, other, new SimFrame.SentMayBeLost());
        }
        DoubtRelays();
        _nextDial = TimeSpan.Zero;
    });

    /// <summary>Messages taken that came through a third node.</summary>
    public long TakenThroughOthers { get; private set; }

    /// <summary>Sends by the way that a peer is reached by.</summary>
    public bool Send(Incarnation to, SimFrame frame) =>
        _relays.TryGetValue(to, out var relay) ? SendOnLink(relay, new SimFrame.Relayed(Inc, to, frame)) : SendOnLink(to, frame);

    /// <summary>Sends on the data channel, or on the control channel while that is gone.</summary>
    private bool SendOnLink(Incarnation to, SimFrame frame)
    {
        if (IsEnded || _cluster.LifeOf(to) is not { } peer || peer == this) return false;
        if ((frame is SimFrame.Relayed relayed ? relayed.What : frame) is SimFrame.Deliver or SimFrame.Taken or SimFrame.Refused && _cluster.Network.IsFull(Node.Index, peer.Node.Index)) return false;
        return _cluster.Network.Send(this, peer, LinkChannel.Data, frame) || _cluster.Network.Send(this, peer, LinkChannel.Control, frame);
    }

    /// <summary>A user asks this node for the singleton's term, as it knows it, to go to another.</summary>
    public void Switch(string toNode) => Node.Happen(this, () =>
    {
        var rows = Core.Ownership.Rows;
        var (plan, _, ends) = SingletonSwitch.Decide(
            SimCluster.ControllerType, _cluster.Types.SingletonOf(SimCluster.ControllerType)!, toNode, rows.FirstOrDefault(r => r.Type == SimCluster.ControllerType)?.Epoch ?? default,
            rows, Core.Membership.Snapshot?.Members ?? [], _cluster.Plan.Mutation == SimMutation.SwitchesToTheSick ? [.. _cluster.Lives.Select(l => l.Inc)] : Core.Membership.Fit(Clock));
        _cluster.World.Trace($"{Inc} is asked to give {SimCluster.ControllerType} to {toNode}: {ends?.Reason ?? "planned"}");
        if (ends is not null) _cluster.Coverage.Hit("6.2 switch", ends.Done ? "there already" : "refused");
        if (plan is not { } write) return;
        _cluster.Store.Data(this, SwitchCall, writes: true, () => _cluster.Store.Database.PlanHandoff([write]), answer =>
        {
            _cluster.Coverage.Hit("6.2 switch", answer switch { { IsOk: true } => answer.Value.IsEmpty ? "overtaken" : "planned", { Verdict: StoreVerdict.InDoubt } => "in doubt", _ => "store away" });
            if (!answer.IsOk && answer.Verdict != StoreVerdict.InDoubt) return;
            Tell(new NodeInput.Hinted());
            Broadcast(new SimFrame.Hint());
        });
    });

    /// <summary>Hands one input to the core and carries out what it wants.</summary>
    public void Tell(NodeInput input)
    {
        if (input is NodeInput.Drained or NodeInput.Stopped) Node.Pool.Run(this, () => Take(input));
        else Take(input);
    }

    private void Take(NodeInput input)
    {
        if (IsEnded) return;
        if (input is NodeInput.Drained(var drained, _) && _phases.GetValueOrDefault(drained) == SimPhase.Draining) Becomes(drained, SimPhase.Drained, "drained");
        var effects = Core.Handle(input, Clock).ToArray();
        foreach (var effect in effects)
        {
            if (IsEnded || (effect is not NodeEffect.AskPool && Dies())) return;
            Perform(effect);
        }
        if (IsEnded) return;
        if (Mode is var mode && mode != _mode) _cluster.Coverage.ModeChanged(_mode, mode);
        _mode = mode;
        if (mode != NodeMode.Frozen || AssentedUntil is not null || Core.Membership.StoreRegressed is not null) _frozenSince = null;
        else if (input is not NodeInput.Heard) _frozenSince ??= Clock;
        if (AssentedUntil is not null != _assented) NoteAssent(mode);
        CheckView();
        Rooms.Review();
    }

    private void NoteAssent(NodeMode mode)
    {
        _assented = !_assented;
        _cluster.World.Trace($"{Inc} {(_assented ? "goes on by the word of all" : "has not the word of all any more")}");
        var membership = Core.Membership;
        _cluster.Coverage.Hit("4.4 by assent", _assented ? $"begins {mode}" : !membership.AssentsMissing(Clock).IsEmpty ? "a word is missing" : membership.AnnouncedView > membership.View ? "newer view" : mode is NodeMode.Serving ? "ends Serving" : "ends otherwise");
    }

    private bool HasAQuorumsWord()
    {
        if (Core.Membership.Snapshot is not { } snapshot || Mode is not (NodeMode.Degraded or NodeMode.Frozen)) return false;
        var members = snapshot.Members.Where(m => m.IsLive).ToList();
        return 2 * members.Count(m => m.Inc == Inc || (Core.Membership.Detector.LastBeat(m.Inc) is { } beat && beat.View == snapshot.Cluster.View && beat.Assents > TimeSpan.Zero && beat.Assents + Assents.Counts > Clock)) > members.Count;
    }

    private bool Dies()
    {
        if (Node.DiesAfterEffects is not { } left) return false;
        Node.DiesAfterEffects = left - 1;
        if (left > 0) return false;
        Node.Kill();
        return true;
    }

    private void Tick()
    {
        After(_cluster.Plan.Buggify && Node.Random.Chance(0.1) ? 5 * TickEvery : TickEvery, Tick);
        var told = Node.WallAhead;
        Tell(new NodeInput.Tick(told));
        if ((told - _wallAhead).Duration() > SignShows) Node.Showed();
        _wallAhead = told;
        if (IsEnded) return;
        Gateway.Tick();
        Rooms.Tick();
        Mixers.Tick();
        Timers.Tick();
        Calls.Tick();
        if (Clock < _nextDial || Core.Membership.Snapshot is not { } snapshot) return;
        _nextDial = Clock + TimeSpan.FromMilliseconds(200 + Node.Random.Below(100));
        foreach (var member in snapshot.Members)
            if (member.IsLive && member.Inc != Inc && _cluster.LifeOf(member.Inc) is { } peer) _cluster.Network.Dial(this, peer.Node);
    }

    private void Handle(Incarnation from, SimFrame frame)
    {
        switch (frame)
        {
            case SimFrame.Beat(var beat, var channel, var sentAt):
                Tell(new NodeInput.Heard(
                    _cluster.Plan.Mutation switch
                    {
                        SimMutation.KnowsNoOtherClock => beat with { Clock = TimeSpan.Zero },
                        SimMutation.TakesUnwatchedForDown => WithTheUnwatchedDown(beat),
                        SimMutation.CountsAWordFromItsArrival when beat.Assents > TimeSpan.Zero => beat with { Assents = Clock },
                        SimMutation.GivesSickShards => beat with { IsSick = false },
                        _ => beat,
                    },
                    channel));
                NoteClockOf(from, sentAt);
                break;
            case SimFrame.SentMayBeLost:
                Gateway.LinkLost(from);
                Gateway.LinkUp(from);
                break;
            case SimFrame.Relayed relayed:
                Relayed(from, relayed);
                break;
            case SimFrame.Down:
                Tell(new NodeInput.ToldDown(from));
                break;
            case SimFrame.Hint:
                Tell(new NodeInput.Hinted());
                break;
            case SimFrame.AskRelease(var shards):
                Tell(new NodeInput.HelpAsked(shards));
                break;
            case SimFrame.Announce(var moved):
                Gateway.Learn(moved);
                Tell(new NodeInput.Moved());
                break;
            case SimFrame.Deliver deliver:
                Rooms.Arrived(from, deliver);
                break;
            case SimFrame.Subscribe subscribe:
                Rooms.Subscribed(from, subscribe);
                break;
            default:
                Gateway.Handle(frame);
                break;
        }
    }

    /// <summary>A beat shows a standstill that is longer than what it was under way for itself, if its sender's clock was known before and went on.</summary>
    private void NoteClockOf(Incarnation from, TimeSpan sentAt)
    {
        if (IsEnded || Core.Membership.Snapshot?.Find(from) is not { IsLive: true }) return;
        _heard.Add(from);
        if (Node.Hidden is { } stood && stood - (_cluster.World.Now - sentAt) > SignShows && _heardBefore.Contains(from) && _cluster.LifeOf(from) is { Node.Standstills: 0 }) Node.Showed();
    }

    private Heartbeat WithTheUnwatchedDown(Heartbeat beat) => beat with
    {
        Row = [.. beat.Row.Concat((Core.Membership.Snapshot?.Members ?? []).Where(m => m.IsVoter && m.Inc != beat.From && !beat.Row.Any(e => e.Peer == m.Inc)).Select(m => new ReachEntry(m.Inc, false))).OrderBy(e => e.Peer)],
    };

    private void Relayed(Incarnation from, SimFrame.Relayed frame)
    {
        if (frame.What is SimFrame.Beat or SimFrame.Down && _cluster.Plan.Mutation != SimMutation.RelaysBeats) return;
        switch (RelayRoutes.Judge(Inc, from, frame.Origin, frame.Destination, inc => Core.Membership.Snapshot?.Find(inc) is { IsLive: true }))
        {
            case RelayVerdict.Deliver:
                if (frame.What is SimFrame.Deliver) TakenThroughOthers++;
                Handle(frame.Origin, frame.What);
                break;
            case RelayVerdict.Forward:
                SendOnLink(frame.Destination, frame);
                break;
            default:
                break;
        }
    }

    private void ChangeWay(Incarnation to, Incarnation? via)
    {
        _cluster.World.Trace($"{Inc} reaches {to} {(via is null ? "by itself or not at all" : $"through {via}")}");
        Gateway.LinkLost(to);
        if (via is { } relay) _relays[to] = relay;
        else _relays.Remove(to);
        Gateway.LinkUp(to);
        Send(to, new SimFrame.SentMayBeLost());
    }

    private void DoubtRelays()
    {
        if (_cluster.Plan.Mutation == SimMutation.KeepsLossesToItself) return;
        foreach (var peer in _relays.Keys.ToArray())
        {
            Gateway.LinkLost(peer);
            Gateway.LinkUp(peer);
            Send(peer, new SimFrame.SentMayBeLost());
        }
    }

    private void Perform(NodeEffect effect)
    {
        switch (effect)
        {
            case NodeEffect.Call(var call):
                if (call is ControlCall.Release(var owner, var releases) && owner == Inc)
                    foreach (var release in releases) Gives(release.Shard);
                _cluster.Checkers.Asks(this, call);
                var standstills = Node.Standstills;
                _cluster.Store.Control(this, call, answer => Node.Pool.Run(this, () =>
                {
                    Answered(answer);
                    if (answer is { IsOk: true, Call: ControlCall.Renew } && standstills == Node.Standstills) Node.Showed();
                }));
                break;
            case NodeEffect.Beat(var to, var channel, var beat):
                if (_cluster.Plan.Mutation == SimMutation.RelaysBeats) Send(to, new SimFrame.Beat(beat, channel, _cluster.World.Now));
                else _cluster.Network.Send(this, _cluster.LifeOf(to), channel, new SimFrame.Beat(beat, channel, _cluster.World.Now));
                break;
            case NodeEffect.Relay(var peer, var via):
                ChangeWay(peer, via);
                break;
            case NodeEffect.ProbeLink(var peer):
                ProbeLink(peer);
                break;
            case NodeEffect.ProbeLock(var peer):
                After(TimeSpan.FromMilliseconds(2), () => Tell(new NodeInput.LockProbed(peer.Inc, !_cluster.HoldsLock(peer) || _cluster.Plan.Mutation == SimMutation.TakesAnyLockForFree)));
                break;
            case NodeEffect.ProbeSession(var peer):
                // A fixed time and no draw: a store that is away says no at once.
                After(TimeSpan.FromMilliseconds(3), () => Tell(new NodeInput.SessionProbed(
                    peer.Inc, _cluster.Plan.Mutation == SimMutation.TakesAnySessionForGone || _cluster.Store.IsSessionGone(this, _cluster.NodeAt(peer.LinkAddress), peer.Inc))));
                break;
            case NodeEffect.AskPool(var no):
                After(TimeSpan.FromMilliseconds(1), () => Node.Pool.Run(this, () => Tell(new NodeInput.PoolRan(no))));
                break;
            case NodeEffect.AskWitness(var witness):
                After(TimeSpan.FromMilliseconds(3), () => Tell(new NodeInput.WitnessAnswered(witness, !_cluster.WithoutWitness.Contains(Node.Index), "")));
                break;
            case NodeEffect.Hint:
                Broadcast(new SimFrame.Hint());
                break;
            case ShardEffect.AskRelease(var to, var shards):
                foreach (var shard in shards) Gives(shard.Shard);
                _cluster.World.Trace($"{Inc} asks {to} to release {shards.Length}");
                _cluster.Coverage.Hit("5.3 Releasing", "help asked");
                Send(to, new SimFrame.AskRelease(shards));
                break;
            case ShardEffect.Announce(var moved):
                Broadcast(new SimFrame.Announce(moved));
                break;
            case ShardEffect.Routes(var known):
                Gateway.Learn(known);
                break;
            case ShardEffect.Start(var shards):
                foreach (var shard in shards) _phases[shard.No] = SimPhase.Serving;
                Rooms.Start([.. shards.Where(s => !_cluster.Types.IsExclusive(s.Type) && !_cluster.Types.IsPlaced(s.Type))]);
                Calls.Start(shards.Where(s => _cluster.Types.IsPlaced(s.Type)));
                Mixers.Start([.. shards.Where(s => _cluster.Types.IsExclusive(s.Type))]);
                break;
            case ShardEffect.Drain(var shards):
                foreach (var (shard, _) in shards) Becomes(shard, SimPhase.Draining, "drain");
                Rooms.Drain(shards);
                Mixers.Drain(shards);
                Calls.Drain(shards);
                break;
            case ShardEffect.Reopen(var shards):
                foreach (var (shard, _) in shards) Becomes(shard, SimPhase.Serving, "reopened");
                Rooms.Reopen(shards);
                Mixers.Reopen(shards);
                Calls.Reopen(shards);
                break;
            case ShardEffect.Stop(var shards):
                foreach (var (shard, epoch) in shards) Stopped(shard, epoch);
                Rooms.Stop(shards);
                Mixers.Stop(shards);
                Calls.Stop(shards);
                break;
            case ShardEffect.Found(var rows):
                Calls.Found(rows);
                break;
            case NodeEffect.Decided(var what):
                _cluster.World.Trace($"{Inc} decided {what}");
                break;
            case NodeEffect.Stop(var exitCode, var reason):
                if (reason.StartsWith("Stopped by", StringComparison.Ordinal)) _cluster.Coverage.SideStopped();
                End(exitCode, reason);
                break;
            default:
                throw new UnreachableException($"No rule for {effect}.");
        }
    }

    private void Answered(ControlAnswer answer)
    {
        if (answer is { IsOk: true, Call: ControlCall.ReadCluster } && _cluster.Plan.Mutation == SimMutation.ShowsOldMembers)
        {
            var read = answer.As<ClusterSnapshot>();
            answer = answer with { Value = _shown is { } before && before.Cluster.View != read.Cluster.View ? read with { Members = before.Members } : read };
            _shown = read;
        }
        if (_cluster.LostAt is not null && _cluster.Plan.Mutation == SimMutation.LooksAtNoRegression && answer.Call is ControlCall.ReadCluster or ControlCall.ReadPicture)
            answer = answer with { Verdict = StoreVerdict.NotSent, Value = null };
        _cluster.Checkers.Refused(this, answer);
        if (_cluster.Plan.Mutation == SimMutation.AsksAgainAtOnce && answer is { Call: ControlCall.ChangeView, Verdict: StoreVerdict.NotSent }) answer = answer with { Verdict = StoreVerdict.Conflict };
        _cluster.Coverage.Answered(this, Mode, answer);
        if (answer is { Call: ControlCall.ChangeView(var change), Verdict: not StoreVerdict.Ok }) _cluster.Coverage.ViewChanged(change, answer.Verdict, [.. _cluster.Store.Database.Members]);
        if (answer is { Call: ControlCall.Release(var owner, var releases) } && owner == Inc)
        {
            if (answer.Verdict == StoreVerdict.InDoubt) _cluster.Coverage.Hit("5.3 Releasing", "in doubt");
            if (answer.Verdict == StoreVerdict.InDoubt && _cluster.Plan.Mutation == SimMutation.ReopensAfterASentRelease) Rooms.Reopen([.. releases.Select(r => (r.Shard, r.Epoch))]);
            _released = answer.IsOk;
        }
        Tell(new NodeInput.Answered(answer));
        _released = false;
        if (!IsEnded && _cluster.Plan.Mutation == SimMutation.LeaveFrozenWithoutReadingOwnRows && answer is { IsOk: true, Call: ControlCall.Renew })
            Core.Membership.Lease.OwnRowsRead(TimeSpan.MaxValue);
    }

    private void Gives(ShardNo shard)
    {
        if (PhaseOf(shard) != SimPhase.Releasing) Becomes(shard, SimPhase.Releasing, "release sent");
    }

    private void Becomes(ShardNo shard, SimPhase phase, string by)
    {
        _cluster.Coverage.Hit($"5.3 {PhaseOf(shard)}", by);
        _phases[shard] = phase;
    }

    private void Stopped(ShardNo shard, Epoch epoch)
    {
        _cluster.Coverage.Hit($"5.3 {PhaseOf(shard)}", _released && PhaseOf(shard) == SimPhase.Releasing ? "released" : "lost");
        _phases.Remove(shard);
        After(TimeSpan.FromSeconds(5), () =>
        {
            if (Rooms.Held.Contains((shard, epoch))) _cluster.World.Violated("I15", $"{Inc} has shard {shard} epoch {epoch} in memory 5 s after it lost it.");
        });
    }

    /// <summary>Where times are short, what is down is pruned while others still sleep, wait for it or ask for it.</summary>
    private static Retention RetentionOf(SimulationPlan plan) => plan.Buggify
        ? new Retention { Logs = TimeSpan.FromSeconds(10), DownMembers = TimeSpan.FromSeconds(3), Every = TimeSpan.FromSeconds(2) } : new Retention();

    private static WatchRules WatchRulesOf(SimulationPlan plan) =>
        new() { MembersMax = WatchPlan.MembersMax, CalmFactor = plan.Mutation == SimMutation.WatchesNobodyMore ? 0 : new WatchRules().CalmFactor };

    private static FailsafeRules FailsafeOf(SimulationPlan plan, StoredSettings stored)
    {
        var longest = SharedSettings.Apply(new ClusterOptions(), stored.Values, out _).Downing.Failsafe;
        return new FailsafeRules(longest)
        {
            NewcomersWait = plan.Mutation == SimMutation.NewcomerDoesNotWait ? TimeSpan.Zero : longest,
            Binds = plan.Mutation != SimMutation.BreaksItsWord,
        };
    }

    private static FrozenRules FrozenOf(SimulationPlan plan) =>
        new(plan.FrozenMax ? SimCluster.FrozenLongest : TimeSpan.Zero) { CountsOnEnd = plan.Mutation != SimMutation.CountsFromTheFirstFreeze };

    /// <summary>As the cluster says, whatever this node's own configuration says: the younger ones' is out of date.</summary>
    private static ProtocolTimes TimesOf(SimulationPlan plan, SimNode node, StoredSettings stored)
    {
        var own = new ClusterOptions();
        if (node.Index > 0) own.Times = own.Times with { LeaseTtl = TimeSpan.FromSeconds(2.5), Renew = TimeSpan.FromSeconds(0.4), ServeLimit = TimeSpan.FromSeconds(1), StopBudget = TimeSpan.FromSeconds(1.4) };
        var times = (plan.Mutation == SimMutation.KeepsItsOwnTimes ? own : SharedSettings.Apply(own, stored.Values, out _)).Times;
        times = times with { SickDelay = TimeSpan.FromSeconds(1.2) }; // So that a node may be sick and still hear of its renewals in time: by the default it freezes too.
        if (plan.Buggify) times = times with { Handoff = TimeSpan.FromSeconds(2), SweepPatience = TimeSpan.FromSeconds(1), RebalanceDelay = TimeSpan.FromSeconds(3) };
        return plan.Mutation switch
        {
            SimMutation.LateWithoutLeaseStale => times with { LeaseTtl = TimeSpan.FromSeconds(0.3) },
            SimMutation.NobodyClaims => times with { Unresolved = TimeSpan.FromDays(1) },
            _ => times,
        };
    }

    /// <summary>A dial is refused when nobody listens, or another incarnation answers; a cut or a standing process leaves it open.</summary>
    private void ProbeLink(MemberRow peer)
    {
        var other = _cluster.NodeAt(peer.LinkAddress);
        After(TimeSpan.FromMilliseconds(3), () =>
        {
            if (_cluster.Network.Rejects(Node.Index, other.Index)) Tell(new NodeInput.LinkProbed(peer.Inc, true));
            else if (_cluster.Network.AreConnected(Node.Index, other.Index) && !other.IsPaused) Tell(new NodeInput.LinkProbed(peer.Inc, other.Life?.Inc != peer.Inc));
        });
    }

    private void Broadcast(SimFrame frame)
    {
        if (_cluster.Plan.Buggify && Node.Random.Chance(0.3)) return; // Polls make up for it.
        if (Core.Membership.Snapshot is not { } snapshot) return;
        foreach (var member in snapshot.Members)
            if (member.IsLive && member.Inc != Inc) Send(member.Inc, frame);
    }

    public void End(int exitCode, string reason)
    {
        if (IsEnded) return;
        _cluster.World.Trace($"{Node.Name} {Inc} stops with {exitCode}: {reason}");
        _cluster.Stopped(this, exitCode, reason);
        Rooms.StopAll();
        Mixers.StopAll();
        Calls.StopAll();
        Gateway.StopAll();
        IsEnded = true;
        _cluster.Network.Close(this);
        Node.Ended(this, exitCode);
    }

    private void CheckView()
    {
        if (Core.Membership.Snapshot is not { } snapshot || snapshot.Cluster.View == _viewSeen) return;
        if (snapshot.Cluster.View < _viewSeen) _cluster.World.Violated("I10", $"{Inc} went from view {_viewSeen} back to {snapshot.Cluster.View}.");
        _viewSeen = snapshot.Cluster.View;
        if (_cluster.Plan.Mutation != SimMutation.TellsNobodyThatItIsDown)
            foreach (var down in snapshot.Members.Where(m => !m.IsLive && m.Inc != Inc)) Send(down.Inc, new SimFrame.Down());
        _cluster.Checkers.ViewApplied(this, snapshot);
    }

    /// <summary>What every side of a split takes itself for, with <see cref="SimMutation.NobodyClaims"/>.</summary>
    private sealed class Undecided : SplitBrainResolver
    {
        public override string Name => "undecided";

        protected override DowningClass ClassOf(ImmutableArray<Voter> voters) => DowningClass.Late;
    }
}
