using System.Diagnostics;
using System.Globalization;

namespace ActorCluster.Demo.Replay;

/// <summary>A command of the replay, in words.</summary>
/// <param name="User">Whose.</param>
/// <param name="Verb">What was asked for.</param>
/// <param name="Room">Where.</param>
internal readonly record struct ReplayCommand(string User, string Verb, string Room);

/// <summary>How long commands took to be answered: all of them, and those after a node was taken away or came back.</summary>
/// <remarks>
/// Recovery counts each command that was unanswered at the moment of the fault or was sent within 10 s after it. Its time runs from the later
/// of sending and fault to its answer, reconnecting and sending again included: that is what a user waits. <c>max</c> is over all of these;
/// p50 and p99 over those that felt the fault, that is, took more than 250 ms or changed node, lest the untouched nodes' quick answers hide it.
/// The longest wait is over every command, from sending to answer. Thread-safe.
/// </remarks>
internal sealed class RecoveryLog
{
    /// <summary>The bar: a command may wait so long for its answer.</summary>
    public static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_counted = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_felt = TimeSpan.FromMilliseconds(250);

    private readonly Lock _lock = new();
    private readonly List<long> _faults = [];
    private readonly List<double> _felt = [];
    private double _max;
    private LongestWait _longest = new(0, 0, "");

    /// <summary>The longest wait of all commands.</summary>
    public LongestWait Longest
    {
        get
        {
            lock (_lock) return _longest;
        }
    }

    /// <summary>A node is being taken away, is being started, or takes its share again: now.</summary>
    public void Fault(long timestamp)
    {
        lock (_lock) _faults.Add(timestamp);
    }

    /// <summary>A command was answered.</summary>
    /// <param name="sent">Timestamp of its sending.</param>
    /// <param name="answered">Timestamp of its answer.</param>
    /// <param name="moved">Whether its client changed node in between.</param>
    /// <param name="command">What it was.</param>
    public void Answered(long sent, long answered, bool moved, ReplayCommand command)
    {
        var whole = Stopwatch.GetElapsedTime(sent, answered);
        lock (_lock)
        {
            if (whole > WaitMax) _longest = _longest with { AboveBar = _longest.AboveBar + 1 };
            if (whole.TotalMilliseconds > _longest.Ms) _longest = _longest with { Ms = whole.TotalMilliseconds, What = InWords(command, whole) };
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

    // By the clock of the nodes' logs, where one looks next; a command is told of as soon as it is answered.
    private static string InWords(ReplayCommand command, TimeSpan wait) => string.Create(
        CultureInfo.InvariantCulture,
        $"{command.Verb} of {command.User} in {command.Room}, sent at {DateTimeOffset.UtcNow - wait:HH:mm:ss.fff} UTC");

    /// <summary>The value that a share of the sorted values does not exceed; 0 of none.</summary>
    public static double Quantile(IReadOnlyList<double> sorted, double share) =>
        sorted.Count == 0 ? 0 : sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Count) - 1, 0, sorted.Count - 1)];
}

/// <summary>The longest wait of a run.</summary>
/// <param name="Ms">From sending to answer, in milliseconds.</param>
/// <param name="AboveBar">How many commands waited longer than <see cref="RecoveryLog.WaitMax"/>.</param>
/// <param name="What">Which command waited longest; empty if none was answered.</param>
internal readonly record struct LongestWait(double Ms, int AboveBar, string What);
