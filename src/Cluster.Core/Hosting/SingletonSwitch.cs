using System.Collections.Immutable;
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
        var (plan, to, ends) = Decide(name, rule, toNode, term, latest.Rows, latest.Snapshot?.Members ?? [], latest.Fit);
        if (ends is not null) return ends;
        if (plan is { } write)
        {
            var planned = await store.PlanHandoffAsync([write]).ConfigureAwait(false);
            if (planned.IsOk && planned.Value.IsEmpty) return Refused(term, $"{name} was changed by somebody else meanwhile; look again.");
            if (!planned.IsOk && planned.Verdict != StoreVerdict.InDoubt) return Refused(term, $"The store refused: {planned.Reason}.");
            life.RowsChanged();
        }
        return await WatchAsync(to!, term, cancel).ConfigureAwait(false);
    }

    /// <summary>What is to be done, by what a node has read: either it has ended already, or somebody is to take over, by a plan that is to be written unless it stands there.</summary>
    public static (ShardRetarget? Plan, MemberRow? To, SwitchResult? Ends) Decide(
        string name, SingletonRule rule, string toNode, Epoch term, ImmutableArray<ShardRow> rows, ImmutableArray<MemberRow> members, ImmutableArray<Incarnation> fit)
    {
        string NameOf(Incarnation? inc) => inc is { } x ? members.FirstOrDefault(m => m.Inc == x)?.Name ?? x.ToString() : "nobody";
        static string NamesOf(IEnumerable<MemberRow> some) => string.Join(", ", some.Select(m => m.Name));
        if (RowOf(name, rows) is not { } row) return Ends(Refused(default, $"Node {toNode} cannot be given {name} yet: this node has not read the shards."));
        if (members.FirstOrDefault(m => m.Name == toNode && m.IsLive) is not { } to) return Ends(Refused(row.Epoch, $"{toNode} is no live member; members are {NamesOf(members.Where(m => m.IsLive))}."));
        if (row.Owner == to.Inc && row.Epoch.Value == term.Value + 1) return Ends(new SwitchResult(true, row.Epoch.Value, ""));
        if (row.Epoch != term) return Ends(Refused(row.Epoch, $"The term of {name} is {row.Epoch}, held by {NameOf(row.Owner)}; {term} is over."));
        if (row.Owner == to.Inc) return Ends(new SwitchResult(true, row.Epoch.Value, ""));
        if (!rule.Succession(name, members).Contains(to)) return Ends(Refused(row.Epoch, $"{toNode} may not hold {name} now; {NamesOf(rule.Succession(name, members))} may."));
        if (!fit.Contains(to.Inc)) return Ends(Refused(row.Epoch, $"{toNode} does not reach the store, is not heard, or is sick (its thread pool hangs); nothing was changed."));
        if (row.State != ShardState.Handoff) return (new ShardRetarget(row.No, term, row.Target, to.Inc), to, null);
        return row.Target == to.Inc ? (null, to, null) : Ends(Refused(row.Epoch, $"{name} is on its way to {NameOf(row.Target)}."));
    }

    private static (ShardRetarget?, MemberRow?, SwitchResult?) Ends(SwitchResult result) => (null, null, result);

    private static SwitchResult Refused(Epoch term, string reason) => new(false, term.Value, reason);

    private static ShardRow? RowOf(string name, ImmutableArray<ShardRow> rows) => rows.FirstOrDefault(r => r.Type == name);

    private async Task<SwitchResult> WatchAsync(MemberRow to, Epoch term, CancellationToken cancel)
    {
        var until = MonotonicClock.Now + times.Handoff + times.PollCalm + times.CallTimeout;
        var seenMoving = false;
        while (MonotonicClock.Now < until)
        {
            await Task.Delay(LookEvery, cancel).ConfigureAwait(false);
            if (RowOf(name, life.Latest.Rows) is not { } row) continue;
            seenMoving |= row.State == ShardState.Handoff;
            if (row.Epoch > term && row.Owner is { } owner) return owner == to.Inc ? new SwitchResult(true, row.Epoch.Value, "") : new SwitchResult(false, row.Epoch.Value, $"{name} went elsewhere: {to.Name} was lost meanwhile.");
            if (seenMoving && row is { State: ShardState.Owned } && row.Epoch == term) return new SwitchResult(false, row.Epoch.Value, $"The hand-off was reverted after {times.Handoff.TotalSeconds:0} s: a turn or an effect of {name} did not end. Its holder serves on.");
        }
        return Refused(term, $"Nothing was heard of the switch for {times.Handoff.TotalSeconds:0} s; look at the status before you ask again.");
    }
}
