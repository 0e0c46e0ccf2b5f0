using System.Collections.Immutable;
using System.Diagnostics;
using ActorCluster.Downing;
using ActorCluster.Links;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Placement;
using ActorCluster.Primitives;
using ActorCluster.Sharding;

namespace ActorCluster.Hosting;

/// <summary>What a node's core is told.</summary>
internal abstract record NodeInput
{
    public sealed record Tick(TimeSpan? WallAhead = null) : NodeInput;

    public sealed record Heard(Heartbeat Beat, LinkChannel Channel) : NodeInput;

    public sealed record ChannelUp(Incarnation Peer, LinkChannel Channel) : NodeInput;

    public sealed record ChannelLost(Incarnation Peer, LinkChannel Channel) : NodeInput;

    public sealed record LinkProbed(Incarnation Peer, bool Gone) : NodeInput;

    public sealed record LockProbed(Incarnation Peer, bool Free) : NodeInput;

    public sealed record SessionProbed(Incarnation Peer, bool Gone) : NodeInput;

    /// <summary>Whoever answers at a peer's address could not prove this node's secret.</summary>
    public sealed record SecretDiffers(Incarnation Peer) : NodeInput;

    /// <summary>What a witness said, or that it said nothing in time.</summary>
    public sealed record WitnessAnswered(Witness Witness, bool Ok, string Answer) : NodeInput;

    /// <summary>The thread pool has run the item of that number.</summary>
    public sealed record PoolRan(long No) : NodeInput;

    public sealed record Hinted : NodeInput;

    public sealed record Answered(ControlAnswer Answer) : NodeInput;

    public sealed record Drained(ShardNo Shard, Epoch Epoch) : NodeInput;

    /// <summary>Nothing of these shards runs here any more, effects outside the store included.</summary>
    public sealed record Stopped(ImmutableArray<(ShardNo Shard, Epoch Epoch)> Shards) : NodeInput;

    public sealed record Fenced(ShardNo Shard, Epoch Epoch) : NodeInput;

    /// <summary>The store has forgotten a batch that it had taken.</summary>
    public sealed record Regressed(string What) : NodeInput;

    /// <summary>A peer says that this incarnation is down.</summary>
    public sealed record ToldDown(Incarnation By) : NodeInput;

    /// <summary>A router met an owner that does not know the shard, or has none: it wants fresh rows.</summary>
    public sealed record RouteWanted : NodeInput;

    /// <summary>Routers want to reach individually placed entities and do not know where they are, or whether they are.</summary>
    public sealed record EntitiesWanted(ImmutableArray<EntityId> Entities) : NodeInput;

    /// <summary>The entity of an individually placed shard has ended.</summary>
    public sealed record EntityEnded(ShardNo Shard, Epoch Epoch) : NodeInput;

    /// <summary>A peer that lost the store has stopped these shards of its own and asks that they be released.</summary>
    public sealed record HelpAsked(ImmutableArray<ShardRoute> Shards) : NodeInput;

    /// <summary>A peer announced that shards moved.</summary>
    public sealed record Moved : NodeInput;

    public sealed record Leave : NodeInput;
}

/// <summary>One incarnation of a node: membership and shard ownership as one state machine, without clock, socket or store.</summary>
/// <remarks>Not thread-safe: the node's control thread, or the simulator, owns it.</remarks>
internal sealed class NodeCore
{
    private readonly List<NodeEffect> _effects = [];
    private readonly Pruning _pruning;

    public NodeCore(MemberRow draft, ProtocolTimes times, SplitBrainResolver resolver, Func<Guid> newId, TypeRules? types = null, WitnessBoard? witnesses = null, Retention? retention = null, long settingsVersion = 0, WatchRules? watch = null, FailsafeRules? failsafe = null, SickMembers? sick = null, FrozenRules? frozen = null)
    {
        Ownership = new Ownership(draft.Inc, times, types ?? TypeRules.None) { SickRules = sick ?? new SickMembers() };
        Membership = new Membership.Membership(draft, times, resolver, Ownership.PlanFor, witnesses ?? new WitnessBoard([], 1, times), newId, settingsVersion) { Heirs = Ownership.HeirsOf, Rules = watch ?? new WatchRules(), Failsafe = failsafe ?? FailsafeRules.Off, Freezes = frozen ?? FrozenRules.Off };
        _pruning = new Pruning(retention ?? new Retention(), now => Membership.Missing.IsEmpty && Membership.IsCoordinator(now));
    }

    public Membership.Membership Membership { get; }

