using ActorCluster.Persistence;

namespace ActorCluster.Membership;

/// <summary>How long the store keeps what nobody needs any more.</summary>
internal sealed record Retention
{
    /// <summary>Of the logs of views and epochs.</summary>
    public TimeSpan Logs { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Of members that are down.</summary>
    public TimeSpan DownMembers { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Between two rounds of a coordinator; whoever is none looks sixty times as often whether it has become one.</summary>
    public TimeSpan Every { get; init; } = TimeSpan.FromHours(1);
}

/// <summary>When the coordinator has the store prune: in small batches, one at a time, while nobody is missing.</summary>
/// <remarks>Not thread-safe. Ages are judged by the store's clock; <c>now</c> is monotonic and says only when to ask. Two nodes that both take themselves for the
/// coordinator do no harm: a prune deletes what is not needed, whoever asks.</remarks>
/// <param name="retention">Ages and intervals.</param>
/// <param name="mayPrune">At a monotonic time: this node coordinates and nobody is missing; else the store has more urgent work.</param>
internal sealed class Pruning(Retention retention, Func<TimeSpan, bool> mayPrune)
{
    /// <summary>Rows of each kind in one transaction: well below the time-out of a call on a slow disk.</summary>
    public const int BatchRows = 500;

    private static readonly TimeSpan BetweenBatches = TimeSpan.FromSeconds(1);

    private ControlCall? _underWay;
    private LoggedEpoch? _after;
    private TimeSpan? _next;

    public void Tick(TimeSpan now, List<NodeEffect> effects)
    {
        _next ??= now + (retention.Every / 60);
        if (_underWay is not null || now < _next) return;
        if (!mayPrune(now))
        {
            _next = now + (retention.Every / 60);
            return;
        }
        _underWay = new ControlCall.Prune(retention.Logs, retention.DownMembers, BatchRows, _after);
        effects.Add(new NodeEffect.Call(_underWay));
    }

    public void Answered(ControlAnswer answer, TimeSpan now)
    {
        if (!ReferenceEquals(answer.Call, _underWay)) return;
        _underWay = null;
        // In doubt or not sent: nothing rests on it, the next look finds what is left.
        var more = false;
        if (answer.IsOk)
        {
            var pruned = answer.As<PrunedRows>();
            _after = pruned.Next;
            more = _after is not null || Math.Max(pruned.Members, pruned.Views) >= BatchRows;
        }
        _next = now + (more ? BetweenBatches : retention.Every);
    }
}
