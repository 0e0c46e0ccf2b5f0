using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>Who waits for a row to commit; opaque to the lane.</summary>
internal interface IRowOwner
{
    /// <summary>The row with this entity sequence is on stable storage; rows of one owner are reported in order.</summary>
    void RowCommitted(long entitySeq);
}

/// <summary>A store call that a lane asks for.</summary>
internal abstract record JournalCall
{
    private JournalCall() { }

    public sealed record Append(ImmutableArray<ShardBatch> Batches) : JournalCall;

    public sealed record Resolve(ShardBatch Batch) : JournalCall;
}

/// <summary>What a lane found out.</summary>
internal abstract record JournalNews
{
    private JournalNews() { }

    /// <summary>Rows on stable storage, in order.</summary>
    public sealed record Committed(ShardNo Shard, Epoch Epoch, ImmutableArray<(JournalRow Row, IRowOwner Owner)> Rows) : JournalNews;

    /// <summary>Rows on stable storage, some of which set or cancel timers, whether or not anybody still waits for them.</summary>
    public sealed record TimersChanged(ShardNo Shard, ImmutableArray<JournalRow> Rows) : JournalNews;

    /// <summary>The shard has another owner; what waited for it is unknown.</summary>
    public sealed record Fenced(ShardNo Shard, Epoch Epoch) : JournalNews;

    /// <summary>A command id below the window was executed before; the entities of the shard must be loaded anew.</summary>
    public sealed record Repeated(ShardNo Shard, Epoch Epoch) : JournalNews;

    /// <summary>The store lost commits (78) or shows what cannot be (70).</summary>
    public sealed record Broken(int ExitCode, string Reason) : JournalNews;
}

/// <summary>The node-wide group commit of one store connection: which rows go next, and what a lost reply means (protocol 7.1 to 7.3).</summary>
/// <remarks>Not thread-safe. One call is under way at a time; per shard one batch, and none starts while an earlier one is in doubt (P5).</remarks>
internal sealed class JournalLane(Func<Guid> newId)
{
    private const int RowsPerBatch = 128;
    private const int RowsPerCommit = 1024;
    private const int BytesPerCommit = 1024 * 1024;
    private const int ExitInvariant = 70;
    private const int ExitRegressed = 78;

    private readonly SortedDictionary<ShardNo, Log> _logs = [];
    private readonly SortedDictionary<ShardNo, Log> _inDoubt = []; // A look at all shards before each commit would cost more than the commit where there are very many.
    private readonly Queue<Log> _ready = new();
    private JournalCall? _underWay;

    /// <summary>Rows that wait or are under way.</summary>
    public int Waiting { get; private set; }

    public void Open(ShardNo shard, Epoch epoch, Incarnation owner, long nextSeq)
    {
        if (_logs.TryGetValue(shard, out var old)) Drop(old);
        _inDoubt.Remove(shard);
        _logs[shard] = new Log(shard, epoch, owner) { NextSeq = nextSeq };
    }

    /// <summary>The shard is served no more; what waits is dropped, a batch under way is nobody's any more.</summary>
    public void Close(ShardNo shard, Epoch epoch)
    {
        if (!_logs.TryGetValue(shard, out var log) || log.Epoch != epoch) return;
        Drop(log);
        _logs.Remove(shard);
        _inDoubt.Remove(shard);
    }

    /// <summary>Gives up what waits, but keeps the shard: a batch in doubt must still be resolved before the shard's entities are loaded anew.
    /// One that is known not to have been written goes with the rest, or a store that takes no writes would keep the entities from being read.</summary>
    /// <returns>The shard's new generation: rows of an older one, decided by entities that were given up, are not taken any more.</returns>
    public int Abandon(ShardNo shard, Epoch epoch)
    {
        if (!_logs.TryGetValue(shard, out var log) || log.Epoch != epoch) return 0;
        Drop(log);
        if (log.Batch is { } batch && !log.WasInDoubt && !IsUnderWay(batch)) log.Batch = null;
        return ++log.Generation;
    }

