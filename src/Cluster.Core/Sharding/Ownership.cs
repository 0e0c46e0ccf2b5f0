using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Placement;
using ActorCluster.Primitives;

namespace ActorCluster.Sharding;

/// <summary>Which shards this node serves, and how they come and go (protocol, section 5).</summary>
/// <remarks>Not thread-safe. Everything is re-driven from the rows: no step lives only in memory, so no lost reply and no crash strands a shard.
/// An epoch orders all news of a shard; what is older than what is known is ignored.</remarks>
internal sealed partial class Ownership(Incarnation self, ProtocolTimes times, TypeRules types)
{
    private const int HandoffsAtOnce = 8;
    private const int DrainsAtOnce = 64;

    private readonly SortedDictionary<ShardNo, Held> _held = [];
    private readonly SortedDictionary<ShardNo, Epoch> _givenUp = [];
    private readonly SortedDictionary<ShardNo, (Epoch Epoch, Incarnation? Target, TimeSpan Since)> _free = [];
    private readonly Dictionary<Type, ControlCall> _underWay = [];
    private readonly SortedDictionary<Incarnation, TimeSpan> _wellSince = [];
    private readonly SortedSet<ShardNo> _moving = []; // Those of the held that are on their way out, or were; the others just serve.
    private readonly HashSet<(ShardNo Shard, Epoch Epoch)> _ending = []; // Only asked, never iterated.

    private ImmutableArray<ShardRow> _rows = [];
    private TimeSpan _readAsked;
    private TimeSpan _nextRead;
    private TimeSpan _readFrom;
    private bool _readWanted = true;
    private bool _acquireWanted;
    private TimeSpan _nextSweep;
    private TimeSpan _callsFrom;

    /// <summary>When the newest applied read was asked for; the node's own rows were as it showed at that time or later.</summary>
    public TimeSpan RowsAskedAt { get; private set; }

    /// <summary>The shard rows as last read: all of hashed types, and those of placed types that are free or on their way.</summary>
    public ImmutableArray<ShardRow> Rows => _rows;

    /// <summary>Shards served here, by number.</summary>
    public IEnumerable<(ShardNo Shard, Epoch Epoch)> Serving => _held.Select(h => (h.Key, h.Value.Epoch));

    public bool OwnsNothing => _held.Count == 0 && !_underWay.ContainsKey(typeof(ControlCall.Acquire)) && !_underWay.ContainsKey(typeof(ControlCall.Release));

    /// <summary>A row that the newest read shows lower than the read before it; null when all only grew. Such a store has forgotten commits.</summary>
    public string? Regressed { get; private set; }

    /// <summary>Former owners that exclusive shards wait for; they may be down.</summary>
    public ImmutableSortedSet<Incarnation> Awaited { get; private set; } = [];

    /// <summary>New targets for what the losing members own or wait for, and for free rows that nobody alive waits for.</summary>
    public ImmutableArray<ShardTarget> PlanFor(ImmutableArray<MemberRow> after, ImmutableSortedSet<Incarnation> losing)
    {
        bool IsLost(Incarnation? inc) => inc is { } x && losing.Contains(x);
        bool Waits(Incarnation? inc) => inc is { } x && !losing.Contains(x) && after.Any(m => m.Inc == x && m.Status == MemberStatus.Up);
        // A place that is kept for a host which stopped in good order is the sweep's to give away.
        bool IsKept(ShardRow r) => types.SingletonOf(r.Type) is { FailsOverAtShutdown: false } && (Released(r) ? r.Owner == self : r is { Owner: null, Previous: null } && r.Epoch > default(Epoch));
        bool Released(ShardRow r) => r.Owner is not null && _givenUp.TryGetValue(r.No, out var given) && given >= r.Epoch; // The rows are older than the release.
        var freed = _rows.Where(r => r.State != ShardState.Ended && !IsKept(r) && (IsLost(r.Owner) || (r.Owner is null && !Waits(r.Target)))).ToList();
        // A released member stays up, but gets nothing while the store does not hear of it.
        var eligible = after.Where(m => !losing.Contains(m.Inc)).ToImmutableArray();
        var kept = _rows.Where(IsKept).Select(r => new ShardTarget(r.No, (r.Owner ?? r.Target) ?? default)).Where(t => losing.Contains(t.Target)); // Else the row would forget for whom.
        return [.. ShardAllocation.Place(Spared(eligible, SickRules.AreFew(after, _sick)), _rows, freed, rules: types), .. kept];
    }

