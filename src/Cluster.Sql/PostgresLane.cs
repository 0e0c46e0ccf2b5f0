using System.Diagnostics;
using ActorCluster.Persistence;
using Npgsql;

namespace ActorCluster.Sql;

/// <summary>
/// One connection and the calls that wait for it, one at a time. A call that is not answered in time costs the connection, never a
/// cancel request: the connection is left to end by itself, and the next call opens another.
/// </summary>
internal sealed class PostgresLane(NpgsqlDataSource source, TimeSpan callTimeout) : IAsyncDisposable
{
    private const int WaitingMax = 4_096;
    private const int Opening = 0;
    private const int Begun = 1;
    private const int Abandoned = 2;

    private readonly SemaphoreSlim _turn = new(1);
    private PostgresSession? _session; // Only of whoever has the turn.
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
    /// <param name="unusable">Turns a failure that no retry mends into the exception that the caller gets; by default all are verdicts.</param>
    public async Task<StoreResult<T>> RunAsync<T>(
        bool isWrite, Func<PostgresSession, Task<StoreResult<T>>> operation, Func<Exception, Exception?>? unusable = null)
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
                return await RunInTurnAsync(isWrite, operation, unusable, left).ConfigureAwait(false);
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
        var session = _session;
        _session = null;
        _turn.Release();
        if (session is not null) await Task.WhenAny(session.CloseAsync(), Task.Delay(callTimeout)).ConfigureAwait(false);
    }

    private async Task<StoreResult<T>> RunInTurnAsync<T>(
        bool isWrite, Func<PostgresSession, Task<StoreResult<T>>> operation, Func<Exception, Exception?>? unusable, TimeSpan left)
    {
        var attempt = new Attempt { Session = _session };
        _session = null; // The attempt's until it ends well.
        using var opening = new CancellationTokenSource(left);
        var running = AttemptAsync(attempt, operation, opening.Token);
        try
        {
            await ((Task)running).WaitAsync(left).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!running.IsCompleted)
            {
                var begun = Interlocked.CompareExchange(ref attempt.State, Abandoned, Opening) != Opening;
                _ = CloseAfterAsync(running, attempt);
                if (!begun) return OpenFailed<T>("The server did not answer within the call time-out.");
                return isWrite
                    ? StoreResult.Not<T>(StoreVerdict.InDoubt, "The call was sent and the server did not answer within the call time-out.")
                    : NotSent<T>("The server did not answer within the call time-out.");
            }
            var result = await running.ConfigureAwait(false);
            var session = attempt.Session!;
            if (session.IsBroken)
                _ = session.CloseAsync();
            else
                _session = session;
            _failures = 0;
            if (isWrite && result.IsOk && session.Warning is { } warning)
                return StoreResult.Not<T>(StoreVerdict.InDoubt, $"The server warned at the commit: {warning}.");
            return result;
        }
        catch (Exception e)
        {
            var isBroken = attempt.Session is { IsBroken: true };
            if (attempt.Session is { } session)
            {
                if (PostgresFailure.LeavesSessionSound(e) && !isBroken)
                    _session = session;
                else
                    _ = session.CloseAsync();
            }
            if (unusable?.Invoke(e) is { } mend) throw mend;
            if (!PostgresFailure.IsOfStore(e) && !(isBroken && e is InvalidOperationException)) throw;
            var words = PostgresFailure.Words(e);
            if (attempt.State != Begun) return OpenFailed<T>(words);
            var undone = e is PostgresException refused && !PostgresFailure.EndsSession(refused);
            return isWrite && !undone ? StoreResult.Not<T>(StoreVerdict.InDoubt, $"The connection broke during the call: {words}") : NotSent<T>(words);
        }
    }

    private async Task<StoreResult<T>> AttemptAsync<T>(Attempt attempt, Func<PostgresSession, Task<StoreResult<T>>> operation, CancellationToken cancel)
    {
        if (attempt.Session is { IsBroken: true } broken)
        {
            _ = broken.CloseAsync();
            attempt.Session = null;
        }
        attempt.Session ??= await PostgresSession.OpenAsync(source, cancel).ConfigureAwait(false);
        // Exactly one of the two happens: the caller is told that the call never began, or it begins.
        if (Interlocked.CompareExchange(ref attempt.State, Begun, Opening) != Opening) throw new OperationCanceledException("Abandoned.");
        attempt.Session.Warning = null;
        return await operation(attempt.Session).ConfigureAwait(false);
    }

    private static async Task CloseAfterAsync(Task running, Attempt attempt)
    {
        await running.ContinueWith(static ended => _ = ended.Exception, TaskScheduler.Default).ConfigureAwait(false);
        if (attempt.Session is { } session) await session.CloseAsync().ConfigureAwait(false);
    }

    private StoreResult<T> OpenFailed<T>(string reason)
    {
        _lastFailure = reason;
        _retryAt = Environment.TickCount64 + Random.Shared.Next(50, 50 << Math.Min(++_failures, 4));
        return NotSent<T>(reason);
    }

    private static StoreResult<T> NotSent<T>(string reason) => StoreResult.Not<T>(StoreVerdict.NotSent, $"{reason} Nothing was written.");

    private sealed class Attempt
    {
        public int State;
        public PostgresSession? Session;
    }
}
