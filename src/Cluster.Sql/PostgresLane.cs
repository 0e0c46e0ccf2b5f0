using System.Diagnostics;
using ActorCluster.Persistence;
using Npgsql;

namespace ActorCluster.Sql;

/// <summary>
/// One connection, the thread that works with it and the calls that wait for it, one at a time. A call that is not answered in time costs
/// connection and thread, never a cancel request: both are left to end by themselves, and the next call gets others.
/// </summary>
/// <remarks>A thread, because a call is many round trips, and each would wait for the pool when turns of entities keep all of it.</remarks>
internal sealed class PostgresLane(NpgsqlDataSource source, TimeSpan callTimeout) : IAsyncDisposable
{
    private const int WaitingMax = 4_096;
    private const int Opening = 0;
    private const int Begun = 1;
    private const int Abandoned = 2;

    private readonly SemaphoreSlim _turn = new(1);
    private PostgresSession? _session; // This and the next only of whoever has the turn.
    private PostgresWorker? _worker;
    private int _waiting;
    private int _failures;
    private long _retryAt;
    private string _lastFailure = "";
    private volatile bool _closed;

    /// <summary>How many calls wait or run.</summary>
    public int Load => Volatile.Read(ref _waiting);

    /// <summary>Runs a call when its turn comes.</summary>
    /// <param name="isWrite">Begun and not answered means in doubt; a read is just not answered.</param>
    /// <param name="operation">Uses the session and leaves no transaction open.</param>
    /// <param name="more">Time that it may take beyond the call time-out, since it moves many rows.</param>
    /// <param name="unusable">Turns a failure that no retry mends into the exception that the caller gets; by default all are verdicts.</param>
    public async Task<StoreResult<T>> RunAsync<T>(
        bool isWrite, Func<PostgresSession, StoreResult<T>> operation, Func<Exception, Exception?>? unusable = null, TimeSpan more = default)
    {
        var started = Stopwatch.GetTimestamp();
        if (Interlocked.Increment(ref _waiting) > WaitingMax)
        {
            Interlocked.Decrement(ref _waiting);
            return NotSent<T>($"{WaitingMax} calls are waiting already.");
        }
        try
        {
            if (!await _turn.WaitAsync(callTimeout).ConfigureAwait(false)) return NotSent<T>("The connection was busy with other calls for the whole call time-out.");
            try
            {
                var left = callTimeout - Stopwatch.GetElapsedTime(started);
                if (_closed) return NotSent<T>("The store is closed.");
                if (left <= TimeSpan.Zero) return NotSent<T>("The connection was busy with other calls for the whole call time-out.");
                if (_session is null && Environment.TickCount64 < _retryAt) return NotSent<T>(_lastFailure);
                return await RunInTurnAsync(isWrite, operation, unusable, left + more).ConfigureAwait(false);
            }
            finally
            {
                _turn.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>Closes the connection after the call that is under way. Later calls answer NotSent.</summary>
    public async ValueTask DisposeAsync()
    {
        _closed = true;
        if (!await _turn.WaitAsync(callTimeout * 2).ConfigureAwait(false)) return;
        var (worker, session) = (_worker, _session);
        (_worker, _session) = (null, null);
        _turn.Release();
        if (worker is null) return;
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        worker.Run(() =>
        {
            session?.Close();
            closed.SetResult();
        });
        worker.End();
        await Task.WhenAny(closed.Task, Task.Delay(callTimeout)).ConfigureAwait(false);
    }

    private async Task<StoreResult<T>> RunInTurnAsync<T>(
        bool isWrite, Func<PostgresSession, StoreResult<T>> operation, Func<Exception, Exception?>? unusable, TimeSpan left)
    {
        var attempt = new Attempt<T> { Session = _session };
        _session = null; // The attempt's until it ends well.
        (_worker ??= new PostgresWorker()).Run(() => Work(attempt, operation));
        try
        {
            await ((Task)attempt.Answer.Task).WaitAsync(left).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // Exactly one of the two happens: the answer counts, or the thread finds that nobody waits for it.
            if (attempt.Answer.TrySetCanceled(CancellationToken.None))
            {
                _worker.End();
                _worker = null;
                if (Interlocked.CompareExchange(ref attempt.State, Abandoned, Opening) == Opening) return OpenFailed<T>("The server did not answer within the call time-out.");
                return isWrite
                    ? StoreResult.Not<T>(StoreVerdict.InDoubt, "The call was sent and the server did not answer within the call time-out.")
                    : NotSent<T>("The server did not answer within the call time-out.");
            }
            var result = await attempt.Answer.Task.ConfigureAwait(false);
            var session = attempt.Session!;
            Keep(session, isSound: true);
            _failures = 0;
            if (isWrite && result.IsOk && session.Warning is { } warning)
                return StoreResult.Not<T>(StoreVerdict.InDoubt, $"The server warned at the commit: {warning}.");
            return result;
        }
        catch (Exception e)
        {
            var isBroken = attempt.Session is { IsBroken: true };
            if (attempt.Session is { } session) Keep(session, PostgresFailure.LeavesSessionSound(e));
            if (unusable?.Invoke(e) is { } mend) throw mend;
            if (!PostgresFailure.IsOfStore(e) && !(isBroken && e is InvalidOperationException)) throw;
            var words = PostgresFailure.Words(e);
            if (attempt.State != Begun) return OpenFailed<T>(words);
            var undone = e is PostgresException refused && !PostgresFailure.EndsSession(refused);
            return isWrite && !undone ? StoreResult.Not<T>(StoreVerdict.InDoubt, $"The connection broke during the call: {words}") : NotSent<T>(words);
        }
    }

    /// <summary>What the thread does.</summary>
    private void Work<T>(Attempt<T> attempt, Func<PostgresSession, StoreResult<T>> operation)
    {
        var isAwaited = true;
        try
        {
            if (attempt.Session is { IsBroken: true } broken)
            {
                broken.Close();
                attempt.Session = null;
            }
            attempt.Session ??= PostgresSession.Open(source);
            // Exactly one of the two happens: the caller is told that the call never began, or it begins.
            isAwaited = Interlocked.CompareExchange(ref attempt.State, Begun, Opening) == Opening;
            if (isAwaited)
            {
                attempt.Session.Warning = null;
                isAwaited = attempt.Answer.TrySetResult(operation(attempt.Session));
            }
        }
        catch (Exception e)
        {
            isAwaited = attempt.Answer.TrySetException(e);
        }
        if (!isAwaited) attempt.Session?.Close();
    }

    private void Keep(PostgresSession session, bool isSound)
    {
        if (isSound && !session.IsBroken)
            _session = session;
        else
            _worker!.Run(session.Close); // It may take its time.
    }

    private StoreResult<T> OpenFailed<T>(string reason)
    {
        _lastFailure = reason;
        _retryAt = Environment.TickCount64 + Random.Shared.Next(50, 50 << Math.Min(++_failures, 4));
        return NotSent<T>(reason);
    }

    private static StoreResult<T> NotSent<T>(string reason) => StoreResult.Not<T>(StoreVerdict.NotSent, $"{reason} Nothing was written.");

    private sealed class Attempt<T>
    {
        public int State;
        public PostgresSession? Session;

        public TaskCompletionSource<StoreResult<T>> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