    /// <summary>Somebody has news: read and acquire at once.</summary>
    public void Hinted()
    {
        _readWanted = true;
        _acquireWanted = true;
    }

    public void Tick(Membership.Membership membership, TimeSpan now, List<NodeEffect> effects)
    {
        var me = membership.SelfRow;
        if (!me.IsLive || membership.Snapshot is null) return;
        if (_acquireWanted && me.Status == MemberStatus.Up && membership.Lease.IsLive(now)) Call(new ControlCall.Acquire(self, membership.StaleAmong(_rows.Where(r => r.Target == self && r.State == ShardState.Free).Select(r => r.Previous).OfType<Incarnation>(), now)), now, () => _acquireWanted = false, effects);
        var interval = membership.Missing.Length > 0 || me.Status != MemberStatus.Up ? times.PollUnsettled : times.PollCalm;
        if (now >= _readFrom && (_readWanted || now >= _nextRead || membership.Lease.AwaitsRowsAfter(_readAsked)))
            Call(new ControlCall.ReadPicture(self), now, () => (_readWanted, _readAsked, _nextRead, _changesWhenAsked) = (false, now, now + interval, ChangesOfOwn), effects);
        Place(membership, now, effects);
        Help(membership, now, effects);
        AskForHelp(membership, now, effects);
        DriveHandoffs(membership, now, effects);
        if (now >= _nextSweep && membership.IsCoordinator(now)) Sweep(membership, now, effects);
    }

    /// <summary>The driver has emptied a shard: nothing of it runs, nothing of it is in doubt.</summary>
    public void Drained(ShardNo shard, Epoch epoch)
    {
        if (_held.TryGetValue(shard, out var held) && held.Epoch == epoch && held.Phase == Phase.Draining) held.Phase = Phase.Drained;
    }

    /// <summary>The driver has ended what ran of lost shards; only now may a taker-over of an exclusive one be told so (protocol 4.5).</summary>
    public void Stopped(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards)
    {
        foreach (var shard in shards)
        {
            _readWanted |= _ending.Remove(shard);
            if (_held.TryGetValue(shard.Shard, out var held) && held.Epoch == shard.Epoch && held.Phase == Phase.Stopping) held.Phase = Phase.Releasing;
        }
    }

    /// <summary>A write to a shard was refused by the store.</summary>
    public void Fenced(ShardNo shard, Epoch epoch, List<NodeEffect> effects)
    {
        if (_held.TryGetValue(shard, out var held) && held.Epoch == epoch) Lose([(shard, epoch)], effects);
        _readWanted = true;
    }

