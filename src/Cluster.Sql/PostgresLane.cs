using System.Diagnostics;
using ActorCluster.Persistence;
using Npgsql;

namespace ActorCluster.Sql;

/// <summary>
/// One connection, the thread that works with it and the calls that wait for it, one at a time. A call that is not answered in time costs
/// connection and thread, never a cancel request: both are left to end by themselves, and the next call gets others, until a few have been left.
/// </summary>
/// <remarks>A thread, because a call is many round trips, and each would wait for the pool when turns of entities keep all of it.</remarks>
internal sealed class PostgresLane(NpgsqlDataSource source, TimeSpan callTimeout, PostgresLane.Server server) : IAsyncDisposable
{
    /// <summary>Connections that it may have at most, when the server has not come back from calls on all of them.</summary>
    public const int LeftMax = 4;

    private const int WaitingMax = 4_096;
    private const string Busy = "The connection was busy with other calls for the whole call time-out.";
    private const string Silent = "The server did not answer within the call time-out.";

    private readonly SemaphoreSlim _turn = new(1);
    private readonly TimeSpan _openingMax = PatienceOf(source) + callTimeout;
    private PostgresWorker? _worker; // This and what follows, down to the failure's words, only of whoever has the turn.
    private PostgresSession? _session;
    private Task<PostgresSession>? _opening;
    private long _openingSince;
    private int _failures;
    private long _failedAt;
    private long _retryAt;
    private string _lastFailure = "";
    private int _waiting;
    private int _left;
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
        TimeSpan Left() => callTimeout - Stopwatch.GetElapsedTime(started);
        if (Interlocked.Increment(ref _waiting) > WaitingMax)
        {
            Interlocked.Decrement(ref _waiting);
            return NotSent<T>($"{WaitingMax} calls are waiting already.");
        }
        try
        {
            if (!await _turn.WaitAsync(callTimeout).ConfigureAwait(false)) return NotSent<T>(Busy);
            try
            {
                if (_closed) return NotSent<T>("The store is closed.");
                // Each of them keeps a thread and a connection of the server, whose limits are not ours to use up.
                if (Volatile.Read(ref _left) >= LeftMax) return NotSent<T>($"The server has not come back from {LeftMax} earlier calls.");
                if (Left() <= TimeSpan.Zero) return NotSent<T>(Busy);
                if (await OpenAsync(Left(), unusable).ConfigureAwait(false) is { } fault) return NotSent<T>(fault);
                return Left() <= TimeSpan.Zero ? NotSent<T>(Silent) : await RunInTurnAsync(isWrite, operation, unusable, Left() + more).ConfigureAwait(false);
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
        var (worker, session, opening) = (_worker, _session, _opening);
        (_worker, _session, _opening) = (null, null, null);
        _turn.Release();
        if (worker is null) return;
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        worker.Run(() =>
        {
            session?.Close();
            if (opening is { IsCompletedSuccessfully: true }) opening.Result.Close(); // The same thread has opened it before.
            closed.SetResult();
        });
        worker.End();
        await Task.WhenAny(closed.Task, Task.Delay(callTimeout)).ConfigureAwait(false);
    }

    /// <summary>Sees to it that there is a session. One that takes longer than a call is opened on and found by the next: several silent hosts may stand before the one that answers.</summary>
    /// <returns>Why there is none; null when there is.</returns>
    private async Task<string?> OpenAsync(TimeSpan left, Func<Exception, Exception?>? unusable)
    {
        if (_session is { IsBroken: true } broken)
        {
            _worker!.Run(broken.Close); // It may take its time.
            _session = null;
        }
        if (_session is not null) return null;
        if (_opening is null)
        {
            if (Environment.TickCount64 < _retryAt && !server.WasReachedSince(_failedAt)) return _lastFailure;
            var opened = new TaskCompletionSource<PostgresSession>(TaskCreationOptions.RunContinuationsAsynchronously);
            (_worker ??= new PostgresWorker()).Run(() => Open(opened));
            (_opening, _openingSince) = (opened.Task, Environment.TickCount64);
        }
        await ((Task)_opening).WaitAsync(left).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_opening.IsCompleted)
        {
            if (Environment.TickCount64 - _openingSince > _openingMax.TotalMilliseconds) LeaveOpening(_opening);
            return Silent;
        }
        var opening = _opening;
        _opening = null;
        try
        {
            _session = await opening.ConfigureAwait(false);
            _failures = 0;
            server.Reached();
            return null;
        }
        catch (Exception e)
        {
            if (unusable?.Invoke(e) is { } mend) throw mend;
            if (!PostgresFailure.IsOfStore(e)) throw;
            _failedAt = Environment.TickCount64;
            _retryAt = _failedAt + Random.Shared.Next(50, 50 << Math.Min(++_failures, 3));
            return _lastFailure = PostgresFailure.Words(e);
        }
    }