    /// <summary>A batch of given-up rows is under way or in doubt: what the journal shows may still grow by it.</summary>
    public bool HasOrphans(ShardNo shard, Epoch epoch) =>
        _logs.TryGetValue(shard, out var log) && log.Epoch == epoch && log.Batch is not null && log.Owners is null;

    /// <summary>Nothing of the shard waits, is under way or is in doubt.</summary>
    public bool IsClear(ShardNo shard, Epoch epoch) =>
        !_logs.TryGetValue(shard, out var log) || log.Epoch != epoch || (log.Waiting.Count == 0 && log.Batch is null);

    /// <summary>Adds a row; false when the shard is not served under that epoch, or was abandoned since <paramref name="generation"/>.</summary>
    public bool Add(ShardNo shard, Epoch epoch, int generation, JournalRow row, IRowOwner owner)
    {
        if (!_logs.TryGetValue(shard, out var log) || log.Epoch != epoch || log.Generation != generation) return false;
        log.Waiting.Enqueue((row, owner));
        Waiting++;
        Ready(log);
        return true;
    }

    /// <summary>The next call to make, or null when there is nothing to do or one is under way.</summary>
    public JournalCall? Next()
    {
        if (_underWay is not null) return null;
        foreach (var log in _inDoubt.Values)
            return _underWay = new JournalCall.Resolve(log.Batch!);
        var batches = ImmutableArray.CreateBuilder<ShardBatch>();
        int rows = 0, bytes = 0;
        while (rows < RowsPerCommit && bytes < BytesPerCommit && _ready.TryDequeue(out var log))
        {
            log.Queued = false;
            if (!_logs.TryGetValue(log.Shard, out var current) || current != log || log.InDoubt) continue;
            log.Batch ??= Form(log); // A batch that is known not to have committed goes again as it was.
            if (log.Batch is null) continue;
            rows += log.Batch.Rows.Length;
            foreach (var row in log.Batch.Rows)
            {
                bytes += row.Payload.Length + (row.Result?.Length ?? 0);
                foreach (var change in row.Timers) bytes += change.Timer?.Payload.Length ?? 0;
            }
            batches.Add(log.Batch);
        }
        return batches.Count == 0 ? null : _underWay = new JournalCall.Append(batches.ToImmutable());
    }

    public void Appended(JournalCall.Append call, StoreResult<ImmutableArray<AppendOutcome>> result, List<JournalNews> news)
    {
        _underWay = null;
        for (var i = 0; i < call.Batches.Length; i++)
        {
            if (LogOf(call.Batches[i]) is not { } log) continue; // Closed meanwhile.
            if (result.IsOk) Outcome(log, result.Value[i], news);
            else if (result.Verdict == StoreVerdict.InDoubt) Doubt(log);
            else if (log.Owners is null && !log.WasInDoubt) Forget(log); // Nothing was written, and nobody waits for it any more.
            else Ready(log); // Nothing was written: the identical batch goes again.
        }
    }

    public void Resolved(JournalCall.Resolve call, StoreResult<BatchResolution> result, List<JournalNews> news)
    {
        _underWay = null;
        if (!result.IsOk || LogOf(call.Batch) is not { } log) return; // Not resolved: asked again.
        switch (result.Value)
        {
            case BatchResolution.Committed:
                Committed(log, news);
                break;
            case BatchResolution.NotCommitted:
                log.InDoubt = false;
                _inDoubt.Remove(log.Shard);
                Ready(log);
                break;
            case BatchResolution.Fenced:
                news.Add(new JournalNews.Fenced(log.Shard, log.Epoch));
                Close(log.Shard, log.Epoch);
                break;
            case BatchResolution.Regressed:
                news.Add(new JournalNews.Broken(ExitRegressed, $"Shard {log.Shard}: the store knows fewer rows than were committed (next {call.Batch.ExpectedSeq} expected)"));
                break;
            default:
                news.Add(new JournalNews.Broken(ExitInvariant, $"Shard {log.Shard}, epoch {log.Epoch}: rows that only this node may write are there at {call.Batch.ExpectedSeq}."));
                break;
        }
    }

