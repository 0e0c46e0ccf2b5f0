namespace ActorCluster.Primitives;

/// <summary>Holds up what runs on behalf of one node, so that a test can stop it as SIGSTOP stops a process.</summary>
/// <remarks>Thread-safe. What has begun before <see cref="Pause"/> runs on to its next look at the gate.</remarks>
internal sealed class PauseGate
{
    private readonly Lock _lock = new();
    private readonly List<IThreadPoolWorkItem> _parked = [];
    private volatile TaskCompletionSource? _closed;

    public bool IsPaused => _closed is not null;

    public void Pause()
    {
        lock (_lock) _closed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>Lets everything go on, in the order in which it came.</summary>
    public void Resume()
    {
        TaskCompletionSource? closed;
        lock (_lock)
        {
            (closed, _closed) = (_closed, null);
            foreach (var item in _parked) TurnQueue.Add(item);
            _parked.Clear();
        }
        closed?.TrySetResult();
    }

    /// <summary>Whoever waits is let go so that the node can be taken down; turns stay parked until <see cref="Resume"/>, when their entities are gone.</summary>
    public void End()
    {
        Pause();
        _closed?.TrySetResult();
    }

    /// <summary>Blocks the calling thread while paused.</summary>
    public void Wait() => _closed?.Task.Wait();

    /// <summary>Completes when not paused.</summary>
    public Task WaitAsync() => _closed?.Task ?? Task.CompletedTask;

    /// <summary>Keeps an item until <see cref="Resume"/>; false when not paused, then it is the caller's.</summary>
    public bool Parks(IThreadPoolWorkItem item)
    {
        lock (_lock)
        {
            if (_closed is null) return false;
            _parked.Add(item);
            return true;
        }
    }
}