    public void Answered(ControlAnswer answer, TimeSpan now, List<NodeEffect> effects)
    {
        if (!_underWay.TryGetValue(answer.Call.GetType(), out var asked) || !ReferenceEquals(asked, answer.Call)) return;
        _underWay.Remove(answer.Call.GetType());
        if (ChangesOwn(answer.Call)) ChangesOfOwn++;
        // A store that is away refuses within a millisecond; whatever is wanted of it would be asked thousands of times a second.
        // News may come faster than very many rows can be read; a third of the time is enough for that.
        if (answer.Call is ControlCall.ReadPicture) _readFrom = now + TimeSpan.FromTicks(Math.Min((now - _readAsked).Ticks * 2, times.PollUnsettled.Ticks * 2));
        if (answer.Verdict is StoreVerdict.NotSent or StoreVerdict.InDoubt) _callsFrom = now + times.PollUnsettled;
        switch (answer.Call)
        {
            case ControlCall.ReadPicture when answer.IsOk:
                Learned(answer.As<ShardPicture>(), now, effects);
                break;
            case ControlCall.ReadOwn(var owner) when answer.IsOk:
                ReadOfSick(owner, answer.As<ImmutableArray<ShardRow>>());
                if (owner == self) OwnRead(answer.As<ImmutableArray<ShardRow>>(), now, effects);
                break;
            case ControlCall.ReadRows when answer.IsOk:
                Compare(answer.As<ImmutableArray<ShardRow>>(), effects);
                break;
            case ControlCall.Place when answer.IsOk:
                Found(answer.As<ImmutableArray<ShardRow>>(), effects);
                break;
            case ControlCall.End end:
                EndAnswered(end, answer, effects);
                break;
            case ControlCall.ReadOwn or ControlCall.ReadRows or ControlCall.Place or ControlCall.PruneEnded:
                break; // Asked again by whoever still wants it.
            case ControlCall.Acquire when answer.IsOk:
                var acquired = answer.As<ImmutableArray<AcquiredShard>>();
                _acquireWanted |= !acquired.IsEmpty; // There may be more.
                Own(acquired, effects);
                break;
            case ControlCall.Acquire when answer.Verdict is StoreVerdict.InDoubt or StoreVerdict.NotSent:
                // What was acquired shows in the rows; what is still to be inherited does not.
                (_readWanted, _acquireWanted) = (true, true);
                break;
            case ControlCall.Release release:
                Released(release, answer, effects);
                break;
            case ControlCall.RevertHandoff revert when answer.IsOk:
                Reverted(revert, answer.As<ImmutableArray<ShardNo>>(), effects);
                break;
            case ControlCall.RevokeOfDown revoke when answer.IsOk:
                Revoked(revoke, answer.As<int>(), effects);
                break;
            case ControlCall.RevokeOfDown:
                (_nextRevoke, _readWanted) = (default, true); // Nothing is known of what the store would leave.
                break;
            case ControlCall.PlanHandoff or ControlCall.Retarget when answer.IsOk && answer.As<ImmutableArray<ShardNo>>().Length > 0:
                Hinted();
                effects.Add(new NodeEffect.Hint());
                break;
            default:
                _readWanted = true;
                break;
        }
    }

    private void Call(ControlCall call, TimeSpan now, Action started, List<NodeEffect> effects)
    {
        // One of a kind at a time, and none at once after one that the store did not answer: asked again at a later tick.
        if (now < _callsFrom || !_underWay.TryAdd(call.GetType(), call)) return;
        started();
        if (ChangesOwn(call)) ChangesOfOwn++;
        effects.Add(new NodeEffect.Call(call));
    }

    private static bool ChangesOwn(ControlCall call) => call is ControlCall.Acquire or ControlCall.Release or ControlCall.End;

    /// <summary>Reads follow each other, so a later one shows no less, whatever else is under way. Both are sorted by number.</summary>
    private string? Shrunk(ImmutableArray<ShardRow> rows)
    {
        var i = 0;
        foreach (var known in _rows)
        {
            while (i < rows.Length && rows[i].No.Value < known.No.Value) i++;
            if (i == rows.Length || rows[i].No != known.No)
            {
                if (!types.IsPlaced(known.Type)) return $"shard {known.No} of {known.Type} is gone";
                continue;
            }
            if (rows[i].Epoch < known.Epoch) return $"shard {known.No} shows epoch {rows[i].Epoch}, but this node has seen epoch {known.Epoch}";
            if (rows[i].NextSeq < known.NextSeq) return string.Create(CultureInfo.InvariantCulture, $"shard {known.No} shows {rows[i].NextSeq - 1} journal rows, but this node has seen {known.NextSeq - 1}");
        }
        return null;
    }

