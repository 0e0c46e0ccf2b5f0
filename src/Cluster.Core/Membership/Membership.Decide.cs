using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Downing;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>The view changes that a node asks for; one at a time, each resolved before the next (P5).</summary>
internal sealed partial class Membership
{
    public const string LeftReason = "left";
    public const string SupersededReason = "superseded";
    public const string SecretReason = "its secret differs";

    /// <summary>After a call on a view change that the store refused: whatever refuses it may do so at once and for long (a right that is missing, a full disk), and each attempt costs the store a transaction and a read.</summary>
    public static readonly TimeSpan RefusedPause = TimeSpan.FromMilliseconds(200);

    private readonly SortedDictionary<Incarnation, TimeSpan> _frozenSince = [];
    private TimeSpan _refusedUntil;
    private string _secretsDiffer = "";

    private void Decide(TimeSpan now, bool ownsNothing, List<NodeEffect> effects)
    {
        switch (Snapshot!.Find(Self)?.Status)
        {
            case null when _leaveWanted:
                Stop(ExitCodes.Left, "Left before it had joined.", effects);
                break;
            case null:
                EnterTable(now, effects);
                break;
            case MemberStatus.Joining:
                if (_leaveWanted) Propose([new MemberChange.Down(Self, LeftReason)], [], "left while joining", effects);
                else BecomeUp(now, effects);
                break;
            case MemberStatus.Up when _leaveWanted:
                Propose([new MemberChange.Leave(Self)], [], "orderly stop", effects);
                break;
            case MemberStatus.Leaving when ownsNothing || now - _leaveSince >= times.Leave:
                Propose([new MemberChange.Down(Self, LeftReason)], [], ownsNothing ? "left" : "left, hand-off not finished in time", effects);
                break;
            case MemberStatus.Up or MemberStatus.Leaving:
                DecideAboutOthers(now, effects);
                break;
            default:
                break;
        }
    }

    /// <summary>An orderly stop has its limits, whatever is under way: the row that stays behind is found by its lease, or by the lock file at once.</summary>
    private void EndLeaving(TimeSpan now, List<NodeEffect> effects)
    {
        if (Snapshot is null) Stop(ExitCodes.Left, "Left before it had read the store.", effects);
        // A store that is away takes no hand-off; by now every shard here could have been given up anyway.
        else if (_storeFailed && now - (_lastStoreOk > _leaveSince ? _lastStoreOk : _leaveSince) >= times.LeaseTtl) Stop(ExitCodes.Left, "Left without the store: the others will notice by the lease.", effects);
        else if (now - _leaveSince >= times.Leave + times.LeaseTtl) Stop(ExitCodes.Left, "Left late: the others will notice by the lease.", effects);
    }

