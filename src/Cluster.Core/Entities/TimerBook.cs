using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>A page of timers to read.</summary>
internal sealed record TimerRead(long DueBeforeUnixMs, TimerRow? After, int Limit);

/// <summary>How a firing ended.</summary>
internal enum TimerEnd
{
    /// <summary>The timer is gone from the store, or is somebody else's.</summary>
    Gone,

    /// <summary>Not taken now: again in a moment.</summary>
    Again,

    /// <summary>It will hardly be taken soon: whoever reads the table next finds it there.</summary>
    Failed,
}

/// <summary>Which durable timers of this node's shards are due, and what to read next: the table is the truth, and memory holds its beginning.</summary>
/// <remarks>Not thread-safe. What is held may be gone from the table, or be set anew there: the entity knows (<see cref="JournaledEntity{TEvent}"/>). What matters is that none
/// that is in the table and due is missing for long: it is read when shards are acquired and once a minute, from the beginning, in pages.</remarks>
internal sealed class TimerBook
{
    /// <summary>Most timers in memory; those that are due first.</summary>
    public const int HeldMax = 10_000;

    /// <summary>Most firings under way.</summary>
    public const int FiringMax = 256;

    private const int PageRows = 1_000;
    private static readonly TimeSpan Horizon = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan PassEvery = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Dictionary<(ShardNo Shard, string Entity, string Key), Held> _held = [];
    private readonly SortedSet<Held> _queue = new(new ByTime()); // Those that are not being fired.
    private readonly Dictionary<(ShardNo Shard, string Entity, string Key), (long No, int Times, TimeSpan At)> _failing = [];
    private TimerRead? _underWay;
    private TimerRow? _cursor;
    private TimeSpan _nextPass = TimeSpan.MaxValue;
    private TimeSpan _notBefore;
    private long _readUpTo = long.MinValue;
    private bool _wanted;
    private bool _inPass;
    private bool _waitsForRoom;
    private bool _leftOut;
    private long _order;
    private int _firing;

    public StoreClock Clock { get; } = new();

    /// <summary>Timers in memory.</summary>
    public int Count => _held.Count;

    /// <summary>Timers whose last firing has failed.</summary>
    public int Failing => _failing.Count;

    /// <summary>Shards were acquired: all that they bring is read, by one pass for as many as come while another is under way.</summary>
    public void Wanted() => _wanted = true;

    /// <summary>The next page to read, or null when there is none or one is under way.</summary>
    public TimerRead? NextRead(TimeSpan now)
    {
        if (_underWay is not null || now < _notBefore) return null;
        // A pass is not begun anew for each shard that comes meanwhile, unless it waits for room: what they bring may be due before all that is held.
        if ((!_inPass || _waitsForRoom) && (_wanted || (!_inPass && (now >= _nextPass || (_leftOut && HasRoom)))))
        {
            if (!Clock.IsSet) return _underWay = new TimerRead(long.MinValue, null, 1); // Before anything else the clock, which says what is soon.
            (_inPass, _cursor, _wanted, _leftOut, _waitsForRoom) = (true, null, false, false, false);
        }
        if (!_inPass || (_waitsForRoom && !HasRoom)) return null;
        _waitsForRoom = false;
        _readUpTo = Clock.UnixMs(now) + (long)Horizon.TotalMilliseconds;
        return _underWay = new TimerRead(_readUpTo, _cursor, PageRows);
    }

    /// <summary>Takes a page in.</summary>
    /// <returns>How far the store's clock has stepped, where that is news.</returns>
    public TimeSpan? Read(StoreResult<TimerPage> result, TimeSpan now)
    {
        var asked = _underWay!;
        _underWay = null;
        if (result is not { IsOk: true, Value: { } page })
        {
            _notBefore = now + Pause;
            return null;
        }
        var stepped = Clock.Read(page.NowUnixMs, now);
        if (!_inPass) return stepped;
        _readUpTo = Math.Min(_readUpTo, Clock.UnixMs(now) + (long)Horizon.TotalMilliseconds);
        var isLast = page.Timers.Length < asked.Limit;
        foreach (var row in page.Timers)
        {
            if (row.Timer.DueUnixMs >= _readUpTo)
            {
                isLast = true;
                break;
            }
            if (!Take(row))
            {
                _waitsForRoom = true;
                return stepped;
            }
            _cursor = row;
        }
        if (isLast)
        {
            (_inPass, _nextPass) = (false, now + (Clock.IsHeld ? LookAgain : PassEvery));
            // One that fails is fired in every pass: what was not for long is no timer of these shards any more.
            foreach (var gone in _failing.Where(f => now - f.Value.At > 3 * PassEvery).Select(f => f.Key).ToList()) _failing.Remove(gone);
        }
        return stepped;
    }