    private void Learned(ShardPicture picture, TimeSpan now, List<NodeEffect> effects)
    {
        var rows = picture.Rows;
        Regressed = Shrunk(rows);
        if (Regressed is not null) return; // Nothing is started, stopped or learned from it.
        _rows = rows;
        var start = ImmutableArray.CreateBuilder<AcquiredShard>();
        var lost = ImmutableArray.CreateBuilder<(ShardNo, Epoch)>();
        var cleared = ImmutableArray.CreateBuilder<(ShardNo, Epoch)>();
        var routes = ImmutableArray.CreateBuilder<ShardRoute>();
        foreach (var row in rows)
        {
            if (row.Owner is { } owner) routes.Add(new ShardRoute(row.No, row.Epoch, owner));
            if (row.State == ShardState.Free && row.Target == self) _acquireWanted = true;
            NoteFree(row, now);
            if (_held.TryGetValue(row.No, out var held))
            {
                if (row.Epoch < held.Epoch) continue; // The read is older than the acquire.
                if (row.Owner != self || row.Epoch != held.Epoch) lost.Add((row.No, held.Epoch));
                else
                {
                    held.HandoffTo = row.State == ShardState.Handoff ? row.Target : null;
                    if (held.HandoffTo is not null) _moving.Add(row.No);
                }
            }
            else if (row.Owner == self)
            {
                start.Add(new AcquiredShard(row.No, row.Type, row.Key, row.Epoch, row.NextSeq)); // The acquire's answer was lost.
            }
            if (row.Previous == self && !_held.ContainsKey(row.No) && !_ending.Contains((row.No, row.Epoch))) cleared.Add((row.No, row.Epoch));
        }
        ForgetSettled(rows);
        Awaited = [.. rows.Where(r => types.IsExclusive(r.Type)).Select(r => r.Previous).OfType<Incarnation>()];
        if (routes.Count > 0) effects.Add(new ShardEffect.Routes(routes.ToImmutable()));
        if (lost.Count > 0) Lose(lost.ToImmutable(), effects);
        if (start.Count > 0) Own(start.ToImmutable(), effects);
        CompareOwn(picture, now, effects);
        if (cleared.Count > 0) Call(new ControlCall.ClearPrevious(self, cleared.ToImmutable()), now, static () => { }, effects);
    }

    private void Own(ImmutableArray<AcquiredShard> shards, List<NodeEffect> effects)
    {
        // An epoch that was released or lost never starts again, however late its acquire is answered or an old row read.
        var fresh = shards.Where(s => !(_givenUp.TryGetValue(s.No, out var given) && given >= s.Epoch) && (!_held.TryGetValue(s.No, out var held) || held.Epoch < s.Epoch)).ToImmutableArray();
        if (fresh.IsEmpty) return;
        var superseded = fresh.Where(s => _held.ContainsKey(s.No)).Select(s => (s.No, _held[s.No].Epoch)).ToImmutableArray();
        if (!superseded.IsEmpty) Lose(superseded, effects);
        foreach (var shard in fresh)
        {
            _held[shard.No] = new Held { Type = shard.Type, Epoch = shard.Epoch };
            if (types.IsPlaced(shard.Type)) (PlacedHere, _placedMarks) = (PlacedHere + 1, _placedMarks + ShardPicture.Mark(shard.No, shard.Epoch));
        }
        var routes = fresh.Select(s => new ShardRoute(s.No, s.Epoch, self)).ToImmutableArray();
        effects.Add(new ShardEffect.Start(fresh));
        effects.Add(new ShardEffect.Routes(routes));
        effects.Add(new ShardEffect.Announce(routes));
    }

    private void Lose(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards, List<NodeEffect> effects)
    {
        foreach (var (shard, epoch) in shards)
        {
            if (_held.Remove(shard, out var held) && types.IsPlaced(held.Type)) (PlacedHere, _placedMarks) = (PlacedHere - 1, _placedMarks - ShardPicture.Mark(shard, held.Epoch));
            GiveUp(shard, epoch, held);
            _ending.Add((shard, epoch));
        }
        effects.Add(new ShardEffect.Stop(shards));
        _readWanted = true;
    }

