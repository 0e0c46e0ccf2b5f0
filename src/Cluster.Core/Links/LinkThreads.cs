namespace ActorCluster.Links;

/// <summary>The threads of one transport: started here, counted, awaited at the end.</summary>
/// <remarks>Threads of their own instead of the pool, so that links live on while user code starves it.</remarks>
internal sealed class LinkThreads
{
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _live;
    private bool _stopping;

    /// <summary>Threads that have not ended.</summary>
    public int Live
    {
        get { lock (_gate) return _live; }
    }

    /// <summary>Starts a thread; false once <see cref="StopAsync"/> was called, or when the system gives none.</summary>
    public bool Start(string name, Action body)
    {
        lock (_gate)
        {
            if (_stopping) return false;
            _live++;
        }
        try
        {
            // Without the starter's context: readers run turns, as clean as on the pool.
            new Thread(() => Run(body)) { IsBackground = true, Name = name }.UnsafeStart();
            return true;
        }
        catch (Exception none) when (none is OutOfMemoryException or ThreadStartException)
        {
            Ended();
            return false;
        }
    }

    /// <summary>Starts no more threads and completes when the last one ended.</summary>
    public Task StopAsync()
    {
        lock (_gate)
        {
            _stopping = true;
            if (_live == 0) _ended.TrySetResult();
        }
        return _ended.Task;
    }

    private void Run(Action body)
    {
        try { body(); }
        finally { Ended(); }
    }

    private void Ended()
    {
        lock (_gate)
        {
            if (--_live == 0 && _stopping) _ended.TrySetResult();
        }
    }
}
