using System.Diagnostics;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using SQLitePCL;

namespace ActorCluster.Sql;

/// <summary>
/// The one thread that writes. Each turn takes the turnstile, begins a transaction, runs every call that waits by then, commits once
/// and answers them all: appends of many lanes share a commit, and a renewal joins whatever comes next.
/// </summary>
internal sealed class SqliteWriter : IDisposable
{
    private const int QueuedMax = 4_096;

    private readonly Func<SqliteSession> _open;
    private readonly SqliteTurnstile _turnstile;
    private readonly TimeSpan _callTimeout;
    private readonly SqliteQueue _queue = new(QueuedMax);
    private readonly Thread _thread;
    private SqliteSession? _session;

    /// <param name="open">Opens a configured connection; throws <see cref="SqliteFailure"/>.</param>
    /// <param name="turnstile">Owned by the writer from now on.</param>
    /// <param name="callTimeout">No longer than this does one turn try to begin.</param>
    public SqliteWriter(Func<SqliteSession> open, SqliteTurnstile turnstile, TimeSpan callTimeout)
    {
        _open = open;
        _turnstile = turnstile;
        _callTimeout = callTimeout;
        _thread = new Thread(Loop) { IsBackground = true, Name = "sqlite writer" };
        _thread.Start();
    }

    /// <summary>Queues a write. Urgent ones (membership, leases, ownership) run before appends of the same turn.</summary>
    public Task<StoreResult<T>> SubmitAsync<T>(Func<SqliteSession, StoreResult<T>> operation, bool urgent, bool takesSavepoint)
    {
        var call = new SqliteCall<T>(operation, isWrite: true, takesSavepoint).ExpireAfter(_callTimeout, _turnstile.DescribeHolder);
        if (!_queue.TryAdd(call, urgent) && call.TryBegin())
            call.Refuse(StoreVerdict.NotSent, _queue.IsClosed ? "The store is closed." : $"{QueuedMax} writes are waiting already; nothing was written.");
        return call.Task;
    }

    /// <summary>Ends the thread after the transaction that is open, if any. It is left behind when it hangs in a system call.</summary>
    public void Dispose()
    {
        foreach (var call in _queue.Close()) call.Refuse(StoreVerdict.NotSent, "The store is closed.");
        _thread.Join(_callTimeout);
    }

    private void Loop()
    {
        while (_queue.WaitForWork())
        {
            try
            {
                Turn();
            }
            catch (Exception e) // The disk is away, or the file: the next turn opens it anew.
            {
                CloseSession();
                foreach (var call in _queue.BeginAll()) call.Refuse(StoreVerdict.NotSent, $"{e.Message} Nothing was written.");
            }
        }
        CloseSession();
        _turnstile.Dispose();
    }

    private void Turn()
    {
        _turnstile.Enter();
        List<SqliteCall> calls;
        Outcome outcome;
        try
        {
            if (_queue.IsClosed) return;
            _session ??= _open();
            if (!TryBeginTransaction()) return; // Callers time out by themselves; the next turn tries for those that came later.
            calls = _queue.BeginAll(); // Only now: who waits in vain for the lock was never begun.
            outcome = Commit(calls);
        }
        finally
        {
            _turnstile.Leave();
        }
        Tell(calls, outcome);
    }

    private bool TryBeginTransaction()
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                _session!.Get("BEGIN IMMEDIATE").Run();
                return true;
            }
            catch (SqliteFailure e) when (e.IsBusy)
            {
                // Somebody outside the turnstile: a backup, a checkpoint, an operator's tool.
                if (Stopwatch.GetElapsedTime(started) > _callTimeout || _queue.IsClosed) return false;
                Native.Sleep(TimeSpan.FromMicroseconds(Random.Shared.Next(200, 600)));
            }
        }
    }

    /// <summary>Runs the calls and commits. A call that cannot run takes nobody with it: the others then run again, each by itself.</summary>
    private Outcome Commit(List<SqliteCall> calls)
    {
        if (calls.Count == 0)
        {
            if (!_session!.TryRollback()) CloseSession();
            return Outcome.Done;
        }
        try
        {
            foreach (var call in calls) call.Run(_session!);
        }
        catch (Exception e)
        {
            // A full disk and a broken rule leave the connection sound; after anything else it is opened anew.
            var isSound = e is not SqliteFailure failure || failure.IsConstraint || failure.Code == raw.SQLITE_FULL;
            if (!_session!.TryRollback() || !isSound) CloseSession();
            if (calls.Count > 1) return Outcome.Singly;
            return new Outcome(StoreVerdict.NotSent, $"{e.Message} Nothing was written.", e is SqliteFailure ? null : e);
        }
        try
        {
            _session!.Get("COMMIT").Run();
            return Outcome.Done;
        }
        catch (SqliteFailure e)
        {
            // A full disk stops the log before the frame that would make the transaction count, so after a rollback it never happened.
            // After any other error that frame may be on the disk or not.
            if (e.Code == raw.SQLITE_FULL && _session!.TryRollback())
                return calls.Count > 1 ? Outcome.Singly : new Outcome(StoreVerdict.NotSent, $"{e.Message} Nothing was written.", null);
            CloseSession();
            return new Outcome(StoreVerdict.InDoubt, e.Message, null);
        }
    }

    private void Tell(List<SqliteCall> calls, Outcome outcome)
    {
        if (outcome.RunsSingly)
        {
            foreach (var call in calls) RunAlone(call);
            return;
        }
        foreach (var call in calls)
        {
            if (outcome.Fault is { } fault)
                call.Fail(fault);
            else if (outcome.Verdict == StoreVerdict.Ok)
                call.Answer();
            else
                call.Refuse(outcome.Verdict, outcome.Reason);
        }
    }

    private void RunAlone(SqliteCall call)
    {
        Outcome outcome;
        _turnstile.Enter();
        try
        {
            _session ??= _open();
            outcome = TryBeginTransaction() ? Commit([call]) : new Outcome(StoreVerdict.NotSent, "The store stayed locked; nothing was written.", null);
        }
        catch (SqliteFailure e)
        {
            CloseSession();
            outcome = new Outcome(StoreVerdict.NotSent, $"{e.Message} Nothing was written.", null);
        }
        finally
        {
            _turnstile.Leave();
        }
        Tell([call], outcome);
    }

    private void CloseSession()
    {
        _session?.Dispose();
        _session = null;
    }

    private readonly record struct Outcome(StoreVerdict Verdict, string Reason, Exception? Fault, bool RunsSingly = false)
    {
        public static readonly Outcome Done = new(StoreVerdict.Ok, "", null);
        public static readonly Outcome Singly = new(StoreVerdict.NotSent, "", null, RunsSingly: true);
    }
}
