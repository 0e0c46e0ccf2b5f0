using System.Diagnostics;

namespace ActorCluster.Bench;

/// <summary>Callers that each do one thing after the other until the window closes.</summary>
internal sealed class Callers
{
    private readonly long[] _counts;
    private readonly Latencies[]? _latencies;

    private Callers(int callers, bool timed)
    {
        _counts = new long[callers * 16]; // A cache line each.
        _latencies = timed ? [.. Enumerable.Range(0, callers).Select(_ => new Latencies())] : null;
    }

    public long Total => Counts.Sum();

    /// <summary>What the slowest caller got of an even share, 0 to 1.</summary>
    public double SlowestShare => Total == 0 ? 0 : Counts.Min() * (double)Counts.Count() / Total;

    private IEnumerable<long> Counts => _counts.Where((_, i) => i % 16 == 0);

    /// <summary>Microseconds that the given share of operations stayed below; 0 where they were not timed.</summary>
    public double Percentile(double share) => _latencies is null ? 0 : Latencies.Percentile(_latencies, share);

    /// <summary>Runs the callers for a while.</summary>
    /// <param name="callers">How many.</param>
    /// <param name="seconds">How long.</param>
    /// <param name="timed">Measure each operation; costs two readings of the clock.</param>
    /// <param name="others">Other processes that work in the window.</param>
    /// <param name="operation">One operation of a caller: its number, and how many it has done. Not an async method, whose own state would be counted in.</param>
    public static async Task<(Window Window, Callers Callers)> RunAsync(int callers, double seconds, bool timed, int[] others, Func<int, long, ValueTask<int>> operation)
    {
        var all = new Callers(callers, timed);
        var close = Window.Open(others);
        var until = Stopwatch.GetTimestamp() + (long)(seconds * Stopwatch.Frequency);
        var open = new Gate();
        var running = Enumerable.Range(0, callers).Select(caller => Task.Run(() => all.LoopAsync(caller, open, operation))).ToArray();
        await Task.Delay(Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), until)).ConfigureAwait(false);
        open.IsOpen = false;
        var window = close(all.Total);
        await Task.WhenAll(running).ConfigureAwait(false);
        return (window, all);
    }

    private async Task LoopAsync(int caller, Gate open, Func<int, long, ValueTask<int>> operation)
    {
        for (var done = 0L; open.IsOpen; done++)
        {
            if (_latencies is null)
            {
                await operation(caller, done).ConfigureAwait(false);
            }
            else
            {
                var started = Stopwatch.GetTimestamp();
                await operation(caller, done).ConfigureAwait(false);
                _latencies[caller].Add(Stopwatch.GetTimestamp() - started);
            }
            Volatile.Write(ref _counts[caller * 16], done + 1);
        }
    }

    private sealed class Gate
    {
        public volatile bool IsOpen = true;
    }
}
