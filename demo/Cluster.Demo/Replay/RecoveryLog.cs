using System.Diagnostics;

namespace ActorCluster.Demo.Replay;

/// <summary>How long commands took to be answered after a node was taken away.</summary>
/// <remarks>
/// Counted is each command that was unanswered at the moment of the fault or was sent within 10 s after it. Its time runs from the later
/// of sending and fault to its answer, reconnecting and sending again included: that is what a user waits. <c>max</c> is over all of these;
/// p50 and p99 over those that felt the fault, that is, took more than 250 ms or changed node, lest the untouched nodes' quick answers hide it.
/// Thread-safe.
/// </remarks>
internal sealed class RecoveryLog
{
    private static readonly TimeSpan s_counted = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_felt = TimeSpan.FromMilliseconds(250);

    private readonly Lock _lock = new();
    private readonly List<long> _faults = [];
    private readonly List<double> _felt = [];
    private double _max;

    /// <summary>A node is being taken away now.</summary>
    public void Fault(long timestamp)
    {
        lock (_lock) _faults.Add(timestamp);
    }

    /// <summary>A command was answered.</summary>
    /// <param name="sent">Timestamp of its sending.</param>
    /// <param name="answered">Timestamp of its answer.</param>
    /// <param name="moved">Whether its client changed node in between.</param>
    public void Answered(long sent, long answered, bool moved)
    {
        lock (_lock)
        {
            foreach (var fault in _faults)
            {
                if (answered < fault || (sent > fault && Stopwatch.GetElapsedTime(fault, sent) > s_counted)) continue;
                var wait = Stopwatch.GetElapsedTime(Math.Max(sent, fault), answered);
                _max = Math.Max(_max, wait.TotalMilliseconds);
                if (moved || wait > s_felt) _felt.Add(wait.TotalMilliseconds);
                return; // The first fault that it met is the one it waited for longest.
            }
        }
    }

    /// <summary>The longest wait, and the sorted waits that felt a fault, in milliseconds.</summary>
    public (double Max, IReadOnlyList<double> Felt) Waits()
    {
        lock (_lock)
        {
            var felt = new List<double>(_felt);
            felt.Sort();
            return (_max, felt);
        }
    }

    /// <summary>The value that a share of the sorted values does not exceed; 0 of none.</summary>
    public static double Quantile(IReadOnlyList<double> sorted, double share) =>
        sorted.Count == 0 ? 0 : sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Count) - 1, 0, sorted.Count - 1)];
}
