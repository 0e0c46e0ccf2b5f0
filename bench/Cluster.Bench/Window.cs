using System.Diagnostics;
using System.Globalization;

namespace ActorCluster.Bench;

/// <summary>What one timed window took: operations, time, processor time of the processes that worked in it, and what the hypervisor took away.</summary>
/// <param name="Operations">How many ended in it.</param>
/// <param name="Seconds">Wall time.</param>
/// <param name="CpuSeconds">Of all processes named.</param>
/// <param name="Steal">Share of all cores taken away, 0 to 1.</param>
internal sealed record Window(double Operations, double Seconds, double CpuSeconds, double Steal)
{
    public double Rate => Operations / Seconds;

    public double CpuUsPerOp => CpuSeconds * 1e6 / Math.Max(1, Operations);

    /// <summary>Starts the clocks.</summary>
    /// <param name="others">Other processes that work in the window.</param>
    public static Func<double, Window> Open(params int[] others)
    {
        var (started, cpu, (stolen, all)) = (Stopwatch.GetTimestamp(), Cpu(others), Machine());
        return operations =>
        {
            var (stolenNow, allNow) = Machine();
            return new Window(operations, Stopwatch.GetElapsedTime(started).TotalSeconds, Cpu(others) - cpu, allNow == all ? 0 : (stolenNow - stolen) / (double)(allNow - all));
        };
    }

    /// <summary>The middle one; of an even number the lower of the two.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0 ? 0 : sorted[(sorted.Count - 1) / 2];
    }

    private static double Cpu(int[] others) => Environment.CpuUsage.TotalTime.TotalSeconds + others.Sum(OfProcess);

    private static double OfProcess(int process)
    {
        try
        {
            // Fields 14 and 15 of proc(5): user and system time in clock ticks, a hundred a second on Linux; the name before them may hold anything.
            var fields = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/stat")).Split(") ")[^1].Split(' ');
            return (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) / 100.0;
        }
        catch (IOException)
        {
            return 0; // It has ended.
        }
    }

    private static (long Stolen, long All) Machine()
    {
        if (!File.Exists("/proc/stat")) return (0, 0);
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8).Select(f => long.Parse(f, CultureInfo.InvariantCulture)).ToArray();
        return (fields[7], fields.Sum());
    }
}
