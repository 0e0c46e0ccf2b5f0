using ActorCluster.Persistence;

namespace ActorCluster.Sql.Tests.Operations;

/// <summary>
/// A cluster that has lived: member 1 owned four shards and wrote, was evicted, member 2 took over, wrote on, set a timer, took snapshots and truncated. Two rooms.
/// </summary>
public static class ClusterHistory
{
    public static async Task<Owner> WriteAsync(IClusterStore store)
    {
        var first = await Owner.OfAsync(store, shards: 4);
        Committed(await first.AppendAsync(first.Batch(0, 1, rows: 3)));
        Committed(await first.AppendAsync(first.Batch(1, 1, rows: 2)));
        var inc = Ok(await store.NextIncarnationAsync());
        Ok(await store.ChangeViewAsync(new ViewChange
        {
            OpId = Guid.NewGuid(),
            By = inc,
            BasedOn = Ok(await store.ReadClusterAsync()).Cluster.View,
            Members =
            [
                new MemberChange.Join(new MemberRow { Inc = inc, Name = "n2", Host = "h", LinkAddress = "h:2", ClientUrl = "http://h:80", Types = ["type1"] }),
                new MemberChange.Up(inc),
                new MemberChange.Down(first.Inc, "it was silent"),
            ],
            Targets = [.. first.Shards.Select(s => new ShardTarget(s.No, inc))],
            Reason = "eviction",
        }));
        var second = new Owner(store, inc, Ok(await store.AcquireAsync(inc)));
        var last = second.Batch(0, 4, rows: 2);
        var remind = new DurableTimer("remind", (5 * DurableTimer.PerEntityMax) + 1, 1_900_000_000_000, "remind.v1", new byte[] { 0, 1 });
        Committed(await second.AppendAsync(last with { Rows = last.Rows.SetItem(1, last.Rows[1] with { Timers = [new TimerChange("remind", remind)] }) }));
        var (shard, epoch) = (second.Shards[0].No, second.Shards[0].Epoch);
        foreach (var seq in new[] { 3, 4 })
            Assert.True(Ok(await store.SaveSnapshotAsync(shard, epoch, inc, new EntitySnapshot($"room/{shard}", seq, "room.v1", new byte[seq]))));
        Assert.Equal(2, Ok(await store.TruncateAsync(shard, epoch, inc, $"room/{shard}", new JournalLimits(null, 0, TimeSpan.Zero))));
        return second;
    }

    /// <summary>The last member leaves in good order: the cluster has stopped.</summary>
    public static async Task StopAsync(Owner owner)
    {
        Ok(await owner.Store.ReleaseAsync(owner.Inc, [.. owner.Shards.Select(s => new ShardRelease(s.No, s.Epoch, null))]));
        Ok(await owner.Store.ChangeViewAsync(new ViewChange
        {
            OpId = Guid.NewGuid(),
            By = owner.Inc,
            BasedOn = Ok(await owner.Store.ReadClusterAsync()).Cluster.View,
            Members = [new MemberChange.Leave(owner.Inc), new MemberChange.Down(owner.Inc, "left")],
            Reason = "left",
        }));
    }

    public static T Ok<T>(StoreResult<T> result)
    {
        Assert.True(result.IsOk, result.ToString());
        return result.Value!;
    }

    private static void Committed(StoreResult<AppendOutcome> result) => Assert.Equal(AppendOutcome.Committed, Ok(result));
}
