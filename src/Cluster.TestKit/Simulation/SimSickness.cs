using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Judges what becomes of shards while nodes are sick (protocol 2.4), from the store's rows and what every node knows of itself.</summary>
/// <remarks>What is judged has been so for a while: nodes hear of each other by beats, and a call of the store may be under way for seconds.</remarks>
internal sealed class SimSickness(SimCluster cluster)
{
    private static readonly TimeSpan Known = TimeSpan.FromSeconds(8);
    /// <summary>A plan that was made before is not late by as much; and nobody is relieved before he was sick for 5 s.</summary>
    private static readonly TimeSpan Certain = TimeSpan.FromSeconds(4.6);

    private static readonly TimeSpan Waits = TimeSpan.FromSeconds(12);

    private readonly SortedDictionary<Incarnation, TimeSpan> _sickSince = [];
    private readonly SortedDictionary<Incarnation, TimeSpan> _fitSince = [];
    private readonly SortedDictionary<ShardNo, (ShardState State, Incarnation? Target)> _rows = [];
    private readonly SortedDictionary<ShardNo, TimeSpan> _aimlessSince = [];
    private readonly SortedDictionary<Incarnation, (TimeSpan First, TimeSpan Last)> _up = []; // Those that are up, or were a while ago.

    private TimeSpan Now => cluster.World.Now;

    private ModelDatabase Database => cluster.Store.Database;

    private bool MayBeDeaf => Now - cluster.DeafAt < Known || cluster.Network is not { Loss: 0, Spikes: 0 } || cluster.Network.Delay != SimNetwork.UsualDelay;

    /// <summary>After every write to the store.</summary>
    public void Review(string call)
    {
        Note(_sickSince, static life => life.Core.Membership.Pool.IsSick);
        if (_sickSince.Count == 0)
        {
            _rows.Clear();
            _aimlessSince.Clear();
            _up.Clear();
            return;
        }
        Note(_fitSince, life => !life.Core.Membership.Pool.IsSick && life is { Mode: NodeMode.Serving, Node.IsPaused: false, Core.Ownership.IsHelped: false } && cluster.Store.IsReached(life.Node.Index));
        var up = Database.Members.Where(m => m.Status == MemberStatus.Up).ToList();
        foreach (var member in up) _up[member.Inc] = (_up.TryGetValue(member.Inc, out var was) ? was.First : Now, Now);
        foreach (var gone in _up.Where(u => Now - u.Value.Last > Known).Select(u => u.Key).ToList()) _up.Remove(gone);
        foreach (var row in Database.Shards)
        {
            var known = _rows.TryGetValue(row.No, out var before);
            _rows[row.No] = (row.State, row.Target);
            if (row is { State: ShardState.Free, Target: null } && !cluster.Types.IsPlaced(row.Type)) _aimlessSince.TryAdd(row.No, Now);
            else _aimlessSince.Remove(row.No);
            if (_aimlessSince.TryGetValue(row.No, out var since) && Now - since >= Waits && !MayBeDeaf && up.Find(m => m.Hosts(row.Type) && (IsFor(_fitSince, m, Waits)
                    || (_sickSince.ContainsKey(m.Inc) && cluster.LifeOf(m.Inc) is { Mode: NodeMode.Serving, Core.Ownership.IsHelped: false }))) is { } host)
                cluster.World.Violated("2.4", $"Shard {row.No} of {row.Type} has waited {Waits} for a target, although {host.Inc} hosts it.");
            if (known && before != (row.State, row.Target)) Judge(call, row, before, up);
        }
    }

    private void Judge(string call, ShardRow row, (ShardState State, Incarnation? Target) before, List<MemberRow> up)
    {
        var planned = row.State == ShardState.Handoff && before.State != ShardState.Handoff;
        if (planned && row.Target is { } to && Database.Find(to) is { } host && !host.Hosts(row.Type))
            cluster.World.Violated("2.4", $"{call}: shard {row.No} is to be handed to {to}, which does not host {row.Type}.");
        if (MayBeDeaf) return;
        var sick = up.Count(m => _sickSince.ContainsKey(m.Inc));
        var certainly = up.Count(m => IsFor(_sickSince, m, Certain));
        if (planned && call != SimLife.SwitchCall && row.Owner is { } owner && IsFor(_sickSince, owner, Certain) && 2 * certainly >= _up.Count)
            cluster.World.Violated("2.4", $"{call}: shard {row.No} is taken from {owner}, which is sick, but so are {certainly} of {up.Count} members.");
        if (row.Target != before.Target && row.Target is { } target && up.Exists(m => m.Inc == target) && IsFor(_sickSince, target, Known) && 2 * sick < up.Count(m => Now - _up[m.Inc].First >= Known)
            && up.Find(m => m.Hosts(row.Type) && IsFor(_fitSince, m, Known)) is { } other)
            cluster.World.Violated("2.4", $"{call}: shard {row.No} of {row.Type} is given to {target}, which has been sick for {Now - _sickSince[target]}, although {other.Inc} hosts it.");
    }

    private bool IsFor(SortedDictionary<Incarnation, TimeSpan> since, MemberRow member, TimeSpan time) => IsFor(since, member.Inc, time);

    private bool IsFor(SortedDictionary<Incarnation, TimeSpan> since, Incarnation inc, TimeSpan time) => since.TryGetValue(inc, out var from) && Now - from >= time;

    private void Note(SortedDictionary<Incarnation, TimeSpan> since, Func<SimLife, bool> holds)
    {
        foreach (var life in cluster.Lives)
        {
            if (holds(life)) since.TryAdd(life.Inc, Now);
            else since.Remove(life.Inc);
        }
        foreach (var gone in since.Keys.Where(inc => cluster.LifeOf(inc) is null).ToList()) since.Remove(gone);
    }
}
