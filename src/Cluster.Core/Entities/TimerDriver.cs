using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>Keeps the time of all durable timers of a node: one loop reads them, and sends their entities what is due.</summary>
/// <remarks>Thread-safe. No entity stays in memory for a timer, and none has a task or a clock of its own.</remarks>
internal sealed class TimerDriver : IAsyncDisposable
{
    private readonly EntityHost _host;
    private readonly Lock _lock = new();
    private readonly TimerBook _book = new();
    private readonly DriverLoop _loop;

    public TimerDriver(EntityHost host)
    {
        _host = host;
        // Without the loop nothing would ever be due; a node that keeps no time must not look as if it did.
        _loop = new DriverLoop(StepAsync, cause =>
        {
            host.Log.TimersFailed(cause);
            host.Ownership.Broken(ExitCodes.Invariant, $"The timers' loop failed: {cause.Message}");
        });
    }

    /// <summary>The store's clock; this machine's until it was read.</summary>
    public long NowUnixMs
    {
        get
        {
            lock (_lock) return _book.Clock.IsSet ? _book.Clock.UnixMs(MonotonicClock.Now) : DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        }
    }

    /// <summary>Timers in memory.</summary>
    public int Held
    {
        get
        {
            lock (_lock) return _book.Count;
        }
    }

    /// <summary>Timers whose last firing has failed.</summary>
    public int Failing
    {
        get
        {
            lock (_lock) return _book.Failing;
        }
    }

    /// <summary>Shards were acquired, with whatever timers they have.</summary>
    public void Acquired()
    {
        lock (_lock) _book.Wanted();
        _loop.Wake();
    }

    /// <summary>Rows have committed, some with timers.</summary>
    public void Committed(ShardNo shard, ImmutableArray<JournalRow> rows)
    {
        lock (_lock)
        {
            foreach (var row in rows)
                if (!row.Timers.IsEmpty) _book.Changed(shard, row.Entity, row.Timers);
        }
        _loop.Wake();
    }

    /// <summary>An entity has read its timers, and the store's clock with them.</summary>
    public void ClockRead(long unixMs)
    {
        lock (_lock)
        {
            if (!_book.Clock.IsSet) _book.Clock.Read(unixMs, MonotonicClock.Now);
        }
    }

    public ValueTask DisposeAsync() => _loop.DisposeAsync();

    private async Task StepAsync(DriverLoop loop)
    {
        TimerRead? read;
        IReadOnlyList<TimerRow> due;
        TimeSpan idle;
        lock (_lock)
        {
            due = _book.Due(MonotonicClock.Now);
            read = _book.NextRead(MonotonicClock.Now);
            idle = _book.IdleFor(MonotonicClock.Now);
        }
        foreach (var row in due) Fire(row);
        if (read is null)
        {
            await loop.IdleAsync(idle).ConfigureAwait(false);
            return;
        }
        var page = await _host.Store.ReadTimersAsync(_host.Ownership.Self, read.DueBeforeUnixMs, read.After, read.Limit).ConfigureAwait(false);
        if (!page.IsOk) _host.Log.TimersUnread(page.Verdict, page.Reason);
        TimeSpan? stepped;
        lock (_lock) stepped = _book.Read(page, MonotonicClock.Now);
        if (stepped is { } by) _host.Log.StoreClockStepped(by, StoreClock.Stands);
    }

    private void Fire(TimerRow row)
    {
        try
        {
            // A shard that is not here any more takes its timers with it.
            if (_host.Find(row.Shard) is not { } shard) Ended(row, TimerEnd.Gone);
            else if (Decoded(row, shard) is { } message && !shard.TryDeliver(EnvelopeOf(row, shard, message))) Ended(row, TimerEnd.Again);
        }
        catch (Exception cause)
        {
            Failed(row, cause.Message);
        }
    }

    private object? Decoded(TimerRow row, LocalShard shard)
    {
        if (shard.Type.Messages.Find(row.Timer.Message) is { } type) return type.Codec.Decode(row.Timer.Payload.Span);
        Failed(row, EntityFailure.Unknown(row.Entity, row.Timer.Message).Message);
        return null;
    }

    private Envelope EnvelopeOf(TimerRow row, LocalShard shard, object message) =>
        new(new EntityId(shard.Type.Name, row.Entity[(shard.Type.Name.Length + 1)..]), new TimerDue(row.Timer, message), new Firing(this, row, shard)) { Command = row.Timer.Command };

    private async Task RemoveAsync(TimerRow row, LocalShard shard)
    {
        try
        {
            var removed = await _host.Store.RemoveTimerAsync(shard.No, shard.Epoch, _host.Ownership.Self, row.Entity, row.Timer.No).ConfigureAwait(false);
            Ended(row, removed.IsOk || removed.Verdict == StoreVerdict.Fenced ? TimerEnd.Gone : TimerEnd.Again);
        }
        catch (Exception cause)
        {
            Failed(row, cause.Message);
        }
    }

    private void Failed(TimerRow row, string reason)
    {
        var times = Ended(row, TimerEnd.Failed);
        if (System.Numerics.BitOperations.IsPow2(times)) _host.Log.TimerFailed(row.Timer.Key, row.Entity, times, reason); // Not each minute for ever.
    }

    private int Ended(TimerRow row, TimerEnd end)
    {
        int failed;
        lock (_lock) failed = _book.Fired(row, end, MonotonicClock.Now);
        _loop.Wake();
        return failed;
    }

    /// <summary>Takes the answer to a firing, which comes when all that it rests on is committed.</summary>
    private sealed class Firing(TimerDriver driver, TimerRow row, LocalShard shard) : IReplySink
    {
        private int _isEnded;

        public void Reply(object reply)
        {
            if (Interlocked.Exchange(ref _isEnded, 1) != 0) return;
            if (reply is TimerOutcome.Recorded) driver.Ended(row, TimerEnd.Gone);
            else _ = driver.RemoveAsync(row, shard);
        }

        public void Fail(EntityFailure failure)
        {
            if (Interlocked.Exchange(ref _isEnded, 1) != 0) return;
            if (failure.IsRetryable) driver.Ended(row, TimerEnd.Again);
            else driver.Failed(row, failure.Message);
        }
    }
}

/// <summary>What an entity gets when a durable timer is due.</summary>
internal sealed record TimerDue(DurableTimer Timer, object Message);

/// <summary>What came of it.</summary>
internal enum TimerOutcome
{
    /// <summary>An event was recorded, and the timer removed in its commit.</summary>
    Recorded,

    /// <summary>Nothing was to be recorded: the timer is still to be removed.</summary>
    Nothing,
}