    public Ownership Ownership { get; }

    /// <summary>Takes one input and returns what is to be done, in order. The list is valid until the next call.</summary>
    public IReadOnlyList<NodeEffect> Handle(NodeInput input, TimeSpan now)
    {
        _effects.Clear();
        var view = Membership.View;
        switch (input)
        {
            case NodeInput.Tick(var wallAhead):
                if (wallAhead is { } ahead) Membership.NoteWallClock(ahead, now);
                break;
            case NodeInput.Heard(var beat, var channel):
                Membership.Heard(beat, channel, now, _effects);
                return _effects; // Most beats change nothing; what one does change is decided at the next tick.
            case NodeInput.ChannelUp(var peer, var channel):
                Membership.ChannelUp(peer, channel);
                break;
            case NodeInput.ChannelLost(var peer, var channel):
                Membership.ChannelLost(peer, channel, now, _effects);
                break;
            case NodeInput.LinkProbed(var peer, var gone):
                Membership.LinkProbed(peer, gone, now, _effects);
                break;
            case NodeInput.LockProbed(var peer, var free):
                Membership.LockProbed(peer, free, now);
                break;
            case NodeInput.SessionProbed(var peer, var gone):
                Membership.SessionProbed(peer, gone, now);
                break;
            case NodeInput.SecretDiffers(var peer):
                Membership.SecretDiffers(peer);
                break;
            case NodeInput.ToldDown(var by):
                Membership.ToldDown(by, now, _effects);
                break;
            case NodeInput.WitnessAnswered(var witness, var ok, var answer):
                Membership.Witnesses.Answered(witness, ok, answer);
                break;
            case NodeInput.PoolRan(var no):
                Membership.Pool.Ran(no, now);
                break;
            case NodeInput.Hinted:
                Membership.Hinted(now, _effects);
                Ownership.Hinted();
                break;
            case NodeInput.RouteWanted:
                Ownership.Hinted();
                break;
            case NodeInput.EntitiesWanted(var entities):
                Ownership.Wanted(entities);
                break;
            case NodeInput.EntityEnded(var shard, var epoch):
                Ownership.Ended(shard, epoch);
                break;
            case NodeInput.HelpAsked(var shards):
                Ownership.HelpAsked(shards);
                break;
            case NodeInput.Moved:
                // Whoever plans the next hand-offs should not wait for its poll; the others have what they need in the announcement.
                if (Membership.IsCoordinator(now)) Ownership.Hinted();
                break;
            case NodeInput.Answered(var answer):
                Membership.Answered(answer, now, _effects);
                Ownership.Answered(answer, now, _effects);
                _pruning.Answered(answer, now);
                if (Ownership.Regressed is { } shrunk) Membership.Regressed(shrunk, _effects);
                // Rows that were asked for before the lease was renewed prove nothing about now.
                if (answer is { IsOk: true, Call: ControlCall.ReadPicture or ControlCall.ReadOwn or ControlCall.ReadRows } && Ownership.Regressed is null) Membership.Lease.OwnRowsRead(Ownership.RowsAskedAt);
                break;
            case NodeInput.Drained(var shard, var epoch):
                Ownership.Drained(shard, epoch);
                break;
            case NodeInput.Stopped(var shards):
                Ownership.Stopped(shards);
                break;
            case NodeInput.Fenced(var shard, var epoch):
                Ownership.Fenced(shard, epoch, _effects);
                Membership.Fenced(now, _effects);
                break;
            case NodeInput.Regressed(var what):
                Membership.Regressed(what, _effects);
                break;
            case NodeInput.Leave:
                Membership.Leave(now);
                break;
            default:
                throw new UnreachableException($"No rule for {input}.");
        }
        if (Membership.View != view) Ownership.Hinted();
        (Membership.OwnPlaced, Membership.TakesNothing, Membership.OwnRowsAskedAt) = (Ownership.PlacedHere, Ownership.IsHelped, Ownership.RowsAskedAt);
        Ownership.NoteSick(Membership, now); // A view change that is proposed now gives shards away.
        Membership.Tick(now, Ownership.OwnsNothing, Ownership.Awaited, _effects);
        if (Membership.StoreRegressed is not null) return _effects;
        Ownership.Tick(Membership, now, _effects);
        _pruning.Tick(now, _effects);
        return _effects;
    }

    /// <summary>Everything served here, for a life that ends.</summary>
    public ImmutableArray<(ShardNo Shard, Epoch Epoch)> Serving => [.. Ownership.Serving];
}