    /// <summary>none to joining: a live row at this address is superseded (its port is ours now); one of this name elsewhere must be dead.</summary>
    private void EnterTable(TimeSpan now, List<NodeEffect> effects)
    {
        var changes = ImmutableArray.CreateBuilder<MemberChange>();
        foreach (var row in Snapshot!.Members.Where(m => m.IsLive))
        {
            if (row.LinkAddress == draft.LinkAddress)
            {
                var (proved, silent) = (HoldsLockOf(row) || (Failsafe.IsOn && _detector.IsProvedDead(row.Inc)), Failsafe.IsOn && IsStaleForNewcomer(row.Inc));
                if (Failsafe.IsOn && !proved && !silent)
                {
                    JoinBlockedBy = [$"{row.Name}{row.Inc} had this address, is not proved dead, and may live on the word of others for {Failsafe.Longest}; waiting until it cannot"];
                    return;
                }
                changes.Add(new MemberChange.Down(row.Inc, $"{SupersededReason} by {Self}", silent && !proved ? _leases.LeaseSeq(row.Inc) : null, DeadProof: proved));
            }
            else if (row.Name == draft.Name)
            {
                if (HoldsLockOf(row) || _detector.IsProvedDead(row.Inc)) changes.Add(new MemberChange.Down(row.Inc, "dead: its lock file is free", DeadProof: true));
                else if (IsStaleForNewcomer(row.Inc)) changes.Add(new MemberChange.Down(row.Inc, "lease stale, name taken over", _leases.LeaseSeq(row.Inc)));
                else
                {
                    if (_leases.HasMoved(row.Inc)) Stop(ExitCodes.Refused, $"The name {row.Name} is in use by {row.Inc} at {row.LinkAddress}, which is alive. Give this node another Cluster:Node:Name, or stop the other.", effects);
                    JoinBlockedBy = [$"name {row.Name} is held by {row.Inc} at {row.LinkAddress}; waiting to see whether it lives"];
                    return;
                }
            }
        }
        if (Snapshot.Members.Count(m => m.IsLive) - changes.Count is var live && live >= Rules.MembersMax)
        {
            Stop(ExitCodes.Refused, string.Create(CultureInfo.InvariantCulture, $"The cluster has {live} live members, and no more than {Rules.MembersMax} may be. Stop one of them before {draft.Name} starts; one that is dead frees its place when it is evicted."), effects);
            return;
        }
        if (OtherOnCrash(Snapshot.Members.Where(m => m.IsLive && !changes.OfType<MemberChange.Down>().Any(d => d.Inc == m.Inc))) is { } differs)
        {
            Stop(ExitCodes.Refused, differs, effects);
            return;
        }
        changes.Add(new MemberChange.Join(draft));
        Propose(changes.ToImmutable(), [], "joins", effects);
    }

    /// <summary>An exclusive type whose takeover rests on another evidence with a live member: whoever decides goes by its own, so all must have the same. Null when there is none.</summary>
    private string? OtherOnCrash(IEnumerable<MemberRow> live)
    {
        foreach (var member in live.Where(m => m.Types is not null))
            foreach (var type in (draft.Types ?? []).Where(t => !t.EndsWith(MemberRow.OnCrashEvidence, StringComparison.Ordinal) && member.Hosts(t)))
                if (member.TakesOverOnCrashEvidence(type) != draft.TakesOverOnCrashEvidence(type))
                    return $"{type} {(draft.TakesOverOnCrashEvidence(type) ? "is taken over on crash evidence here, and waits for the lease" : "waits for the lease here, and is taken over on crash evidence")} on {member}: register it alike on all nodes, and change it while none of them runs.";
        return null;
    }

    /// <summary>This process holds the very file that the row names, so whoever held it before has ended.</summary>
    private bool HoldsLockOf(MemberRow row) =>
        row.LockFile is { } theirs && draft.LockFile is { } mine && (theirs.BootId, theirs.Device, theirs.Inode) == (mine.BootId, mine.Device, mine.Inode);

