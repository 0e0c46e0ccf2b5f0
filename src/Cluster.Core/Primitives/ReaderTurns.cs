using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace ActorCluster.Primitives;

/// <summary>What the frames of one link have to be executed: gathered over one receive; a few are executed by the thread that reads, many are dealt to the <see cref="TurnQueue"/> together.</summary>
/// <remarks>
/// To wake a thread for one turn takes longer than most turns, so the reader of a quiet link takes its turns itself. One that blocks it costs it the link: the watch of
/// the queue has another thread read on, a few milliseconds later. Called by the thread that reads, but for <see cref="Review"/>.
/// </remarks>
internal sealed class ReaderTurns
{
    private const int OwnMax = 4;
    private const int OwnInARowMax = 32; // What a turn causes is executed here as well, but not for ever.
    private const int QuietFrom = 8;
    private static readonly TimeSpan OwnFor = TimeSpan.FromMilliseconds(2); // Longer, and the link would notice.

    private readonly Lock _lock = new();
    private readonly Queue<IThreadPoolWorkItem> _waiting = new();
    private readonly Func<bool> _replaceReader;
    private readonly TimeSpan _ownFrom;
    private bool _isExecuting;
    private bool _isReplaced;
    private bool _hasEnded;
    private bool _hasDealt;
    private int _quietReceives;
    private int _steps;
    private int _stepsSeen;

    [ThreadStatic]
    private static ReaderTurns? _current;

    /// <param name="replaceReader">Has another thread read on, with turns of its own; false when there is none to be had.</param>
    /// <param name="ownFrom">By the monotonic clock: until then all turns are dealt, because one has blocked the reader before.</param>
    public ReaderTurns(Func<bool> replaceReader, TimeSpan ownFrom)
    {
        (_replaceReader, _ownFrom) = (replaceReader, ownFrom);
        TurnQueue.Watched(this);
    }

    /// <summary>Those of the calling thread; null when it is no reader, or between two receives.</summary>
    public static ReaderTurns? Current => _current;

    /// <summary>Whether nothing waits behind the item that is executed; null when none is.</summary>
    public bool? NothingWaits => _isExecuting ? _waiting.Count == 0 : null;

    /// <summary>A turn is under way.</summary>
    public bool IsExecuting => Volatile.Read(ref _isExecuting);

    public void BeginReceive() => _current = this;

    public void Add(IThreadPoolWorkItem item)
    {
        lock (_lock)
        {
            if (!_isReplaced)
            {
                _waiting.Enqueue(item);
                if (_isExecuting || _waiting.Count < TurnQueue.DealtInARow) return;
                _hasDealt = true;
                TurnQueue.Deal(_waiting); // Others begin while this thread reads on.
                return;
            }
        }
        TurnQueue.Deal(item);
    }

    /// <summary>Executes what the receive has brought, or deals it. False when another thread reads by now: the caller must not.</summary>
    public bool EndReceive()
    {
        if (MayOwn())
        {
            var (clean, started) = (ExecutionContext.Capture()!, Stopwatch.GetTimestamp());
            for (var done = 0; done < OwnInARowMax && _waiting.Count <= OwnMax && TryTake(out var item); done++)
            {
                Execute(item, clean);
                lock (_lock)
                {
                    _isExecuting = false;
                    if (_isReplaced)
                    {
                        _current = null;
                        return false;
                    }
                }
                if (Stopwatch.GetElapsedTime(started) > OwnFor) break;
            }
        }
        _current = null;
        if (_waiting.Count > 0) TurnQueue.Deal(_waiting);
        return true;
    }

    /// <summary>The link is read no more, or by another thread. What a receive had brought when it failed is executed all the same.</summary>
    public void End()
    {
        _current = null;
        lock (_lock)
        {
            _hasEnded = true;
            if (!_isReplaced && _waiting.Count > 0) TurnQueue.Deal(_waiting);
        }
        TurnQueue.Unwatched(this);
    }

    /// <summary>To be called by the watch: replaces a reader that was in the same turn at the last look. False when there is nothing to watch.</summary>
    public bool Review()
    {
        lock (_lock)
        {
            var (steps, seen) = (_steps, _stepsSeen);
            _stepsSeen = steps;
            if (_hasEnded || _isReplaced) return false;
            if (steps != seen) return true;
            if (!_isExecuting || !_replaceReader()) return false; // Where no thread is to be had, the link waits for the turn.
            _isReplaced = true;
            if (_waiting.Count > 0) TurnQueue.Deal(_waiting);
        }
        TurnQueue.Unwatched(this);
        return true;
    }

    /// <summary>A busy link is left to the pool even where a receive happens to be small: who runs turns reads nothing meanwhile.</summary>
    private bool MayOwn()
    {
        var isQuiet = _waiting.Count <= OwnMax && !_hasDealt;
        _hasDealt = false;
        _quietReceives = isQuiet ? _quietReceives + 1 : 0;
        if (_quietReceives < QuietFrom) return false;
        if (_quietReceives == QuietFrom && MonotonicClock.Now < _ownFrom) _quietReceives = 0;
        return _quietReceives > 0;
    }

    private bool TryTake(out IThreadPoolWorkItem item)
    {
        lock (_lock)
        {
            if (!_waiting.TryDequeue(out item!)) return false;
            _isExecuting = true;
            _steps++;
        }
        TurnQueue.KeepWatch();
        return true;
    }

    private static void Execute(IThreadPoolWorkItem item, ExecutionContext clean)
    {
        try
        {
            item.Execute();
        }
        catch (Exception cause)
        {
            // As loud as on the pool, and no affair of the link's.
            ThreadPool.UnsafeQueueUserWorkItem(static fault => fault.Throw(), ExceptionDispatchInfo.Capture(cause), preferLocal: false);
        }
        ExecutionContext.Restore(clean);
        if (SynchronizationContext.Current is not null) SynchronizationContext.SetSynchronizationContext(null);
    }
}
