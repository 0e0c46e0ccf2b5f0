using System.Collections.Immutable;
using System.Diagnostics;
using ActorCluster.Primitives;

namespace ActorCluster.Persistence;

/// <summary>A control-store call as a value, so that a protocol core can ask for it without making it.</summary>
internal abstract record ControlCall
{
    private ControlCall() { }

    public sealed record ReadCluster : ControlCall;

    public sealed record ChangeView(ViewChange Change) : ControlCall;

    public sealed record FindView(Guid OpId) : ControlCall;

    public sealed record Renew(Incarnation Inc) : ControlCall;

    public sealed record Acquire(Incarnation Inc, ImmutableArray<LeaseSeen> Stale) : ControlCall;

    public sealed record ReadPicture(Incarnation Self) : ControlCall;

    public sealed record ReadOwn(Incarnation Self) : ControlCall;

    public sealed record ReadRows(ImmutableArray<ShardNo> Shards) : ControlCall;

    public sealed record Place(ImmutableArray<ShardPlacement> Placements) : ControlCall;

    public sealed record End(Incarnation Owner, ImmutableArray<(ShardNo Shard, Epoch Epoch)> Shards) : ControlCall;

    public sealed record PruneEnded(TimeSpan Age) : ControlCall;

    public sealed record PlanHandoff(ImmutableArray<ShardRetarget> Plans) : ControlCall;

    public sealed record RevertHandoff(Incarnation Owner, ImmutableArray<(ShardNo Shard, Epoch Epoch)> Shards) : ControlCall;

    public sealed record Release(Incarnation Owner, ImmutableArray<ShardRelease> Releases) : ControlCall;

    public sealed record ClearPrevious(Incarnation Previous, ImmutableArray<(ShardNo Shard, Epoch Epoch)> Shards) : ControlCall;

    public sealed record RevokeOfDown(ImmutableArray<Incarnation> Heirs, ImmutableArray<Incarnation> Trusted) : ControlCall;

    public sealed record Retarget(ImmutableArray<ShardRetarget> Retargets) : ControlCall;

    public sealed record Prune(TimeSpan Logs, TimeSpan DownMembers, int Limit, LoggedEpoch? After) : ControlCall;

    /// <summary>Makes the call; the one place where the values become calls.</summary>
    public async ValueTask<ControlAnswer> RunAsync(IControlStore store) => this switch
    {
        ReadCluster => ControlAnswer.Of(this, await store.ReadClusterAsync().ConfigureAwait(false)),
        ChangeView(var change) => ControlAnswer.Of(this, await store.ChangeViewAsync(change).ConfigureAwait(false)),
        FindView(var opId) => ControlAnswer.Of(this, await store.FindViewAsync(opId).ConfigureAwait(false)),
        Renew(var inc) => ControlAnswer.Of(this, await store.RenewAsync(inc).ConfigureAwait(false)),
        Acquire(var inc, var stale) => ControlAnswer.Of(this, await store.AcquireAsync(inc, stale).ConfigureAwait(false)),
        ReadPicture(var self) => ControlAnswer.Of(this, await store.ReadPictureAsync(self).ConfigureAwait(false)),
        ReadOwn(var self) => ControlAnswer.Of(this, await store.ReadOwnAsync(self).ConfigureAwait(false)),
        ReadRows(var shards) => ControlAnswer.Of(this, await store.ReadShardsAsync(shards).ConfigureAwait(false)),
        Place(var placements) => ControlAnswer.Of(this, await store.PlaceAsync(placements).ConfigureAwait(false)),
        End(var owner, var shards) => ControlAnswer.Of(this, await store.EndAsync(owner, shards).ConfigureAwait(false)),
        PruneEnded(var age) => ControlAnswer.Of(this, await store.PruneEndedAsync(age).ConfigureAwait(false)),
        PlanHandoff(var plans) => ControlAnswer.Of(this, await store.PlanHandoffAsync(plans).ConfigureAwait(false)),
        RevertHandoff(var owner, var shards) => ControlAnswer.Of(this, await store.RevertHandoffAsync(owner, shards).ConfigureAwait(false)),
        Release(var owner, var releases) => ControlAnswer.Of(this, await store.ReleaseAsync(owner, releases).ConfigureAwait(false)),
        ClearPrevious(var previous, var shards) => ControlAnswer.Of(this, await store.ClearPreviousAsync(previous, shards).ConfigureAwait(false)),
        RevokeOfDown(var heirs, var trusted) => ControlAnswer.Of(this, await store.RevokeOfDownAsync(heirs, trusted).ConfigureAwait(false)),
        Retarget(var retargets) => ControlAnswer.Of(this, await store.RetargetAsync(retargets).ConfigureAwait(false)),
        Prune(var logs, var downMembers, var limit, var after) => ControlAnswer.Of(this, await store.PruneAsync(logs, downMembers, limit, after).ConfigureAwait(false)),
        _ => throw new UnreachableException($"No rule for {this}."),
    };
}

/// <summary>What a control-store call came back with.</summary>
/// <param name="Call">The very call that was asked for (compared by reference where several may be under way).</param>
/// <param name="Verdict">How it ended.</param>
/// <param name="Value">The value of an Ok call, of the call's own type.</param>
/// <param name="Reason">Why not, in words.</param>
internal sealed record ControlAnswer(ControlCall Call, StoreVerdict Verdict, object? Value, string? Reason)
{
    public bool IsOk => Verdict == StoreVerdict.Ok;

    public T As<T>() => (T)Value!;

    public static ControlAnswer Of<T>(ControlCall call, StoreResult<T> result) => new(call, result.Verdict, result.IsOk ? result.Value : null, result.Reason);
}
