using System.Diagnostics;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sql;

/// <summary>Threads that read, each with its own connection. Each read is its own short transaction, so it sees all that was committed before it.</summary>
internal sealed class SqliteReader : IDisposable
{
    private const int QueuedMax = 4_096;
    private const int ThreadCount = 2;

    private readonly Func<SqliteSession> _open;
    private readonly TimeSpan _callTimeout;
    private readonly SqliteQueue _queue = new(QueuedMax);
    private readonly Thread[] _threads = new Thread[ThreadCount];

    public SqliteReader(Func<SqliteSession> open, TimeSpan callTimeout)
    {
        _open = open;
        _callTimeout = callTimeout;
        for (var i = 0; i < ThreadCount; i++)
        {
            _threads[i] = new Thread(Loop) { IsBackground = true, Name = "sqlite reader" };
            _threads[i].Start();
        }
    }

    public Task<StoreResult<T>> SubmitAsync<T>(Func<SqliteSession, StoreResult<T>> operation, bool urgent)
    {
        var call = new SqliteCall<T>(operation, isWrite: false, takesSavepoint: false).ExpireAfter(_callTimeout);
        if (!_queue.TryAdd(call, urgent) && call.TryBegin())
            call.Refuse(StoreVerdict.NotSent, _queue.IsClosed ? "The store is closed." : $"{QueuedMax} reads are waiting already.");
        return call.Task;
    }

    /// <summary>Ends the threads after the reads that are under way.</summary>
    public void Dispose()
    {
        foreach (var call in _queue.Close()) call.Refuse(StoreVerdict.NotSent, "The store is closed.");
        foreach (var thread in _threads) thread.Join(_callTimeout);
    }

    private void Loop()
    {
        SqliteSession? session = null;
        while (_queue.BeginNext() is { } call)
        {
            try
            {
                session ??= _open();
                Read(session, call);
                call.Answer();
            }
            catch (SqliteFailure e)
            {
                session?.Dispose();
                session = null;
                call.Refuse(StoreVerdict.NotSent, e.Message);
            }
            catch (Exception e)
            {
                session?.Dispose();
                session = null;
                call.Fail(e);
            }
        }
        session?.Dispose();
    }

    private void Read(SqliteSession session, SqliteCall call)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                session.Get("BEGIN").Run();
                call.Run(session);
                session.Get("COMMIT").Run();
                return;
            }
            catch (SqliteFailure e) when (e.IsBusy && Stopwatch.GetElapsedTime(started) < _callTimeout && session.TryRollback())
            {
                // Rare: the log is being recovered or dropped by another process.
                Native.Sleep(TimeSpan.FromMicroseconds(Random.Shared.Next(200, 600)));
            }
        }
    }
}
