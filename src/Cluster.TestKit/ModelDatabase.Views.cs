using System.Collections.Immutable;
using System.Diagnostics;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

public sealed partial class ModelDatabase
{
    /// <summary>See <see cref="IControlStore.ChangeViewAsync"/>.</summary>
    /// <param name="change">The change.</param>
    /// <param name="atUnixMs">The store's time, for the age of what it writes.</param>
    public StoreResult<long> ChangeView(ViewChange change, long atUnixMs)
    {
        ArgumentNullException.ThrowIfNull(change);
        if (FindView(change.OpId).Value is > 0 and var committed) return StoreResult.Ok(committed);
        if (change.BasedOn != View) return StoreResult.Not<long>(StoreVerdict.Conflict, $"Based on view {change.BasedOn}, but the view is {View}.");

        var view = View + 1;
        var members = _members; // Immutable: a refusal half-way leaves nothing behind.
        var revoked = new List<Incarnation>();
        foreach (var step in change.Members)
            if (Apply(step, change.By, view, ref members, revoked) is { } refusal) return StoreResult.Not<long>(StoreVerdict.Conflict, refusal);
        foreach (var seen in change.Releases)
        {
            if (!members.TryGetValue(seen.Inc, out var member) || !member.IsLive)
                return StoreResult.Not<long>(StoreVerdict.Conflict, $"{seen.Inc} is not a live member, so its shards cannot be released from it.");
            if (LeaseMoved(member, seen.LeaseSeq)) return StoreResult.Not<long>(StoreVerdict.Conflict, $"The lease of {member} moved to {member.LeaseSeq}.");
        }

        if (change.Settings is { } settings)
        {
            if (settings.BasedOn != Opened.SettingsVersion) return StoreResult.Not<long>(StoreVerdict.Conflict, $"Based on version {settings.BasedOn} of the settings, but it is {Opened.SettingsVersion}.");
            if (members.Values.FirstOrDefault(m => m.IsLive) is { } live) return StoreResult.Not<long>(StoreVerdict.Conflict, $"{live} is live and goes by the settings.");
            (_settings, _cluster) = (settings.Values, Opened with { SettingsVersion = settings.BasedOn + 1, ConfigDigest = settings.ConfigDigest });
        }

        foreach (var inc in members.Keys)
            if (!members[inc].IsLive) _downAt.TryAdd(inc, atUnixMs);
        _members = members;
        foreach (var inc in revoked.Where(_ => !change.Heirs.IsEmpty)) _heirs[inc] = change.Heirs;
        foreach (var inc in revoked.Concat(change.Releases.Select(r => r.Inc))) Revoke(inc, change.Heirs);
        foreach (var (shard, target) in change.Targets) GiveTarget(shard, target);
        _cluster = Opened with { View = view };
        _viewLog.Add(new ModelViewLogEntry(view, change.OpId, change.By, change.Reason, [.. members.Values]));
        _viewAt.Add(atUnixMs);
        _rowsAtLastView = [.. _shards.Values];
        return StoreResult.Ok(view);
    }

    /// <summary>See <see cref="IStoreRecovery.RecoverAsync"/>.</summary>
    /// <param name="opId">The recovery's id.</param>
    /// <param name="generation">The new generation, or less for the next.</param>
    /// <param name="reason">Why.</param>
    /// <param name="atUnixMs">The store's time.</param>
    public StoreResult<ClusterRow> Recover(Guid opId, long generation, string reason, long atUnixMs)
    {
        if (FindView(opId).Value > 0) return StoreResult.Ok(Opened);
        var (next, raise) = RecoveryRules.After(Opened.StoreGeneration, generation);
        if (_mutation == ModelMutation.RecoverWithoutRaise) raise = 0;
        var view = View + 1;
        foreach (var member in _members.Values.Where(m => m.IsLive))
        {
            _members = _members.SetItem(member.Inc, member with { Status = MemberStatus.Down, DownView = view, DownReason = reason });
            _downAt[member.Inc] = atUnixMs;
        }
        foreach (var row in _shards.Values.ToArray())
        {
            _shards[row.No] = row with
            {
                Epoch = new Epoch(row.Epoch.Value + raise),
                Owner = null,
                Target = null,
                Previous = row.Owner ?? row.Previous,
                State = row.State == ShardState.Ended ? ShardState.Ended : ShardState.Free,
            };
        }
        if (_mutation != ModelMutation.RecoverKeepsSnapshotsOfLostRows) ForgetSnapshotsOfLostRows();
        _lastIncarnation += raise;
        _cluster = Opened with { StoreGeneration = next, View = view };
        _viewLog.Add(new ModelViewLogEntry(view, opId, default, reason, [.. _members.Values]));
        _viewAt.Add(atUnixMs);
        _rowsAtLastView = [.. _shards.Values];
        return StoreResult.Ok(Opened);
    }

