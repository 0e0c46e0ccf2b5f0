using System.Collections.Immutable;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Placement;
using ActorCluster.Primitives;

namespace ActorCluster.Sharding;

/// <summary>The shards of individually placed entities: their rows are made when somebody wants to reach one, and there may be a hundred thousand of them.</summary>
/// <remarks>So no node reads them all (decision 17): each reads those that nobody serves, compares number and epochs of its own, and looks others up as they are wanted.</remarks>
internal sealed partial class Ownership
{
    private const int PlacementsMax = 1024;
    private const int WantedMax = 100_000;
    private const int GivenUpMax = 100_000;
    private const int Shares = 64;
    private const int RevokedAtOnce = 4_096; // About so many by a sweep of a store.
    private static readonly TimeSpan PlacedSweepEvery = TimeSpan.FromSeconds(5);

    /// <summary>After a new view the sweep leaves to heirs that are well what they inherit: they take it with one write, the sweep with two. A hundred thousand rows take less.</summary>
    private static readonly TimeSpan InheritWithin = TimeSpan.FromSeconds(5);

    private readonly HashSet<EntityId> _isWanted = []; // Only asked, never iterated.
    private readonly Queue<EntityId> _wanted = new();
    private readonly Queue<ShardNo> _givenUpPlaced = new();
    private readonly Dictionary<Incarnation, (long Told, long Given)> _given = []; // Only asked, never iterated.
    private long _placedMarks;
    private long _changesWhenAsked;
    private bool _ownDiffers;
    private readonly HashSet<Incarnation> _seenDown = [];
    private TimeSpan _newestDown;
    private TimeSpan _ownAsked;
    private TimeSpan _ownRead;
    private TimeSpan _nextPlacedSweep;
    private long _viewSwept = -1;
    private TimeSpan _nextRevoke;
    private long _viewRevoked = -1;

    /// <summary>How many individually placed entities have their shard here.</summary>
    public long PlacedHere { get; private set; }

    /// <summary>Routers want to know where these are; more than are looked up at a time wait, and more than may wait are asked for again.</summary>
    public void Wanted(ImmutableArray<EntityId> entities)
    {
        foreach (var entity in entities)
            if (_wanted.Count < WantedMax && _isWanted.Add(entity)) _wanted.Enqueue(entity);
    }

    /// <summary>An entity says that it has ended: its shard is drained, then its row says so for good.</summary>
    public void Ended(ShardNo shard, Epoch epoch)
    {
        if (!_held.TryGetValue(shard, out var held) || held.Epoch != epoch || !types.IsPlaced(held.Type)) return;
        held.HasEnded = true;
        _moving.Add(shard);
    }

    /// <summary>Who shares what losing members served. By load as the members tell it, so that a new one gets more.</summary>
    public ImmutableArray<Incarnation> HeirsOf(ImmutableArray<MemberRow> after, ImmutableSortedSet<Incarnation> losing, Membership.Membership membership)
    {
        if (types.Placed.IsEmpty) return [];
        var all = after.Where(m => m.Status == MemberStatus.Up && !losing.Contains(m.Inc) && types.Placed.All(m.Hosts)).OrderBy(m => m.Inc).ToImmutableArray();
        var hosts = Spared(all).Where(m => types.Placed.All(m.Hosts)).ToArray();
        var lost = losing.IsEmpty ? RevokedAtOnce : losing.Sum(inc => membership.PlacedAt(inc));
        return LoadPlacement.Deal(hosts, inc => LoadOf(inc, membership), Shares, Math.Max(1, lost / (double)Shares));
    }

    private bool IsPlaced(ShardNo no) => _held.TryGetValue(no, out var held) && types.IsPlaced(held.Type);

    private void GiveUp(ShardNo shard, Epoch epoch, Held? held)
    {
        _givenUp[shard] = epoch;
        if (held is null || _held.ContainsKey(shard) || !types.IsPlaced(held.Type)) return;
        // Of hashed shards there are only so many; of these only those that an old read could still show as owned are kept.
        _givenUpPlaced.Enqueue(shard);
        if (_givenUpPlaced.Count > GivenUpMax && _givenUpPlaced.Dequeue() is var old) _givenUp.Remove(old);
    }