    private void Outcome(Log log, AppendOutcome outcome, List<JournalNews> news)
    {
        switch (outcome)
        {
            case AppendOutcome.Committed:
                Committed(log, news);
                break;
            case AppendOutcome.Unexpected:
                Doubt(log);
                break;
            default:
                // Nothing of the batch is written, and its speculation rests on a command that must not run again.
                news.Add(new JournalNews.Repeated(log.Shard, log.Epoch));
                Drop(log);
                (log.Batch, log.WasInDoubt) = (null, false);
                break;
        }
    }

    private void Committed(Log log, List<JournalNews> news)
    {
        log.NextSeq = log.Batch!.ExpectedSeq + log.Batch.Rows.Length;
        if (log.Batch.Rows.Any(static r => !r.Timers.IsEmpty)) news.Add(new JournalNews.TimersChanged(log.Shard, log.Batch.Rows));
        if (log.Owners is { } owners)
        {
            news.Add(new JournalNews.Committed(log.Shard, log.Epoch, [.. log.Batch.Rows.Zip(owners)]));
            Waiting -= owners.Length;
        }
        log.Owners = null;
        Forget(log);
    }

    private void Doubt(Log log)
    {
        log.InDoubt = log.WasInDoubt = true;
        _inDoubt[log.Shard] = log;
    }

    private void Forget(Log log)
    {
        (log.Batch, log.InDoubt, log.WasInDoubt) = (null, false, false);
        _inDoubt.Remove(log.Shard);
        if (log.Waiting.Count > 0) Ready(log);
    }

    private ShardBatch? Form(Log log)
    {
        if (log.Waiting.Count == 0) return null;
        var count = Math.Min(RowsPerBatch, log.Waiting.Count);
        var rows = ImmutableArray.CreateBuilder<JournalRow>(count);
        var owners = new IRowOwner[count];
        for (var i = 0; i < count; i++)
        {
            var (row, owner) = log.Waiting.Dequeue();
            rows.Add(row);
            owners[i] = owner;
        }
        log.Owners = owners;
        return new ShardBatch(log.Shard, log.Epoch, log.Owner, log.NextSeq, newId(), rows.MoveToImmutable());
    }

    private void Drop(Log log)
    {
        Waiting -= log.Waiting.Count + (log.Owners?.Length ?? 0);
        log.Waiting.Clear();
        log.Owners = null;
    }

    private bool IsUnderWay(ShardBatch batch) => _underWay is JournalCall.Append(var batches) && batches.Any(b => b.BatchId == batch.BatchId);

    private void Ready(Log log)
    {
        if (log.Queued || log.InDoubt) return;
        log.Queued = true;
        _ready.Enqueue(log);
    }

    private Log? LogOf(ShardBatch batch) =>
        _logs.TryGetValue(batch.Shard, out var log) && log.Batch is { } current && current.BatchId == batch.BatchId ? log : null;

    private sealed class Log(ShardNo shard, Epoch epoch, Incarnation owner)
    {
        public ShardNo Shard { get; } = shard;

        public Epoch Epoch { get; } = epoch;

        public Incarnation Owner { get; } = owner;

        public long NextSeq { get; set; }

        /// <summary>How often its entities were given up under this epoch.</summary>
        public int Generation { get; set; }

        public Queue<(JournalRow Row, IRowOwner Owner)> Waiting { get; } = new();

        public ShardBatch? Batch { get; set; }

        /// <summary>Who waits for the batch, in the order of its rows; null when they were given up.</summary>
        public IRowOwner[]? Owners { get; set; }

        public bool InDoubt { get; set; }

        /// <summary>A copy of the batch may still land: it must go again until the store has it, even if nobody waits.</summary>
        public bool WasInDoubt { get; set; }

        public bool Queued { get; set; }
    }
}
