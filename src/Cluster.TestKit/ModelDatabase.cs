using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

/// <summary>
/// The store's contract as a plain data structure: every operation is one synchronous step that takes effect as a whole or not at all.
/// The reference that other stores are compared with, and the store of a deterministic simulator.
/// </summary>
/// <remarks>Not thread-safe (<see cref="ModelStore"/> adds the lock). Knows no clock and no randomness: identity and time come in as
/// arguments. Everything is iterated in sorted order. To lose a reply, apply the operation and drop its result.</remarks>
public sealed partial class ModelDatabase
{
    private readonly Guid _uuid;
    private readonly ModelMutation _mutation;
    private readonly bool _keepsClientIndex;
    private readonly SortedDictionary<string, int> _types = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _exclusive = new(StringComparer.Ordinal);
    private readonly SortedDictionary<ShardNo, ShardRow> _shards = [];
    private readonly SortedSet<string> _placed = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Type, string Key), ShardNo> _byKey = []; // Only asked, never iterated.
    private readonly SortedDictionary<ShardNo, long> _endedAt = [];
    private readonly SortedDictionary<ShardNo, Guid> _lastBatches = [];
    private readonly SortedDictionary<Incarnation, long> _downAt = [];
    private readonly SortedDictionary<Incarnation, ImmutableArray<Incarnation>> _heirs = []; // Of down members.
    private readonly List<ModelShardLogEntry> _shardLog = [];
    private readonly List<ModelViewLogEntry> _viewLog = [];
    private ImmutableSortedDictionary<Incarnation, MemberRow> _members = ImmutableSortedDictionary<Incarnation, MemberRow>.Empty;
    private ImmutableArray<ShardRow> _rowsAtLastView = []; // What EvictByRowsReadBefore goes by.
    private ClusterRow? _cluster;
    private ImmutableSortedDictionary<string, string> _settings = ImmutableSortedDictionary<string, string>.Empty;
    private long _lastIncarnation;
    private long _lastShard;

    /// <summary>Most rows that one acquire takes, and most of placed types that one eviction or sweep revokes; 4,096 by default.</summary>
    public int SliceRows { get; init; } = 4_096;

    /// <summary>Makes an empty database.</summary>
    /// <param name="uuid">The cluster's identity.</param>
    /// <param name="mutation">A bug to plant, none by default.</param>
    /// <param name="keepsClientIndex">Refuse a second row of one command id, as a store with a client index does.</param>
    public ModelDatabase(Guid uuid, ModelMutation mutation = ModelMutation.None, bool keepsClientIndex = false)
    {
        _uuid = uuid;
        _mutation = mutation;
        _keepsClientIndex = keepsClientIndex;
    }

    /// <summary>Every raise of an epoch, in the order of commits; pruning does not shorten it.</summary>
    public IReadOnlyList<ModelShardLogEntry> ShardLog => _shardLog;

    /// <summary>Every view change, in the order of commits; the i-th has view i + 1. Pruning does not shorten it.</summary>
    public IReadOnlyList<ModelViewLogEntry> ViewLog => _viewLog;

    /// <summary>All members that have joined and were not pruned, by incarnation.</summary>
    public IReadOnlyCollection<MemberRow> Members => [.. _members.Values];

    /// <summary>All shard rows, by number.</summary>
    public IReadOnlyCollection<ShardRow> Shards => _shards.Values;

    internal Lock Gate { get; } = new();

    internal bool IsPlaced(string type) => _placed.Contains(type);

    internal MemberRow? Find(Incarnation inc) => _members.GetValueOrDefault(inc);

    internal ShardRow? Find(ShardNo shard) => _shards.GetValueOrDefault(shard);

    private long View => Opened.View;

    private ClusterRow Opened => _cluster ?? throw new InvalidOperationException("The store is not open. Call Open (OpenAsync) before anything else.");

    /// <summary>Copies the whole state, for example to restore it later as a store that has lost its last commits.</summary>
    public ModelDatabase Copy()
    {
        var copy = new ModelDatabase(_uuid, _mutation, _keepsClientIndex)
        {
            _members = _members,
            _rowsAtLastView = _rowsAtLastView,
            _cluster = _cluster,
            _settings = _settings,
            _lastIncarnation = _lastIncarnation,
            _lastShard = _lastShard,
            SliceRows = SliceRows,
        };
        foreach (var (type, count) in _types) copy._types.Add(type, count);
        copy._exclusive.UnionWith(_exclusive);
        copy._placed.UnionWith(_placed);
        foreach (var (key, no) in _byKey) copy._byKey.Add(key, no);
        foreach (var (no, at) in _endedAt) copy._endedAt.Add(no, at);
        foreach (var (no, row) in _shards) copy._shards.Add(no, row);
        foreach (var (no, batch) in _lastBatches) copy._lastBatches.Add(no, batch);
        foreach (var (inc, at) in _downAt) copy._downAt.Add(inc, at);
        foreach (var (inc, heirs) in _heirs) copy._heirs.Add(inc, heirs);
        copy._shardLog.AddRange(_shardLog);
        copy._viewLog.AddRange(_viewLog);
        CopyJournalTo(copy);
        CopyLogsTo(copy);
        return copy;
    }

    /// <summary>See <see cref="IControlStore.OpenAsync"/>.</summary>
    public ClusterRow Open(StoreSeed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        _cluster ??= new ClusterRow(_uuid, StoreGeneration: 1, View: 0, StableHash.Version, seed.ConfigDigest);
        if (_cluster.SettingsVersion == 0 && seed.Settings is { } settings && _cluster.ConfigDigest == seed.ConfigDigest)
            (_settings, _cluster) = (settings, _cluster with { SettingsVersion = 1 });
        return _cluster;
    }

    /// <summary>See <see cref="IControlStore.RegisterTypeAsync"/>.</summary>
    public StoreResult<int> RegisterType(string type, int shardCount, bool exclusive = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(type);
        ArgumentOutOfRangeException.ThrowIfNegative(shardCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shardCount, 65_536);
        _ = Opened;
        if (_types.TryGetValue(type, out var known))
            return _exclusive.Contains(type) == exclusive ? StoreResult.Ok(known) : StoreResult.Not<int>(StoreVerdict.Conflict, $"{type} is {(exclusive ? "not " : "")}exclusive here.");
        _types.Add(type, shardCount);
        if (shardCount == 0) _placed.Add(type);
        if (exclusive) _exclusive.Add(type);
        for (var i = 0; i < shardCount; i++)
        {
            var no = new ShardNo(++_lastShard);
            _shards.Add(no, new ShardRow(
                no, type, i.ToString(CultureInfo.InvariantCulture), new Epoch(0), null, null, null, ShardState.Free, NextSeq: 1));
        }
        return StoreResult.Ok(shardCount);
    }

    /// <summary>See <see cref="IControlStore.PlaceAsync"/>.</summary>
    public StoreResult<ImmutableArray<ShardRow>> Place(IReadOnlyList<ShardPlacement> placements)
    {
        _ = Opened;
        foreach (var type in placements.Select(p => p.Type))
            if (!_placed.Contains(type)) return StoreResult.Not<ImmutableArray<ShardRow>>(StoreVerdict.Conflict, $"{type} is not a type of individually placed entities here.");
        var rows = ImmutableArray.CreateBuilder<ShardRow>(placements.Count);
        foreach (var (type, key, target) in placements)
        {
            if (!_byKey.TryGetValue((type, key), out var no) || (_mutation == ModelMutation.PlaceAgain && _shards[no].Target != target))
            {
                no = new ShardNo(++_lastShard);
                _shards.Add(no, new ShardRow(no, type, key, new Epoch(0), null, target, null, ShardState.Free, NextSeq: 1));
                _byKey[(type, key)] = no;
            }
            rows.Add(_shards[no]);
        }
        return StoreResult.Ok(rows.MoveToImmutable());
    }

    /// <summary>See <see cref="IControlStore.EndAsync"/>.</summary>
    /// <param name="owner">The owner.</param>
    /// <param name="shards">What has ended.</param>
    /// <param name="atUnixMs">The store's time; for <see cref="PruneEnded"/>.</param>
    public StoreResult<ImmutableArray<ShardNo>> End(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards, long atUnixMs)
    {
        var ended = ChangeRows(
            shards, s => s.Shard,
            (row, s) => row.Owner == owner && row.Epoch == s.Epoch && _placed.Contains(row.Type),
            (row, _) => row with { Owner = null, Target = null, Previous = null, State = ShardState.Ended });
        foreach (var no in ended.Value) _endedAt[no] = atUnixMs;
        foreach (var timer in Timers.Where(t => ended.Value.Contains(t.Shard)).ToArray()) _timers.Remove((timer.Shard, timer.Entity, timer.Timer.Key));
        return ended;
    }

    /// <summary>See <see cref="IControlStore.NextIncarnationAsync"/>.</summary>
    public StoreResult<Incarnation> NextIncarnation()
    {
        _ = Opened;
        return StoreResult.Ok(new Incarnation(++_lastIncarnation));
    }

    /// <summary>See <see cref="IControlStore.ReadClusterAsync"/>.</summary>
    public StoreResult<ClusterSnapshot> ReadCluster() => StoreResult.Ok(new ClusterSnapshot(Opened, [.. _members.Values]));

    /// <summary>See <see cref="IControlStore.ReadSettingsAsync"/>.</summary>
    public StoreResult<StoredSettings> ReadSettings() => StoreResult.Ok(new StoredSettings(Opened.SettingsVersion, _settings));

    /// <summary>See <see cref="IControlStore.FindViewAsync"/>.</summary>
    public StoreResult<long> FindView(Guid opId)
    {
        _ = Opened;
        foreach (var entry in _viewLog)
            if (entry.OpId == opId && entry.View >= _firstView) return StoreResult.Ok(entry.View);
        return StoreResult.Ok(0L);
    }

    /// <summary>See <see cref="IControlStore.RenewAsync"/>.</summary>
    public StoreResult<Renewal> Renew(Incarnation inc)
    {
        _ = Opened;
        if (!_members.TryGetValue(inc, out var member) || !member.IsLive) return StoreResult.Not<Renewal>(StoreVerdict.Fenced, $"{inc} is not a live member.");
        _members = _members.SetItem(inc, member with { LeaseSeq = member.LeaseSeq + 1 });
        return StoreResult.Ok(new Renewal(member.LeaseSeq + 1, View));
    }

    /// <summary>See <see cref="IControlStore.AcquireAsync"/>.</summary>
    public StoreResult<ImmutableArray<AcquiredShard>> Acquire(Incarnation inc, IReadOnlyCollection<LeaseSeen>? stale = null)
    {
        _ = Opened;
        if (_mutation != ModelMutation.AcquireWithoutMemberCheck && !IsUp(_members, inc))
            return StoreResult.Not<ImmutableArray<AcquiredShard>>(StoreVerdict.Fenced, $"{inc} is not up.");
        var acquired = ImmutableArray.CreateBuilder<AcquiredShard>();
        bool MayHost(ShardRow row) => !_members.TryGetValue(inc, out var me) || me.Hosts(row.Type);
        var rows = _shards.Values.Where(r => r.State == ShardState.Free && r.Target == inc && MayHost(r) && IsFreeOfPrevious(r, inc, stale ?? [])).Take(SliceRows).ToArray();
        foreach (var (down, heirs) in _heirs)
        {
            if (rows.Length > 0) break;
            rows = [.. _shards.Values.Where(r => r.Owner == down && heirs[(int)(r.No.Value % heirs.Length)] == inc && IsInherited(r) && MayHost(r)).Take(SliceRows)];
        }
        foreach (var row in rows)
        {
            var keeps = (_mutation == ModelMutation.AcquireKeepsEpoch && row.Epoch.Value > 0) || (_mutation == ModelMutation.InheritKeepsEpoch && row.State != ShardState.Free);
            var epoch = new Epoch(row.Epoch.Value + (keeps ? 0 : 1));
            _shards[row.No] = row with { Epoch = epoch, Owner = inc, Target = inc, Previous = null, State = ShardState.Owned };
            _shardLog.Add(new ModelShardLogEntry(row.No, epoch, inc, View));
            _epochs[(row.No, epoch)] = (View, row.NextSeq);
            acquired.Add(new AcquiredShard(row.No, row.Type, row.Key, epoch, row.NextSeq));
        }
        return StoreResult.Ok(acquired.DrainToImmutable());
    }

    private bool IsInherited(ShardRow row) => row.Owner is { } owner && _heirs.ContainsKey(owner) && _placed.Contains(row.Type) && !_exclusive.Contains(row.Type);

    private bool IsFreeOfPrevious(ShardRow row, Incarnation heir, IReadOnlyCollection<LeaseSeen> stale) =>
        row.Previous is not { } previous || !_exclusive.Contains(row.Type) || _mutation == ModelMutation.TakeExclusiveAtOnce
        || (_members.TryGetValue(previous, out var member) && (member.DeadProof || stale.Contains(new LeaseSeen(previous, member.LeaseSeq))
            || (member.HasCrashed && (_mutation == ModelMutation.CrashFreesAnyExclusive || (_members.TryGetValue(heir, out var mine) && mine.TakesOverOnCrashEvidence(row.Type))))));

    /// <summary>See <see cref="IControlStore.ReadShardsAsync()"/>.</summary>
    public StoreResult<ImmutableArray<ShardRow>> ReadShards()
    {
        _ = Opened;
        return StoreResult.Ok<ImmutableArray<ShardRow>>([.. _shards.Values]);
    }

    /// <summary>See <see cref="IControlStore.ReadPictureAsync"/>.</summary>
    public StoreResult<ShardPicture> ReadPicture(Incarnation self)
    {
        _ = Opened;
        var unsettled = _shards.Values.Where(r => r.State is (ShardState.Free or ShardState.Handoff) && _placed.Contains(r.Type)).GroupBy(r => r.Type).SelectMany(g => g.Take(ShardPicture.UnsettledMax));
        var own = _shards.Values.Where(r => r.Owner == self && _placed.Contains(r.Type)).ToArray();
        return StoreResult.Ok(new ShardPicture([.. _shards.Values.Where(r => !_placed.Contains(r.Type)).Concat(unsettled).OrderBy(r => r.No)], own.Length, own.Sum(r => ShardPicture.Mark(r.No, r.Epoch))));
    }

    /// <summary>See <see cref="IControlStore.ReadOwnAsync"/>.</summary>
    public StoreResult<ImmutableArray<ShardRow>> ReadOwn(Incarnation self)
    {
        _ = Opened;
        return StoreResult.Ok<ImmutableArray<ShardRow>>([.. _shards.Values.Where(r => r.Owner == self && _placed.Contains(r.Type))]);
    }

    /// <summary>See <see cref="IControlStore.ReadShardsAsync(IReadOnlyCollection{ShardNo})"/>.</summary>
    public StoreResult<ImmutableArray<ShardRow>> ReadShards(IReadOnlyCollection<ShardNo> shards)
    {
        _ = Opened;
        return StoreResult.Ok<ImmutableArray<ShardRow>>([.. shards.Distinct().Order().Where(_shards.ContainsKey).Select(no => _shards[no])]);
    }

    /// <summary>See <see cref="IControlStore.PlanHandoffAsync"/>.</summary>
    public StoreResult<ImmutableArray<ShardNo>> PlanHandoff(IReadOnlyCollection<ShardRetarget> plans) => ChangeRows(
        plans, p => p.Shard,
        (row, p) => row.State == ShardState.Owned && row.Epoch == p.Epoch && row.Target == p.Seen,
        (row, p) => row with { State = ShardState.Handoff, Target = p.Target });

    /// <summary>See <see cref="IControlStore.RevertHandoffAsync"/>.</summary>
    public StoreResult<ImmutableArray<ShardNo>> RevertHandoff(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards) => ChangeRows(
        shards, s => s.Shard,
        (row, s) => row.State == ShardState.Handoff && row.Owner == owner && row.Epoch == s.Epoch,
        (row, _) => row with { State = ShardState.Owned });

    /// <summary>See <see cref="IControlStore.ReleaseAsync"/>.</summary>
    public StoreResult<ImmutableArray<ShardNo>> Release(Incarnation owner, IReadOnlyCollection<ShardRelease> releases) => ChangeRows(
        releases, r => r.Shard,
        (row, r) => row.Owner == owner && row.Epoch == r.Epoch,
        (row, r) => row with { Owner = null, Previous = null, State = ShardState.Free, Target = r.Target ?? row.Target });

    /// <summary>See <see cref="IControlStore.ClearPreviousAsync"/>.</summary>
    public StoreResult<int> ClearPrevious(Incarnation previous, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards)
    {
        var changed = ChangeRows(
            shards, s => s.Shard,
            (row, s) => row.Previous == previous && row.Epoch == s.Epoch,
            (row, _) => row with { Previous = null });
        return StoreResult.Ok(changed.Value.Length);
    }

    /// <summary>See <see cref="IControlStore.RevokeOfDownAsync"/>.</summary>
    public StoreResult<int> RevokeOfDown(IReadOnlyCollection<Incarnation> heirs, IReadOnlyCollection<Incarnation>? trusted = null)
    {
        _ = Opened;
        if (_mutation == ModelMutation.SweepRevokesNothing) return StoreResult.Ok(0);
        ImmutableArray<Incarnation> shares = [.. heirs];
        bool IsDown(Incarnation? inc) => inc is { } x && _members.TryGetValue(x, out var m) && !m.IsLive;
        bool IsLeftToHeirs(ShardRow row) => IsInherited(row) && _heirs[row.Owner!.Value].All((trusted ?? []).Contains);
        var orphans = _shards.Values.Where(r => IsDown(r.Owner) && !IsLeftToHeirs(r)).GroupBy(r => r.Owner).MinBy(g => g.Key)?.Take(SliceRows).ToArray() ?? []; // One member's at a time.
        if (orphans.Length == 0 && !shares.IsEmpty) orphans = [.. _shards.Values.Where(r => r.State == ShardState.Free && IsDown(r.Target) && _placed.Contains(r.Type)).Take(SliceRows)];
        foreach (var row in orphans) _shards[row.No] = Freed(row, shares);
        return StoreResult.Ok(orphans.Length);
    }

    /// <summary>See <see cref="IControlStore.RetargetAsync"/>.</summary>
    public StoreResult<ImmutableArray<ShardNo>> Retarget(IReadOnlyCollection<ShardRetarget> retargets) => ChangeRows(
        retargets, r => r.Shard,
        (row, r) => row.State == ShardState.Free && row.Epoch == r.Epoch && row.Target == r.Seen,
        (row, r) => row with { Target = r.Target });

    private static bool IsUp(ImmutableSortedDictionary<Incarnation, MemberRow> members, Incarnation inc) =>
        members.TryGetValue(inc, out var member) && member.Status == MemberStatus.Up;

    private ShardRow Freed(ShardRow row, ImmutableArray<Incarnation> heirs) => row with
    {
        Owner = null,
        Target = !heirs.IsEmpty && _placed.Contains(row.Type) ? heirs[(int)(row.No.Value % heirs.Length)] : null,
        Previous = _mutation == ModelMutation.RevokeForgetsPrevious ? row.Owner : row.Owner ?? row.Previous,
        State = ShardState.Free,
    };

    private StoreResult<ImmutableArray<ShardNo>> ChangeRows<T>(
        IReadOnlyCollection<T> orders, Func<T, ShardNo> shardOf, Func<ShardRow, T, bool> holds, Func<ShardRow, T, ShardRow> change)
    {
        _ = Opened;
        var changed = ImmutableArray.CreateBuilder<ShardNo>();
        foreach (var order in orders)
        {
            if (!_shards.TryGetValue(shardOf(order), out var row) || !holds(row, order)) continue;
            _shards[row.No] = change(row, order);
            changed.Add(row.No);
        }
        return StoreResult.Ok(changed.DrainToImmutable());
    }
}