    /// <summary>The driver has its own limit for each host, and did not keep it: its thread is left to end by itself, and the next call begins anew.</summary>
    private void LeaveOpening(Task<PostgresSession> opening)
    {
        Interlocked.Increment(ref _left);
        _worker!.End();
        (_worker, _opening) = (null, null);
        _ = opening.ContinueWith(
            ended =>
            {
                if (ended.IsCompletedSuccessfully) ended.Result.Close();
                else _ = ended.Exception; // Nobody waits for it any more.
                Interlocked.Decrement(ref _left);
            },
            CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    // For each host its time.
    private static TimeSpan PatienceOf(NpgsqlDataSource source)
    {
        var text = new NpgsqlConnectionStringBuilder(source.ConnectionString);
        return TimeSpan.FromSeconds(text.Timeout * (text.Host?.Split(',').Length ?? 1));
    }

    private void Open(TaskCompletionSource<PostgresSession> opened)
    {
        try
        {
            opened.SetResult(PostgresSession.Open(source));
        }
        catch (Exception e)
        {
            opened.SetException(e);
        }
    }

    private async Task<StoreResult<T>> RunInTurnAsync<T>(
        bool isWrite, Func<PostgresSession, StoreResult<T>> operation, Func<Exception, Exception?>? unusable, TimeSpan left)
    {
        var (worker, session) = (_worker!, _session!);
        _session = null; // The thread's until it has answered.
        var answer = new TaskCompletionSource<StoreResult<T>>(TaskCreationOptions.RunContinuationsAsynchronously);
        worker.Run(() => Work(session, operation, answer));
        await ((Task)answer.Task).WaitAsync(left).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // Exactly one of the two happens: the answer counts, or the thread finds that nobody waits for it.
        if (answer.TrySetCanceled(CancellationToken.None))
        {
            Interlocked.Increment(ref _left);
            worker.End();
            _worker = null;
            return isWrite ? StoreResult.Not<T>(StoreVerdict.InDoubt, "The call was sent and the server did not answer within the call time-out.") : NotSent<T>(Silent);
        }
        try
        {
            var result = await answer.Task.ConfigureAwait(false);
            Keep(session, isSound: true);
            if (isWrite && result.IsOk && session.Warning is { } warning)
                return StoreResult.Not<T>(StoreVerdict.InDoubt, $"The server warned at the commit: {warning}.");
            return result;
        }
        catch (Exception e)
        {
            var isBroken = session.IsBroken;
            Keep(session, PostgresFailure.LeavesSessionSound(e));
            if (unusable?.Invoke(e) is { } mend) throw mend;
            if (!PostgresFailure.IsOfStore(e) && !(isBroken && e is InvalidOperationException)) throw;
            var words = PostgresFailure.Words(e);
            var undone = e is PostgresException refused && !PostgresFailure.EndsSession(refused);
            return isWrite && !undone ? StoreResult.Not<T>(StoreVerdict.InDoubt, $"The connection broke during the call: {words}") : NotSent<T>(words);
        }
    }

    /// <summary>What the thread does.</summary>
    private void Work<T>(PostgresSession session, Func<PostgresSession, StoreResult<T>> operation, TaskCompletionSource<StoreResult<T>> answer)
    {
        bool isAwaited;
        try
        {
            session.Warning = null;
            isAwaited = answer.TrySetResult(operation(session));
        }
        catch (Exception e)
        {
            isAwaited = answer.TrySetException(e);
        }
        if (isAwaited) return;
        session.Close();
        Interlocked.Decrement(ref _left);
    }

    private void Keep(PostgresSession session, bool isSound)
    {
        if (isSound && !session.IsBroken)
            _session = session;
        else
            _worker!.Run(session.Close);
    }

    /// <summary>What the lanes of a store tell each other: one that gets a connection spares the others the wait.</summary>
    internal sealed class Server
    {
        private long _reachedAt = long.MinValue;

        public void Reached() => Volatile.Write(ref _reachedAt, Environment.TickCount64);

        public bool WasReachedSince(long at) => Volatile.Read(ref _reachedAt) > at;
    }

    private static StoreResult<T> NotSent<T>(string reason) => StoreResult.Not<T>(StoreVerdict.NotSent, $"{reason} Nothing was written.");
}