    private void DriveHandoffs(Membership.Membership membership, TimeSpan now, List<NodeEffect> effects)
    {
        var leaving = membership.SelfRow.Status == MemberStatus.Leaving;
        // Not all that are held are looked at at each tick: there may be very many.
        if (leaving) _moving.UnionWith(_held.Keys.Take(DrainsAtOnce));
        if (_moving.Count == 0) return;
        var draining = _moving.Count(no => _held.TryGetValue(no, out var h) && h.Phase != Phase.Serving);
        var drain = ImmutableArray.CreateBuilder<(ShardNo, Epoch)>();
        var reopen = ImmutableArray.CreateBuilder<(ShardNo, Epoch)>();
        var revert = ImmutableArray.CreateBuilder<(ShardNo, Epoch)>();
        var end = ImmutableArray.CreateBuilder<(ShardNo, Epoch)>();
        var release = ImmutableArray.CreateBuilder<(ShardNo No, Epoch Epoch, Incarnation? Target)>();
        foreach (var no in _moving.ToArray())
        {
            if (!_held.TryGetValue(no, out var held) || (!leaving && held is { Phase: Phase.Serving, HandoffTo: null, HasEnded: false }))
            {
                _moving.Remove(no);
                continue;
            }
            var wanted = leaving || held.HasEnded || MayServe(membership, held.HandoffTo, held.Type);
            switch (held.Phase)
            {
                case Phase.Serving when wanted && draining < DrainsAtOnce:
                    draining++;
                    (held.Phase, held.Since) = (Phase.Draining, now);
                    drain.Add((no, held.Epoch));
                    break;
                case Phase.Draining or Phase.Drained when !wanted && held.HandoffTo is null:
                    held.Phase = Phase.Serving; // The row says owned: a revert has landed, whatever became of its answer.
                    reopen.Add((no, held.Epoch));
                    break;
                case Phase.Serving when held.HandoffTo is not null && !wanted:
                    revert.Add((no, held.Epoch)); // The target went down, or does not host the type; we serve on.
                    break;
                case Phase.Draining or Phase.Drained when !wanted:
                case Phase.Draining when !leaving && !held.HasEnded && now - held.Since >= times.Handoff:
                    revert.Add((no, held.Epoch));
                    break;
                case Phase.Drained or Phase.Releasing when held.HasEnded:
                    end.Add((no, held.Epoch));
                    break;
                case Phase.Drained or Phase.Releasing:
                    release.Add((no, held.Epoch, held.HandoffTo ?? (leaving && types.SingletonOf(held.Type) is { FailsOverAtShutdown: false } ? self : null)));
                    break;
                default:
                    break;
            }
        }
        if (drain.Count > 0) effects.Add(new ShardEffect.Drain(drain.ToImmutable()));
        if (reopen.Count > 0) effects.Add(new ShardEffect.Reopen(reopen.ToImmutable()));
        if (revert.Count > 0) Call(new ControlCall.RevertHandoff(self, revert.ToImmutable()), now, static () => { }, effects);
        if (release.Count > 0) Release(membership, release.ToImmutable(), now, effects);
        if (end.Count > 0) End(end.ToImmutable(), now, effects);
    }

    /// <summary>A release that was sent is final: from here on this epoch is never served again, whatever the reply.</summary>
    private void Release(Membership.Membership membership, ImmutableArray<(ShardNo No, Epoch Epoch, Incarnation? Target)> shards, TimeSpan now, List<NodeEffect> effects)
    {
        Call(
            new ControlCall.Release(self, Aimed(membership, self, shards)),
            now,
            () =>
            {
                foreach (var shard in shards)
                {
                    _held[shard.No].Phase = Phase.Releasing;
                    GiveUp(shard.No, shard.Epoch, _held[shard.No]);
                }
            },
            effects);
    }

    private void Released(ControlCall.Release release, ControlAnswer answer, List<NodeEffect> effects)
    {
        if (!answer.IsOk) return; // Driven again from the phase: the release repeats until the store has spoken.
        var gone = release.Releases.Where(r => _held.TryGetValue(r.Shard, out var held) && held.Epoch == r.Epoch).Select(r => (r.Shard, r.Epoch)).ToImmutableArray();
        if (!gone.IsEmpty) Lose(gone, effects);
        effects.Add(new NodeEffect.Hint());
    }

    private void Reverted(ControlCall.RevertHandoff revert, ImmutableArray<ShardNo> done, List<NodeEffect> effects)
    {
        var reopen = ImmutableArray.CreateBuilder<(ShardNo, Epoch)>();
        foreach (var (shard, epoch) in revert.Shards)
        {
            if (!done.Contains(shard) || !_held.TryGetValue(shard, out var held) || held.Epoch != epoch || held.Phase is Phase.Stopping or Phase.Releasing) continue;
            held.HandoffTo = null;
            if (held.Phase == Phase.Serving) continue;
            held.Phase = Phase.Serving;
            reopen.Add((shard, epoch));
        }
        if (reopen.Count > 0) effects.Add(new ShardEffect.Reopen(reopen.ToImmutable()));
        _readWanted = true;
    }

