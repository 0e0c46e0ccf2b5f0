namespace ActorCluster.Hosting;

/// <summary>How long an evicted node waits before it joins again: at once at first, but the third time in ten minutes 30 s, then twice as long each, 5 min at most.</summary>
internal sealed class RejoinBackoff
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(10);
    private readonly Queue<TimeSpan> _evictions = new();

    public TimeSpan Next(TimeSpan now)
    {
        while (_evictions.TryPeek(out var oldest) && now - oldest > Window) _evictions.Dequeue();
        _evictions.Enqueue(now);
        if (_evictions.Count < 3) return TimeSpan.FromMilliseconds(100);
        return TimeSpan.FromSeconds(Math.Min(300, 30 * Math.Pow(2, _evictions.Count - 3)));
    }
}