    /// <summary>Timers were set and cancelled: committed just now.</summary>
    public void Changed(ShardNo shard, string entity, ImmutableArray<TimerChange> changes)
    {
        foreach (var (key, timer) in changes)
        {
            if (timer is null) Forget((shard, entity, key));
            else if (timer.DueUnixMs >= _readUpTo) Forget((shard, entity, key)); // Read when it is near.
            else if (!Take(new TimerRow(shard, entity, timer))) _leftOut = true;
        }
    }

    /// <summary>Those that are due: each is fired, and <see cref="Fired"/> says how that ended.</summary>
    public IReadOnlyList<TimerRow> Due(TimeSpan now)
    {
        if (!Clock.IsSet || Clock.IsHeld) return [];
        var (due, time) = (new List<TimerRow>(), Clock.UnixMs(now));
        while (_firing < FiringMax && _queue.Min is { } first && first.At <= time)
        {
            _queue.Remove(first);
            _firing++;
            due.Add(first.Row);
        }
        return due;
    }

    /// <summary>A firing has ended.</summary>
    /// <returns>How many firings of this timer have failed, one after the other; 0 when this one did not.</returns>
    public int Fired(TimerRow row, TimerEnd end, TimeSpan now)
    {
        _firing--;
        var place = (row.Shard, row.Entity, row.Timer.Key);
        LetGo(place, row, end, now);
        if (end != TimerEnd.Failed)
        {
            if (end == TimerEnd.Gone) _failing.Remove(place);
            return 0;
        }
        var times = _failing.TryGetValue(place, out var known) && known.No == row.Timer.No ? known.Times + 1 : 1;
        _failing[place] = (row.Timer.No, times, now);
        return times;
    }

    private void LetGo((ShardNo, string, string) place, TimerRow row, TimerEnd end, TimeSpan now)
    {
        if (!_held.TryGetValue(place, out var held) || held.Row.Timer.No != row.Timer.No) return;
        _held.Remove(place);
        if (end == TimerEnd.Again) Hold(place, row, Clock.UnixMs(now) + (long)Pause.TotalMilliseconds);
    }

    /// <summary>How long nothing is to be done, unless something is told.</summary>
    public TimeSpan IdleFor(TimeSpan now)
    {
        var next = _waitsForRoom ? now + PassEvery : _inPass || _wanted ? _notBefore : _nextPass; // Room comes with firings, whose end is told.
        if (_firing < FiringMax && !Clock.IsHeld && _queue.Min is { } first) next = TimeSpan.FromTicks(Math.Min(next.Ticks, (now + TimeSpan.FromMilliseconds(first.At - Clock.UnixMs(now))).Ticks));
        return next <= now ? TimeSpan.Zero : next - now < PassEvery ? next - now : PassEvery;
    }

    private bool HasRoom => _held.Count <= HeldMax / 2;

    /// <summary>False when memory is full of such as are due earlier.</summary>
    private bool Take(TimerRow row)
    {
        var place = (row.Shard, row.Entity, row.Timer.Key);
        if (_held.TryGetValue(place, out var known))
        {
            if (known.Row.Timer.No >= row.Timer.No) return true; // A page may show what was before a commit.
            Forget(place);
        }
        if (_held.Count >= HeldMax)
        {
            if (_queue.Max is not { } last || last.At <= row.Timer.DueUnixMs) return false;
            Forget((last.Row.Shard, last.Row.Entity, last.Row.Timer.Key));
            _leftOut = true;
        }
        Hold(place, row, row.Timer.DueUnixMs);
        return true;
    }

    private void Hold((ShardNo, string, string) place, TimerRow row, long at)
    {
        var held = new Held(row, at, _order++);
        _held[place] = held;
        _queue.Add(held);
    }

    private void Forget((ShardNo, string, string) place)
    {
        if (_held.Remove(place, out var held)) _queue.Remove(held);
    }

    private sealed record Held(TimerRow Row, long At, long Order);

    private sealed class ByTime : IComparer<Held>
    {
        public int Compare(Held? x, Held? y) => x!.At != y!.At ? x.At.CompareTo(y.At) : x.Order.CompareTo(y.Order);
    }
}
