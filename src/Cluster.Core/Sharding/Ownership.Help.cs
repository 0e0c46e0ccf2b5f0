using System.Collections.Immutable;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Placement;
using ActorCluster.Primitives;

namespace ActorCluster.Sharding;

/// <summary>A node that lost the store has a member that reaches it release its shards, instead of letting the others wait for its lease (decision 22).</summary>
/// <remarks>What was stopped here for it is never served again under its epoch, so the request may land whenever it does: like a release that was sent, it is final.</remarks>
internal sealed partial class Ownership
{
    private const int HelpedAtOnce = 1_000;
    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(1);

    private readonly SortedDictionary<ShardNo, (Incarnation Owner, Epoch Epoch)> _helping = [];
    private TimeSpan _nextAsk;

    /// <summary>This node has given its shards up for want of the store, and has not reached it since: nothing is to be given to it.</summary>
    public bool IsHelped { get; private set; }

    /// <summary>A member that lost the store asks that its shards be released; it has stopped them.</summary>
    public void HelpAsked(ImmutableArray<ShardRoute> shards)
    {
        foreach (var shard in shards) _helping[shard.Shard] = (shard.Owner, shard.Epoch);
    }

    private void AskForHelp(Membership.Membership membership, TimeSpan now, List<NodeEffect> effects)
    {
        if (membership.StoreOk(now)) IsHelped = false;
        if (membership.Helper(now) is not { } helper) return;
        // Whatever else was under way with them needs the store too; only the end of an entity is for the store alone to take.
        var stop = _held.Where(h => h.Value is { HasEnded: false, Phase: Phase.Serving or Phase.Draining or Phase.Drained }).Select(h => (h.Key, h.Value.Epoch)).ToImmutableArray();
        if (!stop.IsEmpty)
        {
            IsHelped = true;
            foreach (var (no, epoch) in stop)
            {
                _held[no].Phase = Phase.Stopping;
                GiveUp(no, epoch, _held[no]);
            }
            _moving.UnionWith(stop.Select(s => s.Key));
            effects.Add(new ShardEffect.Stop(stop));
        }
        if (now < _nextAsk) return;
        var ask = _held.Where(h => h.Value is { HasEnded: false, Phase: Phase.Releasing }).Take(HelpedAtOnce).Select(h => new ShardRoute(h.Key, h.Value.Epoch, self)).ToImmutableArray();
        if (ask.IsEmpty) return;
        _nextAsk = now + AskAgain;
        effects.Add(new ShardEffect.AskRelease(helper, ask));
    }

    /// <summary>One member at a time; whatever is not done now is asked for again.</summary>
    private void Help(Membership.Membership membership, TimeSpan now, List<NodeEffect> effects)
    {
        if (_helping.Count == 0 || _underWay.ContainsKey(typeof(ControlCall.Release))) return;
        var owner = _helping.First().Value.Owner;
        var shards = _helping.Where(h => h.Value.Owner == owner).Select(h => (h.Key, h.Value.Epoch, (Incarnation?)null)).ToImmutableArray();
        foreach (var (no, _, _) in shards) _helping.Remove(no);
        if (!membership.StoreOk(now) || membership.SelfRow.Status != MemberStatus.Up || membership.Snapshot!.Find(owner) is not { IsLive: true }) return;
        Call(new ControlCall.Release(owner, Aimed(membership, owner, shards)), now, static () => { }, effects);
    }

    /// <summary>Where shards that their owner releases go, unless it has said where.</summary>
    private ImmutableArray<ShardRelease> Aimed(Membership.Membership membership, Incarnation owner, ImmutableArray<(ShardNo No, Epoch Epoch, Incarnation? Target)> shards)
    {
        var untargeted = shards.Where(s => s.Target is null).Select(s => s.No).ToHashSet();
        var others = membership.Snapshot!.Members.Where(m => m.Inc != owner && (owner == self || membership.MayBeGivenShards(m.Inc, _readAsked))).ToImmutableArray();
        var planned = ShardAllocation.Place(Spared(others), _rows, [.. _rows.Where(r => untargeted.Contains(r.No))], rules: types).ToDictionary(t => t.Shard, t => t.Target);
        // What is not among the rows that everybody reads is individually placed.
        bool HasHeirs(ShardNo no) => owner == self ? IsPlaced(no) : !planned.ContainsKey(no);
        var heirs = shards.Any(s => s.Target is null && HasHeirs(s.No)) ? HeirsOf([.. others.Where(m => membership.MayBeGivenShards(m.Inc, _readAsked))], [owner], membership) : [];
        Incarnation? Heir(ShardNo no) => !heirs.IsEmpty && HasHeirs(no) ? heirs[(int)(no.Value % heirs.Length)] : null;
        return [.. shards.Select(s => new ShardRelease(s.No, s.Epoch, s.Target ?? (planned.TryGetValue(s.No, out var t) ? t : Heir(s.No))))];
    }
}
