using System.Globalization;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Virtual time: one queue of events, taken in order of time and, at one time, of their making.</summary>
/// <remarks>Not thread-safe. Everything that happens is an event here, so a run is a function of its seed.</remarks>
internal sealed class SimWorld
{
    private const int LinesKept = 80;

    private readonly PriorityQueue<Action, (TimeSpan At, long Order)> _events = new(new InOrder());
    private readonly Queue<string> _lines = new();
    private readonly List<string> _violations = [];
    private long _order;

    /// <summary>Virtual time since the run began.</summary>
    public TimeSpan Now { get; private set; }

    public long Steps { get; private set; }

    /// <summary>Digest of all that was traced, in order.</summary>
    public ulong TraceHash { get; private set; } = 14695981039346656037UL;

    /// <summary>Told of each line.</summary>
    public Action<string>? Traced { get; set; }

    public IReadOnlyList<string> Violations => _violations;

    /// <summary>The last steps, oldest first.</summary>
    public IReadOnlyCollection<string> LastLines => _lines;

    /// <summary>The lines before and at the first violation.</summary>
    public IReadOnlyList<string> LinesAtViolation { get; private set; } = [];

    public void After(TimeSpan delay, Action happens) => _events.Enqueue(happens, (Now + delay, _order++));

    public void Trace(string line)
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"{Now.TotalSeconds:F4} {line}");
        foreach (var c in text) Mix(c);
        Traced?.Invoke(text);
        if (_lines.Count == LinesKept) _lines.Dequeue();
        _lines.Enqueue(text);
    }

    public void Violated(string invariant, string what)
    {
        if (!SimInvariants.All.ContainsKey(invariant)) throw new ArgumentException($"There is no invariant '{invariant}'. Add it to {nameof(SimInvariants)}.", nameof(invariant));
        Trace($"VIOLATED {invariant}: {what}");
        if (_violations.Count == 0) LinesAtViolation = [.. _lines];
        if (_violations.Count < 20) _violations.Add(string.Create(CultureInfo.InvariantCulture, $"{invariant} at {Now.TotalSeconds:F3} s: {what}"));
    }

    /// <summary>Runs events until a time, or until something holds; returns whether it held.</summary>
    public bool RunUntil(TimeSpan end, Func<bool>? holds = null)
    {
        while (holds?.Invoke() != true)
        {
            if (!_events.TryPeek(out _, out var next) || next.At > end)
            {
                Now = end;
                return false;
            }
            var happens = _events.Dequeue();
            Now = next.At;
            Steps++;
            Mix((ulong)next.At.Ticks);
            happens();
        }
        return true;
    }

    private sealed class InOrder : IComparer<(TimeSpan At, long Order)>
    {
        public int Compare((TimeSpan At, long Order) x, (TimeSpan At, long Order) y) => x.At.Ticks != y.At.Ticks ? x.At.Ticks.CompareTo(y.At.Ticks) : x.Order.CompareTo(y.Order);
    }

    private void Mix(ulong value) => TraceHash = (TraceHash ^ value) * 1099511628211UL;
}