    /// <summary>The coordinator's duty: no race, crash or lost reply leaves a row that nobody serves (5.2), and a new member gets its share (5.3).</summary>
    private void Sweep(Membership.Membership membership, TimeSpan now, List<NodeEffect> effects)
    {
        _nextSweep = now + times.PollUnsettled;
        var all = membership.Snapshot!.Members;
        // Whoever lost the store, or says that it is frozen, gets nothing until its lease moves again.
        var members = Spared([.. all.Where(m => membership.MayBeGivenShards(m.Inc, now))]);
        NoteWell(members, membership, now);
        bool IsDown(Incarnation? inc) => inc is { } x && all.Any(m => m.Inc == x && !m.IsLive);
        SweepPlaced(membership, members, now, effects);
        if ((now >= _nextRevoke || membership.View != _viewRevoked) && _rows.Any(r => IsDown(r.Owner))) RevokeOfDown(membership, members, now, effects);

        // A type that nobody hosts now waits for a member that does; it must not hold up the others.
        var hosted = _rows.Select(r => r.Type).Distinct().Where(t => members.Any(m => MayServe(membership, m.Inc, t))).ToHashSet(StringComparer.Ordinal);
        var rows = _rows.Where(r => hosted.Contains(r.Type)).ToList();
        foreach (var row in rows.Where(r => r.State == ShardState.Free && Waits(r, membership, now)))
            if (_free.TryGetValue(row.No, out var free)) _free[row.No] = free with { Since = now }; // Its target's time begins when it may take it.
        var idle = rows.Where(r => r.State == ShardState.Free && r.Owner is null && NeedsTarget(r, membership, now) && !IsKeptVacant(r, all, now)).ToList();
        if (idle.Count > 0)
        {
            var seen = idle.ToDictionary(r => r.No);
            var slow = idle.Where(r => MayServe(membership, r.Target, r.Type)).Select(r => r.Target!.Value).ToHashSet();
            var placed = Placed(members, all, rows, idle, slow).Where(t => t.Target != seen[t.Shard].Target).ToImmutableArray();
            if (!placed.IsEmpty) Call(new ControlCall.Retarget([.. placed.Select(t => new ShardRetarget(t.Shard, seen[t.Shard].Epoch, seen[t.Shard].Target, t.Target))]), now, static () => { }, effects);
            return;
        }
        if (membership.Missing.Length > 0 || membership.AnnouncedView > membership.View || members.Any(m => m.Status == MemberStatus.Leaving)) return;
        if (Relieve(membership, members, rows, now, effects)) return;
        var homeward = rows.Where(r => r.State == ShardState.Owned).Select(r => Homeward(r, members, now)).OfType<ShardRetarget>().ToImmutableArray();
        if (!homeward.IsEmpty)
        {
            Call(new ControlCall.PlanHandoff(homeward), now, static () => { }, effects);
            return;
        }
        if (now - ViewSince(membership.View, now) < times.RebalanceDelay || rows.Any(r => r.Owner is null)) return;
        var moves = ShardAllocation.Balance(members, rows, HandoffsAtOnce, types);
        if (!moves.IsEmpty) Call(new ControlCall.PlanHandoff(moves), now, static () => { }, effects);
    }

    /// <summary>Since when this coordinator finds a member up and well.</summary>
    private void NoteWell(ImmutableArray<MemberRow> members, Membership.Membership membership, TimeSpan now)
    {
        var well = members.Where(m => m.Status == MemberStatus.Up && !_sick.Contains(m.Inc) && (m.Inc == self || membership.Detector.IsReached(m.Inc))).Select(m => m.Inc).ToHashSet();
        foreach (var gone in _wellSince.Keys.Where(k => !well.Contains(k)).ToList()) _wellSince.Remove(gone);
        foreach (var inc in well) _wellSince.TryAdd(inc, now);
    }

