using ActorCluster.Persistence;

namespace ActorCluster.Sql;

/// <summary>One call on its way to a thread of the store. Exactly one answer reaches the caller: the store's, or the time-out's.</summary>
internal abstract class SqliteCall
{
    private const int Queued = 0;
    private const int Begun = 1;
    private const int Abandoned = 2;

    private int _state;

    /// <summary>Nobody has begun it and its caller still waits.</summary>
    public bool IsQueued => Volatile.Read(ref _state) == Queued;

    /// <summary>Claims the call for a thread; false when its caller was told that it never began, so that it must not run.</summary>
    public bool TryBegin() => Interlocked.CompareExchange(ref _state, Begun, Queued) == Queued;

    /// <summary>Runs it inside an open transaction and keeps the result back.</summary>
    public abstract void Run(SqliteSession session);

    /// <summary>Gives the caller the result that <see cref="Run"/> kept back.</summary>
    public abstract void Answer();

    /// <summary>Gives the caller a verdict instead.</summary>
    public abstract void Refuse(StoreVerdict verdict, string reason);

    /// <summary>Gives the caller an exception: a fault of this library.</summary>
    public abstract void Fail(Exception exception);

    protected bool TryAbandon() => Interlocked.CompareExchange(ref _state, Abandoned, Queued) == Queued;
}

/// <summary>A call with its result.</summary>
/// <param name="operation">Runs on the store's thread.</param>
/// <param name="isWrite">A write that was begun and not answered in time is in doubt; a read never is.</param>
/// <param name="takesSavepoint">What the operation wrote is undone unless its verdict is Ok.</param>
internal sealed class SqliteCall<T>(Func<SqliteSession, StoreResult<T>> operation, bool isWrite, bool takesSavepoint) : SqliteCall
{
    private readonly TaskCompletionSource<StoreResult<T>> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private StoreResult<T> _result;
    private Timer? _timer;
    private Func<string>? _obstacle;

    public Task<StoreResult<T>> Task => _answer.Task;

    /// <summary>Starts the time-out.</summary>
    /// <param name="limit">Then the caller is told.</param>
    /// <param name="obstacle">Says what was in the way of a call that never began; asked only then, on a thread of the pool.</param>
    public SqliteCall<T> ExpireAfter(TimeSpan limit, Func<string>? obstacle = null)
    {
        _obstacle = obstacle;
        _timer = new Timer(static call => ((SqliteCall<T>)call!).Expire(), this, limit, Timeout.InfiniteTimeSpan);
        return this;
    }

    public override void Run(SqliteSession session)
    {
        if (!takesSavepoint)
        {
            _result = operation(session);
            return;
        }
        session.Get("SAVEPOINT call").Run();
        _result = operation(session);
        if (!_result.IsOk) session.Get("ROLLBACK TO call").Run();
        session.Get("RELEASE call").Run();
    }

    public override void Answer() => Settle(_result);

    public override void Refuse(StoreVerdict verdict, string reason) => Settle(StoreResult.Not<T>(verdict, reason));

    public override void Fail(Exception exception)
    {
        _timer?.Dispose();
        _answer.TrySetException(exception);
    }

    private void Expire()
    {
        if (TryAbandon() || !isWrite)
            Settle(StoreResult.Not<T>(StoreVerdict.NotSent, $"The store did not come to the call within the call time-out; nothing was written.{(_obstacle is null ? "" : $" {_obstacle()}.")}"));
        else
            Settle(StoreResult.Not<T>(StoreVerdict.InDoubt, "The store had begun the call and did not end it within the call time-out."));
    }

    private void Settle(StoreResult<T> result)
    {
        _timer?.Dispose();
        _answer.TrySetResult(result); // The first answer stands; a late one is discarded.
    }
}
