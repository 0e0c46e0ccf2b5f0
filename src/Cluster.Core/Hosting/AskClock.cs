namespace ActorCluster.Hosting;

/// <summary>Ends asks that nobody answers, without a timer for each: all wait equally long, so those that began first end first.</summary>
/// <remarks>Thread-safe. An ask that is answered takes itself out; what is held is what is under way.</remarks>
internal sealed class AskClock : IDisposable
{
    private readonly TimeSpan _limit;
    private readonly Row[] _rows = new Row[16];
    private readonly Timer _clock;

    public AskClock(TimeSpan limit)
    {
        _limit = limit;
        for (var i = 0; i < _rows.Length; i++) _rows[i] = new Row();
        var look = TimeSpan.FromMilliseconds(Math.Clamp(limit.TotalMilliseconds / 50, 5, 100));
        _clock = new Timer(_ => EndLate(), null, look, look);
    }

    /// <summary>To be called once, before the ask can be answered.</summary>
    public void Add(IAsk ask)
    {
        var row = _rows[Environment.CurrentManagedThreadId & (_rows.Length - 1)];
        ask.Place.Row = row;
        ask.Place.Until = Environment.TickCount64 + (long)_limit.TotalMilliseconds;
        lock (row)
        {
            ask.Place.Before = row.Last;
            if (row.Last is { } last) last.Place.After = ask;
            else row.First = ask;
            row.Last = ask;
            ask.Place.IsIn = true;
        }
    }

    public static void Remove(IAsk ask)
    {
        if (ask.Place.Row is not { } row) return;
        lock (row)
        {
            ref var place = ref ask.Place;
            if (!place.IsIn) return;
            place.IsIn = false;
            if (place.Before is { } before) before.Place.After = place.After;
            else row.First = place.After;
            if (place.After is { } after) after.Place.Before = place.Before;
            else row.Last = place.Before;
            (place.Before, place.After) = (null, null);
        }
    }

    public void Dispose() => _clock.Dispose();

    private void EndLate()
    {
        var now = Environment.TickCount64;
        foreach (var row in _rows)
        {
            while (true)
            {
                IAsk late;
                lock (row)
                {
                    if (row.First is not { } first || first.Place.Until > now) break;
                    late = first;
                }
                Remove(late);
                late.TimeOut(_limit);
            }
        }
    }

    internal sealed class Row
    {
        public IAsk? First;
        public IAsk? Last;
    }
}

/// <summary>An ask that the clock watches.</summary>
internal interface IAsk
{
    ref AskPlace Place { get; }

    void TimeOut(TimeSpan limit);
}

/// <summary>Where an ask stands among those under way; its row's lock guards it.</summary>
internal struct AskPlace
{
    public AskClock.Row? Row;
    public IAsk? Before;
    public IAsk? After;
    public long Until;
    public bool IsIn;
}