    /// <summary>Whoever stopped in good order gets its place back; nobody else does for a while (protocol 6.2).</summary>
    private bool IsKeptVacant(ShardRow row, ImmutableArray<MemberRow> all, TimeSpan now) =>
        types.SingletonOf(row.Type) is { } rule && rule.IsVacant(row, all) && Returned(row, all) is null
        && !(_free.TryGetValue(row.No, out var free) && now - free.Since >= times.Vacancy);

    private static MemberRow? Returned(ShardRow row, ImmutableArray<MemberRow> all) =>
        all.FirstOrDefault(m => m.Inc == row.Target) is { } left ? all.FirstOrDefault(m => m.Status == MemberStatus.Up && m.Name == left.Name && m.Hosts(row.Type)) : null;

    private ImmutableArray<ShardTarget> Placed(ImmutableArray<MemberRow> members, ImmutableArray<MemberRow> all, List<ShardRow> rows, List<ShardRow> idle, HashSet<Incarnation> slow)
    {
        var returned = idle.Where(r => types.SingletonOf(r.Type)?.IsVacant(r, all) == true)
            .Select(r => (r.No, Heir: Returned(r, all))).Where(r => r.Heir is not null).ToDictionary(r => r.No, r => r.Heir!.Inc);
        return [.. ShardAllocation.Place(members, rows, idle, slow, types).Select(t => returned.TryGetValue(t.Shard, out var inc) ? new ShardTarget(t.Shard, inc) : t)];
    }

    /// <summary>A singleton whose rule wants it elsewhere (protocol 6.1).</summary>
    private ShardRetarget? Homeward(ShardRow row, ImmutableArray<MemberRow> members, TimeSpan now)
    {
        if (types.SingletonOf(row.Type) is not { } rule || rule.Mode == SingletonMode.Sticky) return null;
        if (rule.Succession(row.Type, members).FirstOrDefault() is not { } first || first.Inc == row.Owner) return null;
        if (!_wellSince.TryGetValue(first.Inc, out var since) || (rule.Mode == SingletonMode.PreferFirst && now - since < times.SingletonReturn)) return null;
        return new ShardRetarget(row.No, row.Epoch, row.Target, first.Inc);
    }

    private long _viewSeen = -1;
    private TimeSpan _viewSince;

    private TimeSpan ViewSince(long view, TimeSpan now)
    {
        if (view != _viewSeen) (_viewSeen, _viewSince) = (view, now);
        return _viewSince;
    }

    private bool NeedsTarget(ShardRow row, Membership.Membership membership, TimeSpan now) =>
        !MayServe(membership, row.Target, row.Type) || !membership.MayBeGivenShards(row.Target!.Value, now)
        || (!Waits(row, membership, now) && _free.TryGetValue(row.No, out var free) && now - free.Since >= times.SweepPatience);

    /// <summary>Its target may not take it yet: the former owner of an exclusive shard may still act.</summary>
    private bool Waits(ShardRow row, Membership.Membership membership, TimeSpan now) =>
        types.IsExclusive(row.Type) && row.Previous is { } previous && membership.Snapshot!.Find(previous) is var former && former is not { DeadProof: true }
        && !(former is { HasCrashed: true } && types.OnCrashEvidence.Contains(row.Type)) && membership.StaleAmong([previous], now).IsEmpty;

    private void NoteFree(ShardRow row, TimeSpan now)
    {
        if (row.State != ShardState.Free) _free.Remove(row.No);
        else if (!_free.TryGetValue(row.No, out var free) || free.Epoch != row.Epoch || free.Target != row.Target) _free[row.No] = (row.Epoch, row.Target, now);
    }

    private static bool MayServe(Membership.Membership membership, Incarnation? inc, string type) =>
        inc is { } x && membership.Snapshot!.Find(x) is { Status: MemberStatus.Up } member && member.Hosts(type);

    private enum Phase
    {
        Serving,
        Draining,
        Drained,

        /// <summary>Given up, and something of it may still run.</summary>
        Stopping,
        Releasing,
    }

    private sealed class Held
    {
        public required string Type { get; init; }

        public required Epoch Epoch { get; init; }

        public Phase Phase { get; set; }

        public TimeSpan Since { get; set; }

        public Incarnation? HandoffTo { get; set; }

        /// <summary>Its entity has said so: drained and then ended, not handed off.</summary>
        public bool HasEnded { get; set; }
    }
}