    private string? Apply(
        MemberChange step, Incarnation by, long view, ref ImmutableSortedDictionary<Incarnation, MemberRow> members, List<Incarnation> revoked)
    {
        switch (step)
        {
            case MemberChange.Join(var row):
                if (row.Inc <= Opened.Forgotten) return $"{row.Inc} is not above the incarnations whose rows were pruned.";
                if (members.ContainsKey(row.Inc)) return $"{row.Inc} has joined before.";
                foreach (var other in members.Values)
                    if (other.IsLive && (other.Name == row.Name || other.LinkAddress == row.LinkAddress)) return $"{other} has the name or the address of {row}.";
                members = members.Add(row.Inc, row with
                {
                    Status = MemberStatus.Joining,
                    UpView = 0,
                    LeaseSeq = 0,
                    DeadProof = false,
                    DownView = 0,
                    DownReason = "",
                    DownBy = default,
                });
                return null;
            case MemberChange.Up(var inc):
                if (!members.TryGetValue(inc, out var joining) || joining.Status != MemberStatus.Joining) return $"{inc} is not joining.";
                members = members.SetItem(inc, joining with { Status = MemberStatus.Up, UpView = view });
                return null;
            case MemberChange.Leave(var inc):
                if (!members.TryGetValue(inc, out var up) || up.Status != MemberStatus.Up) return $"{inc} is not up.";
                members = members.SetItem(inc, up with { Status = MemberStatus.Leaving });
                return null;
            case MemberChange.Down(var inc, var reason, var leaseSeen, var deadProof):
                if (!members.TryGetValue(inc, out var live)) return $"{inc} is not a member.";
                if (!live.IsLive)
                {
                    if (deadProof) members = members.SetItem(inc, live with { DeadProof = true });
                    return null;
                }
                if (leaseSeen is { } seen && LeaseMoved(live, seen)) return $"The lease of {live} moved to {live.LeaseSeq}.";
                members = members.SetItem(inc, live with
                {
                    Status = MemberStatus.Down,
                    DownView = view,
                    DownReason = reason,
                    DownBy = by,
                    DeadProof = deadProof,
                });
                revoked.Add(inc);
                return null;
            default:
                throw new UnreachableException($"No rule for {step}.");
        }
    }

    private bool LeaseMoved(MemberRow member, long seen) => member.LeaseSeq != seen && _mutation != ModelMutation.EvictIgnoresLeaseSeq;

    private void Revoke(Incarnation inc, ImmutableArray<Incarnation> heirs)
    {
        IEnumerable<ShardRow> looked = _mutation == ModelMutation.EvictByRowsReadBefore ? _rowsAtLastView : _shards.Values;
        var its = looked.Where(r => r.Owner == inc || (r.Target == inc && r.State == ShardState.Free)).ToLookup(r => _placed.Contains(r.Type));
        // Of placed types there may be very many: heirs take what they inherit by themselves, and the sweep goes on with what a down member has left. One that lives on loses all.
        var placed = its[true].Where(r => !IsInherited(r)).Take(_members.TryGetValue(inc, out var member) && member.IsLive ? int.MaxValue : SliceRows);
        foreach (var row in its[false].Concat(placed).ToArray()) _shards[row.No] = Freed(_shards[row.No], heirs);
    }

    private void GiveTarget(ShardNo shard, Incarnation target)
    {
        if (!_shards.TryGetValue(shard, out var row) || row.State != ShardState.Free) return;
        if (row.Target is { } had && IsUp(_members, had)) return;
        _shards[shard] = row with { Target = target };
    }
}
