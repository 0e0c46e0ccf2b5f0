using System.Diagnostics;
using ActorCluster.Hosting;
using ActorCluster.Links;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sharding;

namespace ActorCluster.TestKit.Simulation;

/// <summary>One incarnation: the real cores, and a host that carries out their effects as the product's drivers do.</summary>
internal sealed class SimLife
{
    private static readonly TimeSpan TickEvery = TimeSpan.FromMilliseconds(50);

    private readonly SimCluster _cluster;
    private readonly MemberRow _draft;
    private TimeSpan _nextDial;
    private long _viewSeen;

    public SimLife(SimCluster cluster, SimNode node, MemberRow draft)
    {
        (_cluster, Node, _draft) = (cluster, node, draft);
        Core = new NodeCore(draft, new ProtocolTimes(), cluster.Resolver, node.Ids.Id, cluster.Types);
        Gateway = new SimGateway(cluster, this);
        Rooms = new SimRooms(cluster, this);
        Mixers = new SimMixers(cluster, this);
    }

    public SimNode Node { get; }

    public Incarnation Inc => _draft.Inc;

    public NodeCore Core { get; }

    public SimGateway Gateway { get; }

    public SimRooms Rooms { get; }

    public SimMixers Mixers { get; }

    public bool IsEnded { get; private set; }

    public TimeSpan Clock => Node.Clock;

    public NodeMode Mode => IsEnded ? NodeMode.Fenced : Core.Membership.Mode(Clock);

    /// <summary>Rows asked for less than 2 s ago showed this node as the owner, so nobody else can have acknowledged anything before that.</summary>
    public bool MayReadUnmarked =>
        Mode is NodeMode.Serving or NodeMode.Degraded && Core.Membership.Missing.IsEmpty
        && Core.Membership.AnnouncedView <= Core.Membership.View && Clock - Core.Ownership.RowsAskedAt <= TimeSpan.FromSeconds(1.9);

    public void Begin() => Tick();

    /// <summary>The process died: nobody runs any clean-up.</summary>
    public void Vanish()
    {
        IsEnded = true;
        Gateway.Vanish();
        Rooms.Vanish();
        Mixers.Vanish();
        _cluster.Network.Close(this);
    }

    /// <summary>Lets time pass for this life; lost when the life ends, late when its process stands still.</summary>
    public void After(TimeSpan delay, Action happens) => _cluster.World.After(delay, () => Node.Happen(this, happens));

    public void Receive(SimLife from, SimFrame frame) => Node.Happen(this, () => Handle(from, frame));

    public void ChannelUp(SimLife peer, LinkChannel channel) => Node.Happen(this, () =>
    {
        Tell(new NodeInput.ChannelUp(peer.Inc, channel));
        Gateway.LinkUp(peer.Inc);
    });

    public void ChannelLost(SimLife peer, LinkChannel channel) => Node.Happen(this, () =>
    {
        Tell(new NodeInput.ChannelLost(peer.Inc, channel));
        Gateway.LinkLost(peer.Inc); // What was sent on it may be gone, although the other channel lives.
        if (_cluster.Network.HasLink(this, peer.Node.Index, LinkChannel.Control) || _cluster.Network.HasLink(this, peer.Node.Index, LinkChannel.Data)) Gateway.LinkUp(peer.Inc);
        _nextDial = TimeSpan.Zero;
    });

    /// <summary>Sends on the data channel, or on the control channel while that is gone.</summary>
    public bool Send(Incarnation to, SimFrame frame)
    {
        if (IsEnded || _cluster.LifeOf(to) is not { } peer || peer == this) return false;
        if (frame is SimFrame.Deliver or SimFrame.Taken or SimFrame.Refused && _cluster.Network.IsFull(Node.Index, peer.Node.Index)) return false;
        return _cluster.Network.Send(this, peer, LinkChannel.Data, frame) || _cluster.Network.Send(this, peer, LinkChannel.Control, frame);
    }

    /// <summary>Hands one input to the core and carries out what it wants.</summary>
    public void Tell(NodeInput input)
    {
        if (IsEnded) return;
        var effects = Core.Handle(input, Clock).ToArray();
        foreach (var effect in effects)
        {
            if (IsEnded || Dies()) return;
            Perform(effect);
        }
        if (IsEnded) return;
        CheckView();
        Rooms.Review();
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
        After(TickEvery, Tick);
        Tell(new NodeInput.Tick());
        if (IsEnded) return;
        Gateway.Tick();
        Rooms.Tick();
        Mixers.Tick();
        if (Clock < _nextDial || Core.Membership.Snapshot is not { } snapshot) return;
        _nextDial = Clock + TimeSpan.FromMilliseconds(200 + Node.Random.Below(100));
        foreach (var member in snapshot.Members)
            if (member.IsLive && member.Inc != Inc && _cluster.LifeOf(member.Inc) is { } peer) _cluster.Network.Dial(this, peer.Node);
    }

