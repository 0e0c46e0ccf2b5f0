namespace ActorCluster.Entities;

/// <summary>All timers of a node's entities in one queue with one clock.</summary>
/// <remarks>Thread-safe. A timer has one place in the queue however often it is set later, and cancelled ones are cleared away: what is kept is at most about
/// twice the timers that hold.</remarks>
internal sealed class EntityTimers : IDisposable
{
    private const int DeadMin = 64;
    private static readonly TimeSpan LongestSleep = TimeSpan.FromHours(1);

    private readonly Lock _lock = new();
    private readonly PriorityQueue<EntityTimer, long> _queue = new();
    private readonly Timer _clock;
    private int _dead;
    private bool _stopped;

    public EntityTimers() => _clock = new Timer(_ => FireDue());

    /// <summary>Places in the queue, dead ones counted.</summary>
    public int Places
    {
        get
        {
            lock (_lock) return _queue.Count;
        }
    }

    /// <summary>Sets or replaces a timer; what it fires carries the returned version.</summary>
    public long Set(EntityTimer timer, TimeSpan due)
    {
        var at = Environment.TickCount64 + (long)Math.Clamp(due.TotalMilliseconds, 0, long.MaxValue / 4);
        lock (_lock)
        {
            if (_stopped) return timer.Version;
            if (timer.DueAt == EntityTimer.Never && timer.QueuedAt != EntityTimer.Never) _dead--;
            timer.DueAt = at;
            if (at < timer.QueuedAt) // One that is due earlier than its place looks again when its place comes.
            {
                if (timer.QueuedAt != EntityTimer.Never) _dead++;
                Queue(timer);
                if (_queue.TryPeek(out _, out var first) && first == at) Arm(at);
            }
            return ++timer.Version;
        }
    }

    public void Cancel(EntityTimer timer)
    {
        lock (_lock)
        {
            timer.Version++;
            if (timer.DueAt == EntityTimer.Never) return;
            timer.DueAt = EntityTimer.Never;
            if (timer.QueuedAt == EntityTimer.Never) return;
            _dead++;
            if (_dead > DeadMin && _dead > _queue.Count / 2) ClearAway();
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
            EntityTimer timer;
            long version;
            lock (_lock)
            {
                if (_stopped || !_queue.TryPeek(out _, out var at)) return;
                var now = Environment.TickCount64;
                if (at > now)
                {
                    Arm(at);
                    return;
                }
                timer = _queue.Dequeue();
                if (timer.QueuedAt != at)
                {
                    _dead--;
                    continue; // It was set to an earlier time since and has another place.
                }
                timer.QueuedAt = EntityTimer.Never;
                if (timer.DueAt == EntityTimer.Never) _dead--;
                else if (timer.DueAt > now) Queue(timer);
                if (timer.DueAt > now) continue;
                timer.DueAt = EntityTimer.Never;
                version = timer.Version;
            }
            timer.Cell.Enqueue(new Envelope(timer.Cell.Id, new EntityContext.TimerFired(timer, version), null));
        }
    }

    private void Queue(EntityTimer timer)
    {
        _queue.Enqueue(timer, timer.DueAt);
        timer.QueuedAt = timer.DueAt;
    }

    private void ClearAway()
    {
        var alive = new List<(EntityTimer, long)>();
        foreach (var (timer, at) in _queue.UnorderedItems)
        {
            if (timer.QueuedAt != at) continue;
            if (timer.DueAt == EntityTimer.Never) timer.QueuedAt = EntityTimer.Never;
            else alive.Add((timer, at));
        }
        _queue.Clear();
        _queue.EnqueueRange(alive);
        _dead = 0;
    }

    /// <summary>The clock takes 49 days at most; it looks again every hour.</summary>
    private void Arm(long at) => _clock.Change(Math.Clamp(at - Environment.TickCount64, 0, (long)LongestSleep.TotalMilliseconds), Timeout.Infinite);
}

/// <summary>A named timer of an entity.</summary>
internal sealed class EntityTimer(EntityCell cell, string name)
{
    public const long Never = long.MaxValue;

    public EntityCell Cell { get; } = cell;

    public string Name { get; } = name;

    /// <summary>What the entity gets; its turns own it.</summary>
    public object? Message { get; set; }

    /// <summary>Raised by each set and cancel; the clock's lock guards what follows too.</summary>
    public long Version { get; set; }

    /// <summary>When it is due, in ticks of the environment; never when cancelled or fired.</summary>
    public long DueAt { get; set; } = Never;

    /// <summary>Its valid place in the queue; never when it has none.</summary>
    public long QueuedAt { get; set; } = Never;
}
