namespace ActorCluster.Entities;

/// <summary>All timers of a node's entities in one queue with one clock.</summary>
/// <remarks>Thread-safe. A timer is never cancelled here: one that fires late is ignored by whoever set it.</remarks>
internal sealed class EntityTimers : IDisposable
{
    private readonly Lock _lock = new();
    private readonly PriorityQueue<Action, long> _queue = new();
    private readonly Timer _clock;
    private bool _stopped;

    public EntityTimers() => _clock = new Timer(_ => FireDue());

    public void Set(TimeSpan due, Action fire)
    {
        var at = Environment.TickCount64 + (long)Math.Max(0, due.TotalMilliseconds);
        lock (_lock)
        {
            if (_stopped) return;
            _queue.Enqueue(fire, at);
            if (_queue.TryPeek(out _, out var first) && first == at) Arm(at);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _stopped = true;
            _queue.Clear();
        }
        _clock.Dispose();
    }

    private void FireDue()
    {
        while (true)
        {
            Action fire;
            lock (_lock)
            {
                if (_stopped || !_queue.TryPeek(out _, out var at)) return;
                if (at > Environment.TickCount64)
                {
                    Arm(at);
                    return;
                }
                fire = _queue.Dequeue();
            }
            fire();
        }
    }

    private void Arm(long at) => _clock.Change(Math.Max(0, at - Environment.TickCount64), Timeout.Infinite);
}
