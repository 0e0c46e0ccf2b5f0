using ActorCluster.Persistence;

namespace ActorCluster.Membership;

/// <summary>How long the store keeps what nobody needs any more.</summary>
internal sealed record Retention
{
    /// <summary>Of the logs of views and epochs.</summary>
    public TimeSpan Logs { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Of members that are down.</summary>
    public TimeSpan DownMembers { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Between the looks of a coordinator; the first comes a fraction of it after it became one.</summary>
    public TimeSpan Every { get; init; } = TimeSpan.FromHours(1);
}

/// <summary>When the coordinator has the store prune: in small batches, one at a time, while nobody is missing.</summary>
/// <remarks>Not thread-safe. Ages are judged by the store's clock; <c>now</c> is monotonic and says only when to ask. Two nodes that both take themselves for the
/// coordinator do no harm: a prune deletes what is not needed, whoever asks.</remarks>
internal sealed class Pruning(Retention retention)
{
    /// <summary>Rows of each kind in one transaction: well below the time-out of a call on a slow disk.</summary>
    public const int BatchRows = 500;

    private static readonly TimeSpan BetweenBatches = TimeSpan.FromSeconds(1);

    private ControlCall? _underWay;
    private TimeSpan? _next;

    /// <param name="mayPrune">This node coordinates and nobody is missing: else the store has more urgent work.</param>
    /// <param name="now">Monotonic.</param>
    /// <param name="effects">What is to be done.</param>
    public void Tick(bool mayPrune, TimeSpan now, List<NodeEffect> effects)
    {
        if (!mayPrune)
        {
            _next = null;
            return;
        }
        _next ??= now + (retention.Every / 60);
        if (_underWay is not null || now < _next) return;
        _underWay = new ControlCall.Prune(retention.Logs, retention.DownMembers, BatchRows);
        effects.Add(new NodeEffect.Call(_underWay));
    }

    public void Answered(ControlAnswer answer, TimeSpan now)
    {
        if (!ReferenceEquals(answer.Call, _underWay)) return;
        _underWay = null;
        // In doubt or not sent: nothing rests on it, the next look finds what is left.
        var more = answer.IsOk && answer.As<PrunedRows>() is var pruned && Math.Max(Math.Max(pruned.Members, pruned.Views), pruned.Epochs) >= BatchRows;
        if (_next is not null) _next = now + (more ? BetweenBatches : retention.Every);
    }
}