    private void Place(Membership.Membership membership, TimeSpan now, List<NodeEffect> effects)
    {
        if (_wanted.Count == 0 || now < _callsFrom || _underWay.ContainsKey(typeof(ControlCall.Place))) return;
        var batch = new List<EntityId>();
        while (batch.Count < PlacementsMax && _wanted.TryDequeue(out var next)) batch.Add(next);
        _isWanted.ExceptWith(batch);
        var placements = ImmutableArray.CreateBuilder<ShardPlacement>(batch.Count);
        foreach (var type in batch.GroupBy(e => e.Type).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var hosts = Spared([.. membership.Snapshot!.Members.Where(m => m.Status == MemberStatus.Up && membership.MayBeGivenShards(m.Inc, now))]).Where(m => m.Hosts(type.Key)).OrderBy(m => m.Inc).ToArray();
            var heard = hosts.Where(m => m.Inc == self || membership.Detector.IsReached(m.Inc)).ToArray();
            // Most of them are only looked up, so what is dealt here is not counted until its row turns out to be new.
            var dealt = LoadPlacement.Deal(heard.Length > 0 ? heard : hosts, inc => LoadOf(inc, membership), type.Count());
            if (!dealt.IsEmpty) placements.AddRange(type.Select((e, i) => new ShardPlacement(e.Type, e.Id, dealt[i])));
        }
        if (placements.Count > 0) Call(new ControlCall.Place(placements.ToImmutable()), now, static () => { }, effects);
    }

    private double LoadOf(Incarnation inc, Membership.Membership membership)
    {
        var told = membership.PlacedAt(inc);
        var (before, given) = _given.GetValueOrDefault(inc, (told, 0));
        given = Math.Max(0, given - Math.Max(0, told - before)); // What was given shows in what it tells by now.
        _given[inc] = (told, given);
        return told + given;
    }

    private void Found(ImmutableArray<ShardRow> rows, List<NodeEffect> effects)
    {
        var isNews = false;
        foreach (var row in rows)
        {
            if (row is not { State: ShardState.Free, Target: { } target }) continue;
            isNews |= row.Epoch == default; // Perhaps made just now, by us or by another; its target shall not wait for its poll.
            _acquireWanted |= target == self;
            if (row.Epoch == default && _given.TryGetValue(target, out var given)) _given[target] = given with { Given = given.Given + 1 };
        }
        effects.Add(new ShardEffect.Found(rows));
        if (isNews) effects.Add(new NodeEffect.Hint());
    }

    /// <summary>Number and epochs of the own rows tell whether the store and this node agree. A picture that was read while own rows came or went says nothing, and any other must say twice that they differ.
    /// While they differ, the own rows do not count as read: nothing is served from memory on the strength of them, and the frozen state does not end.</summary>
    private void CompareOwn(ShardPicture picture, TimeSpan now, List<NodeEffect> effects)
    {
        var differs = (picture.Own, picture.OwnMarks) != (PlacedHere, _placedMarks);
        if (differs && ChangesOfOwn != _changesWhenAsked)
        {
            _readWanted = true;
            return;
        }
        if (!differs) RowsAskedAt = _readAsked;
        else if (_ownDiffers)
        {
            // Together with the picture they are all own rows, and no younger than it.
            var asked = _readAsked;
            Call(new ControlCall.ReadOwn(self), now, () => _ownAsked = asked, effects);
        }
        _ownDiffers = differs;
    }

    /// <summary>Grows with every call that may change own rows, when it is sent and when it is answered.</summary>
    private long ChangesOfOwn { get; set; }

    private void OwnRead(ImmutableArray<ShardRow> rows, TimeSpan now, List<NodeEffect> effects)
    {
        _ownRead = _ownAsked; // What is read further of these rows belongs to them, whatever is asked meanwhile.
        var start = rows.Where(r => !_held.ContainsKey(r.No)).Select(r => new AcquiredShard(r.No, r.Type, r.Key, r.Epoch, r.NextSeq)).ToImmutableArray();
        if (!start.IsEmpty) Own(start, effects);
        var owned = rows.Select(r => r.No).ToHashSet();
        // What is not among them may have been acquired since: their rows say.
        var missing = _held.Where(h => types.IsPlaced(h.Value.Type) && !owned.Contains(h.Key)).Select(h => h.Key).ToImmutableArray();
        if (missing.IsEmpty) Compare(rows, effects);
        else Call(new ControlCall.ReadRows(missing), now, static () => { }, effects);
    }

