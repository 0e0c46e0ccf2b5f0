namespace ActorCluster.Demo.Checking;

/// <summary>A set of sequences as sorted ranges that do not touch.</summary>
internal sealed class SeqRanges
{
    private readonly List<(long From, long To)> _ranges = [];

    public IReadOnlyList<(long From, long To)> Ranges => _ranges;

    public long Max => _ranges.Count == 0 ? 0 : _ranges[^1].To;

    /// <summary>Adds a range.</summary>
    /// <returns>How many of its sequences were there already.</returns>
    public long Add(long from, long to)
    {
        if (_ranges.Count == 0 || from > Max + 1) // The way of almost every range.
        {
            _ranges.Add((from, to));
            return 0;
        }
        var overlap = CountIn(from, to);
        var first = FirstEndingAtOrAfter(from - 1);
        var last = first;
        while (last < _ranges.Count && _ranges[last].From <= to + 1)
        {
            (from, to) = (Math.Min(from, _ranges[last].From), Math.Max(to, _ranges[last].To));
            last++;
        }
        _ranges.RemoveRange(first, last - first);
        _ranges.Insert(first, (from, to));
        return overlap;
    }

    public bool Contains(long seq) => CountIn(seq, seq) == 1;

    /// <summary>The highest sequence of the set from <paramref name="from"/> to <paramref name="to"/>, 0 if there is none.</summary>
    public long LastIn(long from, long to)
    {
        var next = FirstEndingAtOrAfter(to);
        var last = next < _ranges.Count && _ranges[next].From <= to ? to
            : next > 0 ? _ranges[next - 1].To
            : 0;
        return last >= from ? last : 0;
    }

    /// <summary>How many sequences of the set lie from <paramref name="from"/> to <paramref name="to"/>.</summary>
    public long CountIn(long from, long to) => SumIn(from, to, static (f, t) => t - f + 1);

    /// <summary>Sums a measure over the parts of the set that lie from <paramref name="from"/> to <paramref name="to"/>.</summary>
    public long SumIn(long from, long to, Func<long, long, long> measure)
    {
        long sum = 0;
        for (var i = FirstEndingAtOrAfter(from); i < _ranges.Count && _ranges[i].From <= to; i++)
            sum += measure(Math.Max(from, _ranges[i].From), Math.Min(to, _ranges[i].To));
        return sum;
    }

    private int FirstEndingAtOrAfter(long seq)
    {
        var (low, high) = (0, _ranges.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_ranges[middle].To < seq) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}
