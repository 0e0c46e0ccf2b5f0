using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

/// <summary>A node that joins, takes shards, writes, hands off and evicts others at random, and joins anew when it is evicted itself.</summary>
internal sealed class RacingClient(IClusterStore store, RacingHistory history, Random random, string name)
{
    private readonly SortedDictionary<ShardNo, (Epoch Epoch, long NextSeq)> _owned = [];
    private Incarnation _inc;

    /// <summary>One entity per shard, so that both have the same sequence.</summary>
    public static string EntityOf(ShardNo shard) => string.Create(CultureInfo.InvariantCulture, $"counter/{shard.Value}");

    public async Task RunAsync(int steps)
    {
        await JoinAsync().ConfigureAwait(false);
        for (var step = 0; step < steps; step++)
        {
            await (random.Next(12) switch
            {
                0 => RenewAsync(),
                1 or 2 => AimAsync(),
                3 or 4 => AcquireAsync(),
                5 => PlanAsync(),
                6 => ReleaseAsync(),
                7 when random.Next(4) == 0 => EvictAsync(),
                _ => AppendAsync(),
            }).ConfigureAwait(false);
        }
    }

    private async Task JoinAsync()
    {
        _owned.Clear();
        _inc = StoreBench.Ok(await store.NextIncarnationAsync().ConfigureAwait(false), "NextIncarnationAsync");
        await ChangeUntilOkAsync(members =>
        [
            .. members.Where(m => m.IsLive && m.Name == name).Select(m => new MemberChange.Down(m.Inc, "superseded")),
            new MemberChange.Join(StoreBench.Row(_inc, name, name + ":1")),
            new MemberChange.Up(_inc),
        ]).ConfigureAwait(false);
    }

    private async Task ChangeUntilOkAsync(Func<IEnumerable<MemberRow>, MemberChange[]> decide)
    {
        while (true)
        {
            var (change, _) = await ChangeAsync(decide).ConfigureAwait(false);
            if ((await store.ChangeViewAsync(change).ConfigureAwait(false)).IsOk) return;
        }
    }

    private async Task<(ViewChange Change, ClusterSnapshot Seen)> ChangeAsync(Func<IEnumerable<MemberRow>, MemberChange[]> decide)
    {
        var seen = StoreBench.Ok(await store.ReadClusterAsync().ConfigureAwait(false), "ReadClusterAsync");
        return (new ViewChange { OpId = Guid.NewGuid(), By = _inc, BasedOn = seen.Cluster.View, Members = [.. decide(seen.Members)], Reason = "race" }, seen);
    }

    private async Task RenewAsync()
    {
        if ((await store.RenewAsync(_inc).ConfigureAwait(false)).Verdict == StoreVerdict.Fenced) await JoinAsync().ConfigureAwait(false);
    }

    private async Task AimAsync()
    {
        var rows = StoreBench.Ok(await store.ReadShardsAsync().ConfigureAwait(false), "ReadShardsAsync");
        await store.RetargetAsync([.. rows.Where(r => r.State == ShardState.Free).Select(r => new ShardRetarget(r.No, r.Epoch, r.Target, _inc))]).ConfigureAwait(false);
    }

    private async Task AcquireAsync()
    {
        var result = await store.AcquireAsync(_inc).ConfigureAwait(false);
        if (result.Verdict == StoreVerdict.Fenced)
        {
            await JoinAsync().ConfigureAwait(false);
            return;
        }
        foreach (var won in StoreBench.Ok(result, "AcquireAsync"))
        {
            history.Acquired(won.No, won.Epoch, _inc);
            _owned[won.No] = (won.Epoch, won.NextSeq);
        }
    }

    private async Task PlanAsync()
    {
        var members = StoreBench.Ok(await store.ReadClusterAsync().ConfigureAwait(false), "ReadClusterAsync").Members.Where(m => m.Status == MemberStatus.Up).ToArray();
        var rows = StoreBench.Ok(await store.ReadShardsAsync().ConfigureAwait(false), "ReadShardsAsync");
        if (members.Length == 0) return; // All were evicted just now.
        await store.PlanHandoffAsync([.. rows.Select(r => new ShardRetarget(r.No, r.Epoch, r.Target, members[random.Next(members.Length)].Inc))]).ConfigureAwait(false);
    }

    private async Task ReleaseAsync()
    {
        if (_owned.Count == 0) return;
        var (no, (epoch, _)) = _owned.ElementAt(random.Next(_owned.Count));
        _owned.Remove(no); // A release that was sent is final, whatever its answer.
        await store.ReleaseAsync(_inc, [new ShardRelease(no, epoch, null)]).ConfigureAwait(false);
    }

    private async Task EvictAsync()
    {
        var (change, seen) = await ChangeAsync(members => [.. members.Where(m => m.IsLive && m.Inc != _inc).Take(1).Select(m => new MemberChange.Down(m.Inc, "race", m.LeaseSeq))]).ConfigureAwait(false);
        await store.ChangeViewAsync(change with { Targets = [.. Enumerable.Range(1, 4).Select(i => new ShardTarget(new ShardNo(i), _inc))] }).ConfigureAwait(false);
        if (seen.Find(_inc) is not { IsLive: true }) await JoinAsync().ConfigureAwait(false);
    }

    private async Task AppendAsync()
    {
        if (_owned.Count == 0) return;
        var (no, (epoch, next)) = _owned.ElementAt(random.Next(_owned.Count));
        var rows = Enumerable.Range(0, random.Next(1, 4)).Select(i => StoreBench.JournalRowOf(EntityOf(no), next + i, history.NewCommand()));
        var batch = new ShardBatch(no, epoch, _inc, next, Guid.NewGuid(), [.. rows]);
        var result = await store.AppendAsync([batch]).ConfigureAwait(false);
        var repeat = random.Next(5) == 0 ? (await store.AppendAsync([batch]).ConfigureAwait(false)) : default(StoreResult<System.Collections.Immutable.ImmutableArray<AppendOutcome>>?);
        if (repeat is { IsOk: true } again && again.Value[0] == AppendOutcome.Committed && result.IsOk)
            throw new StoreConformanceException($"Shard {no}: a batch that had {result.Value[0]} committed when it was repeated.");
        if (result.IsOk && result.Value[0] == AppendOutcome.Committed)
        {
            history.Committed(batch);
            _owned[no] = (epoch, next + batch.Rows.Length);
            return;
        }
        var resolution = StoreBench.Ok(await store.ResolveAsync(batch).ConfigureAwait(false), "ResolveAsync");
        if (result.IsOk && resolution != BatchResolution.Fenced)
            throw new StoreConformanceException($"Shard {no}: an unexpected row for the only writer of epoch {epoch}, but it resolves as {resolution}.");
        if (resolution == BatchResolution.Committed) history.Committed(batch);
        _owned.Remove(no);
    }
}
