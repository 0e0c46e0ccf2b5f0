using ActorCluster.Persistence;
using ActorCluster.Placement;
using ActorCluster.Primitives;

namespace ActorCluster.Hosting;

/// <summary>A user's switch of one term of a singleton (protocol 6.2): writes the plan, then watches the rows; the hand-off itself is ownership's.</summary>
/// <remarks>Nothing is remembered but the row: a term is switched at most once, so who asks again finds what became of it.</remarks>
internal sealed class SingletonSwitch(string name, SingletonRule rule, NodeLife life, IClusterStore store, ProtocolTimes times)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);

    public async Task<SwitchResult> RunAsync(string toNode, Epoch term, CancellationToken cancel)
    {
        var latest = life.Latest;
        var members = latest.Snapshot?.Members ?? [];
        string NameOf(Incarnation? inc) => inc is { } x ? latest.Snapshot?.Find(x)?.Name ?? x.ToString() : "nobody";
        SwitchResult Refused(ShardRow? row, string reason) => new(false, row?.Epoch.Value ?? 0, reason);

        if (Row() is not { } row) return Refused(null, $"Node {toNode} cannot be given {name} yet: this node has not read the shards.");
        if (members.FirstOrDefault(m => m.Name == toNode && m.IsLive) is not { } to) return Refused(row, $"{toNode} is no live member; members are {string.Join(", ", members.Where(m => m.IsLive).Select(m => m.Name))}.");
        if (row.Owner == to.Inc && row.Epoch.Value == term.Value + 1) return new SwitchResult(true, row.Epoch.Value, "");
        if (row.Epoch != term) return Refused(row, $"The term of {name} is {row.Epoch}, held by {NameOf(row.Owner)}; {term} is over.");
        if (row.Owner == to.Inc) return new SwitchResult(true, row.Epoch.Value, "");
        if (!rule.Succession(name, members).Contains(to)) return Refused(row, $"{toNode} may not hold {name} now; {string.Join(", ", rule.Succession(name, members).Select(m => m.Name))} may.");
        if (!latest.Fit.Contains(to.Inc)) return Refused(row, $"{toNode} does not reach the store, or is not heard; nothing was changed.");
        if (row.State == ShardState.Handoff && row.Target != to.Inc) return Refused(row, $"{name} is on its way to {NameOf(row.Target)}.");
        if (row.State != ShardState.Handoff)
        {
            var planned = await store.PlanHandoffAsync([new ShardRetarget(row.No, term, row.Target, to.Inc)]).ConfigureAwait(false);
            if (planned.IsOk && planned.Value.IsEmpty) return Refused(row, $"{name} was changed by somebody else meanwhile; look again.");
            if (!planned.IsOk && planned.Verdict != StoreVerdict.InDoubt) return Refused(row, $"The store refused: {planned.Reason}.");
            life.RowsChanged();
        }
        return await WatchAsync(row, to, term, cancel).ConfigureAwait(false);
    }

    private async Task<SwitchResult> WatchAsync(ShardRow before, MemberRow to, Epoch term, CancellationToken cancel)
    {
        var until = MonotonicClock.Now + times.Handoff + times.PollCalm + times.CallTimeout;
        var seenMoving = false;
        while (MonotonicClock.Now < until)
        {
            await Task.Delay(LookEvery, cancel).ConfigureAwait(false);
            if (Row() is not { } row) continue;
            seenMoving |= row.State == ShardState.Handoff;
            if (row.Epoch > term && row.Owner is { } owner) return owner == to.Inc ? new SwitchResult(true, row.Epoch.Value, "") : new SwitchResult(false, row.Epoch.Value, $"{name} went elsewhere: {to.Name} was lost meanwhile.");
            if (seenMoving && row is { State: ShardState.Owned } && row.Epoch == term) return new SwitchResult(false, row.Epoch.Value, $"The hand-off was reverted after {times.Handoff.TotalSeconds:0} s: a turn or an effect of {name} did not end. Its holder serves on.");
        }
        return new SwitchResult(false, before.Epoch.Value, $"Nothing was heard of the switch for {times.Handoff.TotalSeconds:0} s; look at the status before you ask again.");
    }

    private ShardRow? Row() => life.Latest.Rows.FirstOrDefault(r => r.Type == name);
}