    /// <summary>joining to up: every voter, of many those that are to be greeted, is connected both ways, or its lease is stale and it is silent, or it is proved dead.</summary>
    private void BecomeUp(TimeSpan now, List<NodeEffect> effects)
    {
        var changes = ImmutableArray.CreateBuilder<MemberChange>();
        var blocked = ImmutableArray.CreateBuilder<string>();
        foreach (var voter in Snapshot!.Members.Where(m => m.IsVoter))
        {
            if (_detector.IsUp(voter.Inc))
            {
                if (!KnowsOfMe(voter.Inc, now)) blocked.Add($"{voter.Name}{voter.Inc} at {voter.LinkAddress} is not known to have heard of this node yet");
                continue;
            }
            if (!Watch.MustGreet(voter.Inc) && !Failsafe.IsOn) continue;
            if (_detector.IsProvedDead(voter.Inc)) changes.Add(new MemberChange.Down(voter.Inc, "dead: its lock file is free", DeadProof: true));
            else if (IsStaleForNewcomer(voter.Inc)) changes.Add(new MemberChange.Down(voter.Inc, "lease stale and silent", _leases.LeaseSeq(voter.Inc)));
            else blocked.Add($"{voter.Name}{voter.Inc} at {voter.LinkAddress} {(OtherSecret(voter.Inc) ? "has another Cluster:Secret" : _detector.Hears(voter.Inc) ? "does not hear this node" : "is not heard")}");
        }
        var others = Snapshot.Members.Where(m => m.IsLive && m.Inc != Self && Votes(m)).ToList();
        var staying = others.Count(m => m.IsVoter && !changes.OfType<MemberChange.Down>().Any(d => d.Inc == m.Inc));
        // Newcomers count as reached: after a total stop there is nobody else.
        var reached = others.Count(m => _detector.IsReached(m.Inc)) + (Votes(draft) ? 1 : 0);
        if (!Votes(draft) && others.Count == 0)
            blocked.Add($"Cluster:Downing:Role is '{resolver.Role}' and no member has that role, so nobody would vote; give Cluster:Node:Roles of a node that role, start that node, or empty the key on all nodes");
        else if (Votes(draft) && staying >= resolver.VotersMax)
            blocked.Add($"{resolver.Name} allows {resolver.VotersMax} voters and there are {staying}; stop one{(resolver is StaticQuorum ? ", or raise Cluster:Downing:QuorumSize on all nodes" : "")}");
        else if (reached < resolver.VotersMin)
            blocked.Add($"{resolver.Name} needs {resolver.VotersMin} voters that reach each other and there are {reached}, this node counted; start or connect the others");
        JoinBlockedBy = blocked.ToImmutable();
        if (StandsAloneWithItsSecret())
        {
            _secretsDiffer = string.Join(", ", Snapshot.Members.Where(m => m.IsVoter && OtherSecret(m.Inc)).Select(m => $"{m.Name}{m.Inc} at {m.LinkAddress}"));
            Propose([new MemberChange.Down(Self, SecretReason)], [], SecretReason, effects);
            return;
        }
        if (!Lease.IsLive(now) || JoinBlockedBy.Length > 0) return;
        changes.Add(new MemberChange.Up(Self));
        Propose(changes.ToImmutable(), [], "up", effects);
    }

    /// <summary>Every member that may be alive has another secret: this node cannot become up, however long it waits.</summary>
    private bool StandsAloneWithItsSecret()
    {
        var alive = Snapshot!.Members.Where(m => m.IsVoter && !_detector.IsProvedDead(m.Inc) && !_leases.IsStale(m.Inc)).ToList();
        return alive.Count > 0 && alive.All(m => OtherSecret(m.Inc));
    }

    private bool Votes(MemberRow row) => resolver.Role.Length == 0 || row.Roles.Contains(resolver.Role, StringComparer.Ordinal);

    private bool OtherSecret(Incarnation inc) => _peers.TryGetValue(inc, out var peer) && peer.SecretDiffers;

