using System.Collections.Immutable;
using ActorCluster.Hosting;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sql.Operations;

/// <summary>Changes the settings that a stopped cluster shares: a view change in which nobody is live, made when nobody may act any more (decision 18).</summary>
internal sealed class SettingsWrite(IClusterStore store, ProtocolTimes times)
{
    private const int Attempts = 5;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);

    /// <summary>Waits until nobody may act, which takes as long as a lease lives where lock files do not prove it, and commits.</summary>
    /// <returns>The view that the change made.</returns>
    /// <exception cref="StoreUnusableException">A node runs, or the store does not take it; nothing was changed unless the message says that it is unknown.</exception>
    public async Task<long> RunAsync(SettingsChange change, CancellationToken stopping)
    {
        var stopped = new StoppedCluster(times);
        var reads = TimeSpan.Zero;
        while (true)
        {
            stopping.ThrowIfCancellationRequested();
            var asked = MonotonicClock.Now;
            var cluster = await store.ReadClusterAsync().ConfigureAwait(false);
            var shards = await store.ReadShardsAsync().ConfigureAwait(false);
            if (!cluster.IsOk || !shards.IsOk)
            {
                stopped.StoreLost();
                reads += Look;
                if (reads > times.LeaseTtl) throw new StoreUnusableException($"{store.Description} cannot be read: {cluster.Reason ?? shards.Reason} Nothing was changed.");
            }
            else
            {
                switch (stopped.Judge(cluster.Value!, shards.Value, asked, MonotonicClock.Now, IsDead))
                {
                    case Activity.Runs(var who, var why):
                        throw new StoreUnusableException($"{who.Name}{who.Inc} runs: {why}. Stop all nodes in good order (SIGTERM), then change the settings. Nothing was changed.");
                    case Activity.None(var down):
                        return await CommitAsync(change, cluster.Value!.Cluster.View, down).ConfigureAwait(false);
                }
            }
            await Task.Delay(Look, stopping).ConfigureAwait(false);
        }
    }

    private async Task<long> CommitAsync(SettingsChange settings, long view, ImmutableArray<MemberChange> down)
    {
        var change = new ViewChange { OpId = Guid.NewGuid(), By = default, BasedOn = view, Members = down, Settings = settings, Reason = "the operator changed the settings" };
        var last = default(StoreResult<long>);
        for (var attempt = 0; attempt < Attempts; attempt++) // By one id: however often it is sent, it happens once.
        {
            last = await store.ChangeViewAsync(change).ConfigureAwait(false);
            if (last.IsOk) return last.Value;
            if (last.Verdict == StoreVerdict.Conflict) throw new StoreUnusableException($"Somebody was faster: {last.Reason} Nothing was changed; look with settings, and try again.");
        }
        throw new StoreUnusableException($"{store.Description} did not take the change: {last.Reason} {(last.Verdict == StoreVerdict.InDoubt ? "It may have; look with settings." : "Nothing was changed.")}");
    }

    private static bool? IsDead(MemberRow member) => member.LockFile is { } proof && NodeLock.IsOfThisBoot(proof) ? NodeLock.IsFree(proof) : null;
}
