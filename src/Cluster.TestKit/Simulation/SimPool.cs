namespace ActorCluster.TestKit.Simulation;

/// <summary>The thread pool of a node's process: while it hangs, what it is to run comes late; answers of the store, drained shards, and the node's own question after its delay.</summary>
internal sealed class SimPool
{
    private readonly List<(SimLife Life, Action Happens)> _waiting = [];

    /// <summary>How late everything is.</summary>
    public TimeSpan Delay { get; private set; }

    public void Hang(TimeSpan delay) => Delay = delay;

    /// <summary>What has waited runs now.</summary>
    public void Recover()
    {
        Delay = TimeSpan.Zero;
        foreach (var waiting in _waiting.ToArray()) waiting.Life.After(TimeSpan.Zero, () => Take(waiting));
    }

    /// <summary>The process has ended, and all that waited with it.</summary>
    public void Clear()
    {
        Delay = TimeSpan.Zero;
        _waiting.Clear();
    }

    /// <summary>At once, or as late as the pool is behind.</summary>
    public void Run(SimLife life, Action happens)
    {
        if (Delay == TimeSpan.Zero)
        {
            happens();
            return;
        }
        var item = (life, happens);
        _waiting.Add(item);
        life.After(Delay, () => Take(item));
    }

    private void Take((SimLife Life, Action Happens) item)
    {
        if (_waiting.Remove(item)) item.Happens();
    }
}
