namespace ActorCluster.Sql;

/// <summary>Calls waiting for a thread: bounded, urgent ones first, otherwise in order.</summary>
internal sealed class SqliteQueue(int limit)
{
    private readonly object _gate = new(); // A monitor, because threads wait on it.
    private readonly Queue<SqliteCall> _urgent = [];
    private readonly Queue<SqliteCall> _ordinary = [];
    private bool _closed;

    public bool IsClosed
    {
        get
        {
            lock (_gate) return _closed;
        }
    }

    /// <summary>False when the queue is full or closed.</summary>
    public bool TryAdd(SqliteCall call, bool urgent)
    {
        lock (_gate)
        {
            if (_closed || _urgent.Count + _ordinary.Count >= limit) return false;
            (urgent ? _urgent : _ordinary).Enqueue(call);
            Monitor.Pulse(_gate);
            return true;
        }
    }

    /// <summary>Waits until a call is there whose caller still waits; false when the queue was closed.</summary>
    public bool WaitForWork()
    {
        lock (_gate)
        {
            while (true)
            {
                if (_closed) return false;
                Prune(_urgent);
                Prune(_ordinary);
                if (_urgent.Count + _ordinary.Count > 0) return true;
                Monitor.Wait(_gate);
            }
        }
    }

    /// <summary>Begins and removes all calls that are there now; those that were abandoned are skipped.</summary>
    public List<SqliteCall> BeginAll()
    {
        var begun = new List<SqliteCall>();
        lock (_gate)
        {
            while (_urgent.TryDequeue(out var call))
                if (call.TryBegin()) begun.Add(call);
            while (_ordinary.TryDequeue(out var call))
                if (call.TryBegin()) begun.Add(call);
        }
        return begun;
    }

    /// <summary>Waits for the next call and begins it; null when the queue was closed.</summary>
    public SqliteCall? BeginNext()
    {
        lock (_gate)
        {
            while (!_closed)
            {
                while (_urgent.TryDequeue(out var call) || _ordinary.TryDequeue(out call))
                    if (call.TryBegin()) return call;
                Monitor.Wait(_gate);
            }
        }
        return null;
    }

    /// <summary>Takes no more calls and wakes whoever waits; what is queued is returned, begun.</summary>
    public List<SqliteCall> Close()
    {
        lock (_gate)
        {
            _closed = true;
            Monitor.PulseAll(_gate);
        }
        return BeginAll();
    }

    private static void Prune(Queue<SqliteCall> calls)
    {
        while (calls.TryPeek(out var call) && !call.IsQueued) calls.Dequeue();
    }
}