    private void Compare(ImmutableArray<ShardRow> rows, List<NodeEffect> effects)
    {
        var lost = rows.Where(r => _held.TryGetValue(r.No, out var held) && r.Epoch >= held.Epoch && (r.Owner != self || r.Epoch != held.Epoch)).Select(r => (r.No, _held[r.No].Epoch)).ToImmutableArray();
        if (!lost.IsEmpty) Lose(lost, effects);
        if (_ownRead > RowsAskedAt) RowsAskedAt = _ownRead;
    }

    /// <summary>Like a release, it is final once it was sent, and repeated until the store has spoken.</summary>
    private void End(ImmutableArray<(ShardNo No, Epoch Epoch)> shards, TimeSpan now, List<NodeEffect> effects) => Call(
        new ControlCall.End(self, shards),
        now,
        () =>
        {
            foreach (var (no, epoch) in shards)
            {
                _held[no].Phase = Phase.Releasing;
                GiveUp(no, epoch, _held[no]);
            }
        },
        effects);

    private void EndAnswered(ControlCall.End end, ControlAnswer answer, List<NodeEffect> effects)
    {
        if (!answer.IsOk) return;
        // What the store did not end now is somebody else's, or ended before: the own rows tell which, and nobody is told anything.
        var done = answer.As<ImmutableArray<ShardNo>>();
        if (done.Length < end.Shards.Length) _readWanted = true;
        var gone = end.Shards.Where(s => done.Contains(s.Shard) && _held.TryGetValue(s.Shard, out var held) && held.Epoch == s.Epoch).ToImmutableArray();
        if (gone.IsEmpty) return;
        Lose(gone, effects);
        var ended = gone.Select(s => new ShardRoute(s.Shard, s.Epoch, default)).ToImmutableArray();
        effects.Add(new ShardEffect.Routes(ended));
        effects.Add(new ShardEffect.Announce(ended)); // Whoever has written to it need not remember it.
    }

    /// <summary>Rows of placed types leave the picture when they are settled; how long they were free is of no more interest.</summary>
    private void ForgetSettled(ImmutableArray<ShardRow> rows)
    {
        if (_free.Count == 0 || types.Placed.IsEmpty) return;
        var free = rows.Where(r => r.State == ShardState.Free).Select(r => r.No).ToHashSet();
        foreach (var settled in _free.Keys.Where(no => !free.Contains(no)).ToList()) _free.Remove(settled);
    }

    /// <summary>A row that an eviction passed over, be it locked or one of very many, is not in the picture: the store looks for such ones by itself, at once in a new view.</summary>
    private void SweepPlaced(Membership.Membership membership, ImmutableArray<MemberRow> members, TimeSpan now, List<NodeEffect> effects)
    {
        if (types.Placed.IsEmpty || (now < _nextPlacedSweep && membership.View == _viewSwept)) return;
        (_nextPlacedSweep, _viewSwept) = (now + PlacedSweepEvery, membership.View);
        RevokeOfDown(membership, members, now, effects);
        Call(new ControlCall.PruneEnded(times.EndedRetention), now, static () => { }, effects);
    }

    private void Revoked(ControlCall.RevokeOfDown call, int count, List<NodeEffect> effects)
    {
        if (count == 0) return;
        foreach (var heir in call.Heirs)
            if (_given.TryGetValue(heir, out var given)) _given[heir] = given with { Given = given.Given + Math.Max(1, count / Shares) };
        _nextSweep = _nextPlacedSweep = _nextRevoke = default; // There may be more.
        Hinted();
        effects.Add(new NodeEffect.Hint());
    }

    private void RevokeOfDown(Membership.Membership membership, ImmutableArray<MemberRow> members, TimeSpan now, List<NodeEffect> effects)
    {
        var down = membership.Snapshot!.Members.Where(m => m.Status == MemberStatus.Down).Select(m => m.Inc).ToHashSet();
        _seenDown.IntersectWith(down);
        if (!_seenDown.IsSupersetOf(down)) _newestDown = now; // Not with every view: others may come and go all the time.
        _seenDown.UnionWith(down);
        ImmutableArray<Incarnation> trusted = now - _newestDown < InheritWithin
            ? [.. members.Where(m => m.Status == MemberStatus.Up && !(_sickAreFew && _sick.Contains(m.Inc))).Select(m => m.Inc)] : [];
        // What the store leaves now it leaves for a while: heirs take it, or somebody holds its lock.
        Call(new ControlCall.RevokeOfDown(HeirsOf(members, [], membership), trusted), now, () => (_nextRevoke, _viewRevoked) = (now + times.PollCalm, membership.View), effects);
    }
}
