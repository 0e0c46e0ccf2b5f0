using System.Globalization;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>What a run says of itself in its folder, so that the next one can clean up after it: its processes by id and start time.</summary>
internal sealed class Marker
{
    private const string Prefix = "actorcluster-nemesis-";
    private const string FileName = "running";
    private readonly string _file;

    private Marker(string folder) => (Folder, _file) = (folder, Path.Combine(folder, FileName));

    public string Folder { get; }

    /// <summary>Makes a folder and marks it as this process's.</summary>
    public static Marker Place()
    {
        var marker = new Marker(Directory.CreateTempSubdirectory(Prefix).FullName);
        marker.Note(Environment.ProcessId);
        return marker;
    }

    /// <summary>Ends the processes and removes the folders of runs that could not do it themselves.</summary>
    public static void RemoveLeftovers()
    {
        foreach (var folder in Directory.GetDirectories(Path.GetTempPath(), Prefix + "*"))
        {
            var file = Path.Combine(folder, FileName);
            if (!File.Exists(file)) continue; // Kept for somebody to read.
            var processes = File.ReadAllLines(file);
            if (processes.Length == 0 || IsAlive(processes[0])) continue;
            foreach (var process in processes)
                if (IsAlive(process)) End(int.Parse(process.Split(' ')[0], CultureInfo.InvariantCulture));
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>A process that must not outlive this run.</summary>
    public void Note(int process) => File.AppendAllText(_file, string.Create(CultureInfo.InvariantCulture, $"{process} {StartOf(process)}\n"));

    /// <summary>All has ended: what is left of the folder is for who looks into the run.</summary>
    public void Remove() => File.Delete(_file);

    private static void End(int process)
    {
        try
        {
            using var leftover = System.Diagnostics.Process.GetProcessById(process);
            leftover.Kill();
            leftover.WaitForExit(TimeSpan.FromSeconds(10));
        }
        catch (ArgumentException)
        {
            // It ended by itself.
        }
    }

    private static bool IsAlive(string line) => line.Split(' ') is [var id, var start] && int.TryParse(id, CultureInfo.InvariantCulture, out var process) && StartOf(process) == start;

    // An id alone may be another process's by now.
    private static string StartOf(int process)
    {
        try
        {
            return File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/stat")).Split(") ")[^1].Split(' ')[19];
        }
        catch (IOException)
        {
            return "gone";
        }
    }
}