    private void DecideAboutOthers(TimeSpan now, List<NodeEffect> effects)
    {
        var voters = Snapshot!.Members.Where(m => m.IsVoter).ToImmutableArray();
        var live = Snapshot.Members.Where(m => m.IsLive).Select(m => m.Inc).ToList();
        var component = ComponentOf(live, now);
        var input = new DowningInput
        {
            Self = Self,
            Voters = voters,
            Component = component,
            StoreOk = inc => inc == Self ? StoreOk(now) : _detector.StoreOk(inc, now),
            WitnessOk = inc => inc == Self ? Witnesses.IsFresh(now) : _detector.WitnessOk(inc, now),
            CrashEvident = _detector.IsCrashEvident,
            ProvedDead = _detector.IsProvedDead,
            LeaseStale = inc => IsStale(inc, now),
            HealthOf = inc => inc == Self ? _detector.Health : _detector.LastBeat(inc)?.Health ?? 0,
            Unwell = _detector.Health >= 3,
        };
        var claim = _downing.Review(input, now);
        var broken = Watch.IsQuiet ? [] : Reachability.BrokenEdges([.. voters.Select(m => m.Inc).Where(component.Contains)], inc => RowOf(inc, now));
        var indirect = _indirect.Review(input, broken, _downing.Missing.IsEmpty, now);
        if (claim.Evict.IsEmpty) claim = indirect;
        if (claim.Class == DowningClass.Stop && !claim.Evict.IsEmpty)
        {
            Stop(ExitCodes.Evicted, $"Stopped by {resolver.Name}: {claim.Reason}.", effects);
        }
        else if (!claim.Evict.IsEmpty)
        {
            Propose([.. claim.Evict.Select(inc => (MemberChange)new MemberChange.Down(inc, _detector.IsCrashEvident(inc) ? DowningDecision.Crashed : claim.Reason, claim.RestsOnLease ? _leases.LeaseSeq(inc) : null, _detector.IsProvedDead(inc)))], [], claim.Reason, effects);
        }
        else if (StoreOk(now))
        {
            ReleaseOrForget(component, now, effects);
            if (_pending is null) RecordLateProofs(effects);
        }
    }

    /// <summary>Whom rows connect to this node; and those that it does not watch, or only begins to, while nobody says that it misses them.</summary>
    private ImmutableSortedSet<Incarnation> ComponentOf(List<Incarnation> live, TimeSpan now)
    {
        if (Watch.IsQuiet) return Watch.Live;
        var rows = live.ToDictionary(inc => inc, inc => RowOf(inc, now));
        var connected = Reachability.ComponentOf(Self, live, inc => rows[inc]);
        var unasked = live.Where(inc => inc != Self && !_detector.IsJudged(inc)).ToList();
        return unasked.Count == 0 ? connected : connected.Union(Reachability.NotMissed(unasked, live, inc => rows[inc]));
    }

    private void RecordLateProofs(List<NodeEffect> effects)
    {
        _provedLate.RemoveWhere(inc => Snapshot!.Find(inc) is not { IsLive: false, DeadProof: false });
        if (_provedLate.Count > 0) Propose([.. _provedLate.Select(inc => (MemberChange)new MemberChange.Down(inc, "its lock file is free", DeadProof: true))], [], "proof of death", effects);
    }

    /// <summary>The lease path (4.3): a connected member that lost the store keeps its place but not its shards; a stale newcomer goes.</summary>
    private void ReleaseOrForget(ImmutableSortedSet<Incarnation> component, TimeSpan now, List<NodeEffect> effects)
    {
        foreach (var row in Snapshot!.Members.Where(m => m.IsLive && m.Inc != Self))
        {
            if (row.Status == MemberStatus.Joining)
            {
                if (IsStale(row.Inc, now) && !_detector.IsUp(row.Inc))
                {
                    Propose([new MemberChange.Down(row.Inc, "never came up", _leases.LeaseSeq(row.Inc))], [], "stale newcomer", effects);
                    return;
                }
                continue;
            }
            if (!component.Contains(row.Inc) || _detector.StoreOk(row.Inc, now)) continue;
            if (!IsStale(row.Inc, now) && !FrozenForLong(row.Inc, now)) continue;
            if (plan(Snapshot.Members, [row.Inc]).IsEmpty && PlacedAt(row.Inc) == 0) continue; // It owns nothing: nothing to release.
            var seen = _leases.LeaseSeq(row.Inc);
            Propose([], [new LeaseSeen(row.Inc, seen)], $"{row.Name}{row.Inc} cannot reach the store", effects);
            return;
        }
    }

    private bool FrozenForLong(Incarnation inc, TimeSpan now)
    {
        if (_detector.LastBeat(inc) is not { Mode: NodeMode.Frozen })
        {
            _frozenSince.Remove(inc);
            return false;
        }
        _frozenSince.TryAdd(inc, now);
        return now - _frozenSince[inc] >= times.LeaseTtl && _leases.Knows(inc);
    }

