using System.Runtime.CompilerServices;

namespace ActorCluster.Primitives;

/// <summary>Where turns of entities, and callers to be resumed, wait to be run: one queue per processor, each first in, first out.</summary>
/// <remarks>
/// Thread-safe. The pool's global queue is fair too, but all processors contend for it item by item. Its local queues are fast, but last in, first out: a few
/// callers spin while others wait. Here what a turn causes stays on the processor that ran it, behind what waited there before; one item of the pool works
/// off whatever waits, takes from another queue when its own is empty, and after a slice stands behind all else that the pool has to do.
/// A turn that blocks its thread holds up what waits behind it until the watch finds that nothing moved between two looks, and has another thread go on.
/// </remarks>
internal sealed class TurnQueue
{
    private const int SliceItems = 512;
    private const int SharedFrom = 8;
    public const int DealtInARow = 16; // To wake a thread for each of a few would cost more than they take.
    private static readonly TimeSpan WatchEvery = TimeSpan.FromMilliseconds(4);
    private static readonly TurnQueue[] Queues = [.. Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new TurnQueue())];
    private static readonly AutoResetEvent WatchWanted = new(false);
    private static int _watching;
    private static volatile ReaderTurns[] _readers = []; // Replaced under a lock, never changed.

    static TurnQueue() => new Thread(WatchAll) { IsBackground = true, Name = "turn-watch" }.UnsafeStart();

    [ThreadStatic]
    private static TurnQueue? _own;

    [ThreadStatic]
    private static uint _deals;

    private readonly Lock _lock = new();
    private Batch _waiting = new();
    private Batch? _spare; // Of the worker that went last, for the next one.
    private Worker? _worker;

    /// <summary>Has an item executed soon: behind what this thread works off, or else by whoever is free.</summary>
    public static void Add(IThreadPoolWorkItem item)
    {
        if (_own is { } own) own.Append(item);
        else if (ReaderTurns.Current is { } turns) turns.Add(item);
        else Deal(item);
    }

    /// <summary>As <see cref="Add"/>, but never by a thread that reads a link: for what takes longer than a usual turn.</summary>
    public static void Deal(IThreadPoolWorkItem item) => (_own ?? Next()).Append(item);

    /// <summary>Deals all of them to the queues in turn, a few in a row.</summary>
    public static void Deal(Queue<IThreadPoolWorkItem> items)
    {
        while (items.Count > 0) Next().Append(items);
    }

    /// <summary>From now on a reader that stands still is found by the watch.</summary>
    public static void Watched(ReaderTurns reader)
    {
        lock (Queues) _readers = [.. _readers, reader];
    }

    public static void Unwatched(ReaderTurns reader)
    {
        lock (Queues) _readers = [.. _readers.Where(r => r != reader)];
    }

    /// <summary>Somebody has begun something that may stand still.</summary>
    public static void KeepWatch()
    {
        if (Volatile.Read(ref _watching) == 0 && Interlocked.Exchange(ref _watching, 1) == 0) WatchWanted.Set();
    }

    /// <summary>Goes on behind what waits now.</summary>
    public static YieldAwaitable Yield() => default;

    /// <summary>Null on a thread that works off no queue; else whether nothing waits behind the item that it executes.</summary>
    public static bool? NothingWaits =>
        _own is { } own ? Volatile.Read(ref own._waiting).Count == 0 && Volatile.Read(ref own._worker) is not { HasMore: true } : ReaderTurns.Current?.NothingWaits;

    private static TurnQueue Next() => Queues[_deals++ / (uint)DealtInARow % (uint)Queues.Length];

    private void Append(IThreadPoolWorkItem item)
    {
        Worker? hired = null;
        lock (_lock)
        {
            _waiting.Add(item);
            if (_worker is null) hired = _worker = new Worker(this);
        }
        if (hired is not null) Hire(hired);
    }

    private void Append(Queue<IThreadPoolWorkItem> items)
    {
        Worker? hired = null;
        lock (_lock)
        {
            for (var i = 0; i < DealtInARow && items.TryDequeue(out var item); i++) _waiting.Add(item);
            if (_worker is null) hired = _worker = new Worker(this);
        }
        _deals += (uint)DealtInARow;
        if (hired is not null) Hire(hired);
    }

    private static void Hire(Worker worker)
    {
        ThreadPool.UnsafeQueueUserWorkItem(worker, preferLocal: false);
        KeepWatch();
    }

    /// <summary>Takes what waits, here or else in another queue, in exchange for a batch that is done with; null when the worker may go.</summary>
    private Batch? TakeOver(Worker worker, Batch? done)
    {
        lock (_lock)
        {
            if (_worker != worker) return null; // Another one has taken over, and draws from the same batch: it stays as it is.
            done?.Clear();
            if (_waiting.Count > 0) return Exchange(done);
        }
        foreach (var other in Queues)
        {
            if (other == this || Volatile.Read(ref other._waiting).Count < 2) continue; // One is about to be taken by its own worker.
            done ??= new Batch();
            lock (other._lock) other._waiting.MoveHalf(done); // Not all: the other worker would only come and take it back.
            if (done.Count > 0) return done;
        }
        lock (_lock)
        {
            if (_worker == worker && _waiting.Count > 0) return Exchange(done);
            if (_worker != worker) return null;
            _worker = null;
            _spare = done ?? _spare;
            return null;
        }
    }

    /// <summary>Gives half of a batch, of which nothing is drawn yet, to a queue whose worker went because there was nothing to take.</summary>
    private void Share(Batch batch)
    {
        foreach (var other in Queues)
        {
            if (other == this || Volatile.Read(ref other._worker) is not null) continue;
            Worker? hired = null;
            lock (other._lock)
            {
                if (other._worker is null)
                {
                    batch.MoveHalf(other._waiting);
                    hired = other._worker = new Worker(other);
                }
            }
            if (hired is null) continue;
            Hire(hired);
            return;
        }
    }

    private Batch Exchange(Batch? empty)
    {
        var batch = _waiting;
        _waiting = empty ?? _spare ?? new Batch();
        if (_waiting == _spare) _spare = null;
        return batch;
    }

    /// <summary>On a thread of its own: links are read on also while user code has all threads of the pool.</summary>
    private static void WatchAll()
    {
        while (true)
        {
            WatchWanted.WaitOne();
            do Thread.Sleep(WatchEvery); while (IsBusy());
        }
    }

    private static bool IsBusy()
    {
        var busy = false;
        foreach (var queue in Queues) busy |= queue.Review();
        foreach (var reader in _readers) busy |= reader.Review();
        if (busy) return true;
        Interlocked.Exchange(ref _watching, 0); // With a full fence: a hire either sees it, or is seen by the next line.
        // What began while this look was under way relied on it.
        return (Queues.Any(q => Volatile.Read(ref q._worker) is not null) || _readers.Any(r => r.IsExecuting)) && Interlocked.Exchange(ref _watching, 1) == 0;
    }

    /// <summary>Replaces a worker that stands still while others wait. False when there is no worker.</summary>
    private bool Review()
    {
        Worker? next = null;
        lock (_lock)
        {
            if (_worker is not { } worker) return false;
            if (worker.StandsStill() && (_waiting.Count > 0 || worker.HasMore)) next = _worker = new Worker(this, worker);
        }
        if (next is not null) Hire(next);
        return true;
    }

    /// <summary>What <see cref="Yield"/> returns.</summary>
    internal readonly struct YieldAwaitable : ICriticalNotifyCompletion
    {
        public bool IsCompleted => false;

        public YieldAwaitable GetAwaiter() => this;

        public void GetResult() { }

        public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

        public void UnsafeOnCompleted(Action continuation) => Add(new Continuation(continuation));

        private sealed class Continuation(Action goOn) : IThreadPoolWorkItem
        {
            public void Execute() => goOn();
        }
    }

    /// <summary>Items that are executed in order, each by whoever draws its number.</summary>
    private sealed class Batch
    {
        private const int Usual = 64;
        private const int KeptMax = 4_096;

        private IThreadPoolWorkItem[] _items = new IThreadPoolWorkItem[Usual];
        private int _next;

        public int Count { get; private set; }

        public bool HasMore => Volatile.Read(ref _next) < Count;

        public void Add(IThreadPoolWorkItem item)
        {
            if (Count == _items.Length) Array.Resize(ref _items, _items.Length * 2);
            _items[Count++] = item;
        }

        public bool TryDraw(out IThreadPoolWorkItem item)
        {
            var at = Interlocked.Increment(ref _next) - 1;
            if (at < Count)
            {
                item = _items[at];
                return true;
            }
            item = null!;
            return false;
        }

        public void MoveHalf(Batch into)
        {
            var moved = Count / 2;
            for (var i = 0; i < moved; i++) into.Add(_items[i]);
            Array.Copy(_items, moved, _items, 0, Count - moved);
            Array.Clear(_items, Count - moved, moved);
            Count -= moved;
        }

        public void Clear()
        {
            if (_items.Length > KeptMax) _items = new IThreadPoolWorkItem[Usual];
            else Array.Clear(_items, 0, Count);
            (Count, _next) = (0, 0);
        }
    }

    /// <summary>One item of the pool that works a queue off.</summary>
    /// <param name="queue">Its own.</param>
    /// <param name="before">The worker that stands still, whose batch is gone on with; it draws from it as well when it moves again.</param>
    private sealed class Worker(TurnQueue queue, Worker? before = null) : IThreadPoolWorkItem
    {
        private Batch? _batch = before?._batch;
        private bool _isShared = before is not null;
        private int _steps;
        private int _stepsSeen;

        /// <summary>To be asked at each look: it was in the same item at the last one.</summary>
        public bool StandsStill()
        {
            var (steps, seen) = (Volatile.Read(ref _steps), _stepsSeen);
            _stepsSeen = steps;
            return steps == seen && (steps & 1) == 1;
        }

        public bool HasMore => Volatile.Read(ref _batch) is { HasMore: true };

        void IThreadPoolWorkItem.Execute()
        {
            _own = queue;
            var clean = ExecutionContext.Capture()!;
            for (var done = 0; done < SliceItems;)
            {
                if (_batch is null || !_batch.TryDraw(out var item))
                {
                    var next = queue.TakeOver(this, _isShared ? null : _batch);
                    if (next is { Count: >= SharedFrom }) queue.Share(next);
                    _isShared = false;
                    Volatile.Write(ref _batch, next);
                    if (next is not null) continue;
                    _own = null;
                    return;
                }
                Volatile.Write(ref _steps, _steps + 1);
                item.Execute();
                Volatile.Write(ref _steps, _steps + 1);
                ExecutionContext.Restore(clean); // What an item left there is not the next one's.
                done++;
            }
            _own = null;
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }
}