    private void Handle(SimLife from, SimFrame frame)
    {
        switch (frame)
        {
            case SimFrame.Beat(var beat, var channel):
                Tell(new NodeInput.Heard(beat, channel));
                break;
            case SimFrame.Down:
                Tell(new NodeInput.ToldDown(from.Inc));
                break;
            case SimFrame.Hint:
                Tell(new NodeInput.Hinted());
                break;
            case SimFrame.Announce(var moved):
                Gateway.Learn(moved);
                Tell(new NodeInput.Moved());
                break;
            case SimFrame.Deliver deliver:
                Rooms.Arrived(from.Inc, deliver);
                break;
            case SimFrame.Subscribe subscribe:
                Rooms.Subscribed(from.Inc, subscribe);
                break;
            default:
                Gateway.Handle(frame);
                break;
        }
    }

    private void Perform(NodeEffect effect)
    {
        switch (effect)
        {
            case NodeEffect.Call(var call):
                _cluster.Store.Control(this, call, answer => Answered(answer));
                break;
            case NodeEffect.Beat(var to, var channel, var beat):
                _cluster.Network.Send(this, _cluster.LifeOf(to), channel, new SimFrame.Beat(beat, channel));
                break;
            case NodeEffect.ProbeLink(var peer):
                ProbeLink(peer);
                break;
            case NodeEffect.ProbeLock(var peer):
                After(TimeSpan.FromMilliseconds(2), () => Tell(new NodeInput.LockProbed(peer.Inc, !_cluster.HoldsLock(peer))));
                break;
            case NodeEffect.Hint:
                Broadcast(new SimFrame.Hint());
                break;
            case ShardEffect.Announce(var moved):
                Broadcast(new SimFrame.Announce(moved));
                break;
            case ShardEffect.Routes(var known):
                Gateway.Learn(known);
                break;
            case ShardEffect.Start(var shards):
                Rooms.Start([.. shards.Where(s => !_cluster.Types.IsExclusive(s.Type))]);
                Mixers.Start([.. shards.Where(s => _cluster.Types.IsExclusive(s.Type))]);
                break;
            case ShardEffect.Drain(var shards):
                Rooms.Drain(shards);
                Mixers.Drain(shards);
                break;
            case ShardEffect.Reopen(var shards):
                Rooms.Reopen(shards);
                Mixers.Reopen(shards);
                break;
            case ShardEffect.Stop(var shards):
                Rooms.Stop(shards);
                Mixers.Stop(shards);
                break;
            case NodeEffect.Decided(var what):
                _cluster.World.Trace($"{Inc} decided {what}");
                break;
            case NodeEffect.Stop(var exitCode, var reason):
                End(exitCode, reason);
                break;
            default:
                throw new UnreachableException($"No rule for {effect}.");
        }
    }

    private void Answered(ControlAnswer answer)
    {
        Tell(new NodeInput.Answered(answer));
        if (!IsEnded && _cluster.Plan.Mutation == SimMutation.LeaveFrozenWithoutReadingOwnRows && answer is { IsOk: true, Call: ControlCall.Renew })
            Core.Membership.Lease.OwnRowsRead(TimeSpan.MaxValue);
    }

    /// <summary>A dial is refused when nobody listens, or another incarnation answers; a cut or a standing process leaves it open.</summary>
    private void ProbeLink(MemberRow peer)
    {
        var other = _cluster.NodeAt(peer.LinkAddress);
        After(TimeSpan.FromMilliseconds(3), () =>
        {
            if (!_cluster.Network.AreConnected(Node.Index, other.Index)) return;
            if (!other.IsPaused) Tell(new NodeInput.LinkProbed(peer.Inc, other.Life?.Inc != peer.Inc));
        });
    }

    private void Broadcast(SimFrame frame)
    {
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
        foreach (var down in snapshot.Members.Where(m => !m.IsLive && m.Inc != Inc)) Send(down.Inc, new SimFrame.Down());
        _cluster.Checkers.ViewApplied(this, snapshot);
    }
}
