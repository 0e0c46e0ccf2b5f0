namespace ActorCluster.Entities;

/// <summary>Ends asks that nobody answers, without a timer for each and without a word of those that are answered in time: it looks over all that were made.</summary>
/// <remarks>Thread-safe. What it holds is what is under way or free to be used again; others leave at the next look.</remarks>
internal sealed class AskClock : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<Ask> _asks = [];
    private readonly Timer _clock;
    private bool _disposed;
    private int _round;

    public AskClock(TimeSpan limit)
    {
        Limit = limit;
        var look = TimeSpan.FromMilliseconds(Math.Clamp(limit.TotalMilliseconds / 50, 5, 100));
        LimitRounds = (int)Math.Ceiling(limit / look) + 1; // The round it begins in is not whole.
        _clock = new Timer(_ => Look(), null, look, look);
    }

    /// <summary>How long an ask waits.</summary>
    public TimeSpan Limit { get; }

    /// <summary>Rounds that an ask waits.</summary>
    public int LimitRounds { get; }

    /// <summary>The round in which an ask that begins now is late. Rounds instead of time: no clock is read for an ask, and one that comes late makes none end early.</summary>
    public int LateRound => Volatile.Read(ref _round) + LimitRounds;

    /// <summary>Asks that are held.</summary>
    public int Watched
    {
        get
        {
            lock (_lock) return _asks.Count;
        }
    }

    /// <summary>To be called once for each ask that is made.</summary>
    public void Watch(Ask ask)
    {
        lock (_lock) _asks.Add(ask);
    }

    /// <summary>Ends whatever is still waited for.</summary>
    public void Dispose()
    {
        _clock.Dispose();
        lock (_lock)
        {
            _disposed = true;
            foreach (var ask in _asks) ask.EndLost();
            _asks.Clear();
        }
    }

    private void Look()
    {
        lock (_lock)
        {
            if (_disposed) return;
            var now = ++_round;
            var kept = 0;
            for (var i = 0; i < _asks.Count; i++)
                if (_asks[i].Review(now)) _asks[kept++] = _asks[i];
            _asks.RemoveRange(kept, _asks.Count - kept);
        }
    }
}
