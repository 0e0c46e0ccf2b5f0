using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

public sealed partial class ModelDatabase
{
    private readonly SortedDictionary<(ShardNo Shard, Epoch Epoch), (long View, long FirstSeq)> _epochs = [];
    private readonly List<long> _viewAt = [];
    private long _firstView = 1;

    /// <summary>See <see cref="IControlStore.PruneAsync"/>.</summary>
    /// <param name="logs">Age of views and epochs.</param>
    /// <param name="downMembers">Age of down members.</param>
    /// <param name="limit">Most rows of each kind.</param>
    /// <param name="after">The last epoch that was looked at.</param>
    /// <param name="atUnixMs">The store's time.</param>
    public StoreResult<PrunedRows> Prune(TimeSpan logs, TimeSpan downMembers, int limit, LoggedEpoch? after, long atUnixMs)
    {
        PruneRules.Check(logs, downMembers, limit);
        _ = Opened;
        var young = atUnixMs - (long)logs.TotalMilliseconds;
        var firstYoung = _firstView;
        while (firstYoung <= View && _viewAt[(int)firstYoung - 1] <= young) firstYoung++;

        var named = _shards.Values.SelectMany(r => _mutation == ModelMutation.PruneForgetsPrevious ? [r.Owner] : new[] { r.Owner, r.Previous }).OfType<Incarnation>().ToHashSet();
        var gone = _members.Values.Where(m => !m.IsLive && _downAt[m.Inc] <= atUnixMs - (long)downMembers.TotalMilliseconds && !named.Contains(m.Inc)).Take(limit).Select(m => m.Inc).ToArray();
        _members = _members.RemoveRange(gone);
        foreach (var inc in gone) _downAt.Remove(inc);
        if (gone.Length > 0 && _mutation != ModelMutation.PruneForgetsNumbers) _cluster = Opened with { Forgotten = gone.Append(Opened.Forgotten).Max() };

        var firstView = Math.Clamp(Math.Min(firstYoung, View - PruneRules.ViewsKept + 1), _firstView, _firstView + limit);
        var views = (int)(firstView - _firstView);
        _firstView = firstView;

        var page = _epochs.Where(e => after is not { } last || e.Key.CompareTo((last.Shard, last.Epoch)) > 0).Take(limit + 1)
            .Select(e => (new LoggedEpoch(e.Key.Shard, e.Key.Epoch), e.Value.View, (long?)e.Value.FirstSeq)).ToArray();
        var (empty, next) = PruneRules.Judge(page, limit, firstYoung);
        foreach (var (shard, epoch) in empty) _epochs.Remove((shard, epoch));
        return StoreResult.Ok(new PrunedRows(gone.Length, views, empty.Count, next));
    }

    /// <summary>See <see cref="IControlStore.PruneEndedAsync"/>.</summary>
    /// <param name="age">Entities that ended longer ago go.</param>
    /// <param name="atUnixMs">The store's time.</param>
    public StoreResult<int> PruneEnded(TimeSpan age, long atUnixMs)
    {
        _ = Opened;
        var gone = 0;
        foreach (var no in _endedAt.Where(e => e.Value < atUnixMs - (long)age.TotalMilliseconds).OrderBy(e => (e.Value, e.Key)).Select(e => e.Key).Take(PruneRules.EndedShards).ToArray().TakeWhile(_ => gone < PruneRules.EndedRows))
        {
            var entity = new EntityId(_shards[no].Type, _shards[no].Key).StoreKey;
            if (_rows.TryGetValue(entity, out var rows))
            {
                var some = rows.Keys.Take(PruneRules.EndedRows - gone).ToArray();
                foreach (var seq in some) RemoveRow(entity, rows, seq);
                gone += some.Length;
            }
            if (gone >= PruneRules.EndedRows) break; // There may be more of it.
            if (_snapshots.Remove(entity, out var kept)) gone += kept.Count;
            _rows.Remove(entity);
            foreach (var epoch in _epochs.Keys.Where(e => e.Shard == no).ToArray())
            {
                _epochs.Remove(epoch);
                gone++;
            }
            _byKey.Remove((_shards[no].Type, _shards[no].Key));
            _shards.Remove(no);
            _endedAt.Remove(no);
            gone++;
        }
        return StoreResult.Ok(gone);
    }

    private void CopyLogsTo(ModelDatabase copy)
    {
        foreach (var (key, epoch) in _epochs) copy._epochs.Add(key, epoch);
        copy._viewAt.AddRange(_viewAt);
        copy._firstView = _firstView;
    }
}
