using System.Globalization;

namespace ActorCluster.Bench.Nodes;

/// <summary>CPU time of this process and of all that it started, the nodes and the database server.</summary>
/// <remarks>Read from <c>/proc</c>, in ticks of 10 ms. A process that ends between two reads takes its time with it.</remarks>
/// <param name="port">The port of the server, which nobody is the parent of; null for none.</param>
internal sealed class CpuClock(string? port)
{
    /// <summary>Processor seconds by process id, user and system time together.</summary>
    public Dictionary<int, double> Read()
    {
        var all = new Dictionary<int, (int Parent, double Seconds)>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id)) continue;
            try
            {
                var stat = File.ReadAllText(Path.Combine(folder, "stat"));
                var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' '); // The name before may hold spaces.
                all[id] = (int.Parse(fields[1], CultureInfo.InvariantCulture), (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) / 100.0);
            }
            catch (IOException)
            {
                // It ended meanwhile.
            }
        }
        return all.Where(p => IsOurs(p.Key)).ToDictionary(p => p.Key, p => p.Value.Seconds);

        bool IsOurs(int id)
        {
            for (; all.TryGetValue(id, out var of); id = of.Parent)
                if (id == Environment.ProcessId || (of.Parent == 1 && IsServer(id))) return true;
            return false;
        }
    }

    /// <summary>Seconds that were spent since, by processes that are still there.</summary>
    public double Since(Dictionary<int, double> before) => Read().Sum(now => now.Value - before.GetValueOrDefault(now.Key));

    private bool IsServer(int id)
    {
        if (port is null) return false;
        try { return File.ReadAllText($"/proc/{id}/cmdline").Contains($"-p\0{port}\0", StringComparison.Ordinal); }
        catch (IOException) { return false; }
    }
}