    private bool IsStale(Incarnation inc, TimeSpan now) => Lease.IsLive(now) && _leases.IsStale(inc);

    private ImmutableArray<ReachEntry>? RowOf(Incarnation inc, TimeSpan now) =>
        inc == Self ? _detector.OwnRow(now) : _detector.IsCrashEvident(inc) ? null : _detector.CountingRow(inc, now);

    private void Propose(ImmutableArray<MemberChange> members, ImmutableArray<LeaseSeen> releases, string reason, List<NodeEffect> effects)
    {
        if (AnnouncedView > View) return; // Based on an old picture it can only conflict; the read is under way.
        if (Assents.IsBound(_lastTick)) return; // Somebody may live on this node's word.
        if (_lastTick < _refusedUntil) return;
        var losing = members.OfType<MemberChange.Down>().Select(d => d.Inc).Concat(releases.Select(r => r.Inc)).ToImmutableSortedSet();
        var after = Snapshot!.Members.Select(m => members.OfType<MemberChange.Up>().Any(u => u.Inc == m.Inc) ? m with { Status = MemberStatus.Up } : m)
            .Where(m => m.IsLive && !losing.Contains(m.Inc) && MayBeGivenShards(m.Inc, _lastTick)).ToImmutableArray();
        _pending = new ViewChange
        {
            OpId = newId(),
            By = Self,
            BasedOn = View,
            Members = members,
            Releases = releases,
            Targets = plan(after, losing),
            Heirs = losing.IsEmpty ? [] : Heirs(after, losing, this),
            Reason = reason,
        };
        (_pendingInDoubt, _pendingMayLand) = (false, false);
        DrivePending(effects);
    }

    private void DrivePending(List<NodeEffect> effects)
    {
        if (_pendingCallUnderWay || _lastTick < _refusedUntil) return;
        _pendingCallUnderWay = true;
        effects.Add(new NodeEffect.Call(_pendingInDoubt ? new ControlCall.FindView(_pending!.OpId) : new ControlCall.ChangeView(_pending!)));
    }

    private void Changed(ControlAnswer answer, TimeSpan now, List<NodeEffect> effects)
    {
        switch (answer.Verdict)
        {
            case StoreVerdict.Ok:
                Committed(answer.As<long>(), now, effects);
                break;
            case StoreVerdict.InDoubt:
                (_pendingInDoubt, _pendingMayLand) = (true, true);
                break;
            case StoreVerdict.NotSent when _pendingMayLand:
                // This copy was not written; an earlier one may still be, where its transaction goes on.
                (_pendingInDoubt, _refusedUntil) = (true, now + RefusedPause);
                break;
            default:
                if (answer.Verdict == StoreVerdict.NotSent) _refusedUntil = now + RefusedPause;
                _pending = null; // Nothing was written: read, and decide again from what is there.
                DoubtView(now);
                ReadNow(now, effects);
                break;
        }
    }

    private void Found(ControlAnswer answer, TimeSpan now, List<NodeEffect> effects)
    {
        if (!answer.IsOk)
        {
            _refusedUntil = now + RefusedPause; // Asked again then.
            return;
        }
        if (answer.As<long>() is > 0 and var view) Committed(view, now, effects);
        else if (View > _pending!.BasedOn) _pending = null; // Its condition can never hold again.
        else _pendingInDoubt = false; // It may still land; sent again, its id keeps it from counting twice.
        ReadNow(now, effects);
    }

    private void Committed(long view, TimeSpan now, List<NodeEffect> effects)
    {
        effects.Add(new NodeEffect.Decided($"view {view}: {_pending!.Reason}{string.Concat(_pending.Members.OfType<MemberChange.Down>().Select(d => $", {d.Inc} down"))} (own health {_detector.Health})"));
        AnnouncedView = Math.Max(AnnouncedView, view);
        _pending = null;
        ReadNow(now, effects);
        effects.Add(new NodeEffect.Hint());
    }
}
