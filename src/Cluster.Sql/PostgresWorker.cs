using System.Collections.Concurrent;

namespace ActorCluster.Sql;

/// <summary>A thread that does what it is given, in order, until it is told to end; what it was given before is done first.</summary>
internal sealed class PostgresWorker
{
    private readonly BlockingCollection<Action> _work = [];

    public PostgresWorker() => new Thread(Loop) { IsBackground = true, Name = "postgres" }.Start();

    public void Run(Action work) => _work.Add(work);

    public void End() => _work.CompleteAdding();

    private void Loop()
    {
        foreach (var work in _work.GetConsumingEnumerable()) work();
        _work.Dispose();
    }
}
