using System.Collections.Immutable;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Placement;
using ActorCluster.Primitives;

namespace ActorCluster.Sharding;

/// <summary>A sick member (protocol 2.4) is given no shards that others can serve, and the coordinator has it hand off those that it has (decision 26).</summary>
/// <remarks>By the ordinary hand-off and within its bounds: what the member cannot drain in time reverts and is planned again later, behind all others, so the row is always driven and
/// one entity that hangs holds up no other shard.</remarks>
internal sealed partial class Ownership
{
    /// <summary>Where load is the trouble, the next ones are sick within that time, and then nothing is moved.</summary>
    private static readonly TimeSpan RelieveAfter = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan ReadSickEvery = TimeSpan.FromSeconds(5);

    private readonly SortedDictionary<ShardNo, long> _relieved = []; // When each was last planned away, by the number of the plan.
    private readonly Queue<ShardRow> _placedOfSick = new();
    private ImmutableSortedSet<Incarnation> _sick = [];
    private bool _sickAreFew;
    private bool _mayRelieve;
    private TimeSpan _sickSince;
    private long _plans;
    private TimeSpan _nextReadOfSick;
    private Incarnation _lastReadOfSick;
    private string _said = "";

    /// <summary>Which shards sick members are still to have.</summary>
    public SickMembers SickRules { get; init; } = new();

    /// <summary>Takes in who says that it is sick.</summary>
    public void NoteSick(Membership.Membership membership, TimeSpan now)
    {
        if (membership.Snapshot is not { } snapshot) return;
        var sick = membership.Sick;
        if (!sick.SetEquals(_sick)) _sickSince = now;
        _sick = sick;
        _sickAreFew = SickRules.AreFew(snapshot.Members, _sick);
        _mayRelieve = _sickAreFew && SickRules.AreFew(snapshot.Members, membership.PerhapsSick); // Who has just joined hears few, and is to give the sick nothing all the same.
    }

    /// <summary>The members as placement is to see them: all of them as they are where too many are sick.</summary>
    private ImmutableArray<MemberRow> Spared(ImmutableArray<MemberRow> members) => Spared(members, _sickAreFew);

    /// <param name="members">Those who may be given shards.</param>
    /// <param name="areFew">Whether the sick ones are few, of those that are members when it is done: some may be leaving by this very change.</param>
    private ImmutableArray<MemberRow> Spared(ImmutableArray<MemberRow> members, bool areFew) =>
        _sick.IsEmpty || !areFew ? members : SickRules.Spared(members, _sick, _rows.Select(r => r.Type).Concat(types.Placed).Distinct(), types);

    /// <summary>The coordinator's plan for sick members; true while there is anything to move, or too many are sick to move anything.</summary>
    /// <param name="membership">Who is sick, and what they carry.</param>
    /// <param name="spared">Members that may be given shards, as placement is to see them.</param>
    /// <param name="rows">Shards of types that somebody hosts.</param>
    /// <param name="now">Monotonic.</param>
    /// <param name="effects">What is to be done.</param>
    private bool Relieve(Membership.Membership membership, ImmutableArray<MemberRow> spared, List<ShardRow> rows, TimeSpan now, List<NodeEffect> effects)
    {
        if (_sick.IsEmpty)
        {
            Say("", effects);
            _relieved.Clear();
            _placedOfSick.Clear();
            return false;
        }
        if (!_mayRelieve)
        {
            Say($"{string.Join(", ", _sick)} are sick, too many to be relieved with those that are not heard: nothing is moved", effects);
            return true;
        }
        if (now - _sickSince < RelieveAfter) return true;
        Say($"{string.Join(", ", _sick)} {(_sick.Count == 1 ? "is" : "are")} sick: what others can serve is handed off", effects);
        var moves = ShardAllocation.Relieve(spared, rows, _sick, HandoffsAtOnce, no => _relieved.GetValueOrDefault(no), types);
        if (moves.IsEmpty) moves = RelievePlaced(membership, spared, rows, now, effects);
        if (moves.IsEmpty) return rows.Any(r => r.State == ShardState.Handoff && r.Owner is { } owner && _sick.Contains(owner));
        Call(
            new ControlCall.PlanHandoff(moves),
            now,
            () =>
            {
                _plans++;
                foreach (var move in moves) _relieved[move.Shard] = _plans;
            },
            effects);
        return true;
    }

    /// <summary>Individually placed entities: their rows are in nobody's picture, so the owner's are read, as many as there are, and dealt by load.</summary>
    private ImmutableArray<ShardRetarget> RelievePlaced(Membership.Membership membership, ImmutableArray<MemberRow> spared, List<ShardRow> rows, TimeSpan now, List<NodeEffect> effects)
    {
        var room = HandoffsAtOnce - rows.Count(r => r.State == ShardState.Handoff);
        if (room <= 0 || types.Placed.IsEmpty) return [];
        if (_placedOfSick.Count == 0 && now >= _nextReadOfSick && _sick.Where(inc => membership.PlacedAt(inc) > 0).OrderBy(inc => inc <= _lastReadOfSick).ThenBy(inc => inc).Select(inc => (Incarnation?)inc).FirstOrDefault() is { } owner)
            Call(new ControlCall.ReadOwn(owner), now, () => (_nextReadOfSick, _lastReadOfSick) = (now + ReadSickEvery, owner), effects); // One after the other, so that one whose entities stay holds up nobody's.
        var moves = ImmutableArray.CreateBuilder<ShardRetarget>();
        while (moves.Count < room && _placedOfSick.TryDequeue(out var row))
        {
            if (row.State != ShardState.Owned || row.Owner is not { } from || !_sick.Contains(from)) continue;
            var hosts = spared.Where(m => m.Status == MemberStatus.Up && m.Hosts(row.Type)).OrderBy(m => m.Inc).ToArray();
            if (hosts.Any(m => m.Inc == from)) continue; // Nobody else serves its type.
            if (LoadPlacement.Deal(hosts, inc => LoadOf(inc, membership), 1) is not [var to]) continue;
            if (_given.TryGetValue(to, out var given)) _given[to] = given with { Given = given.Given + 1 };
            moves.Add(new ShardRetarget(row.No, row.Epoch, row.Target, to));
        }
        return moves.DrainToImmutable();
    }

    /// <summary>What a member that is sick owns of placed types, the coordinator's own rows too.</summary>
    private void ReadOfSick(Incarnation owner, ImmutableArray<ShardRow> rows)
    {
        if (!_sick.Contains(owner)) return;
        foreach (var row in rows) _placedOfSick.Enqueue(row);
    }

    /// <summary>Once for each change, for operators.</summary>
    private void Say(string what, List<NodeEffect> effects)
    {
        if (what == _said) return;
        effects.Add(new NodeEffect.Decided(what.Length > 0 ? what : "nobody is sick any more"));
        _said = what;
    }
}
