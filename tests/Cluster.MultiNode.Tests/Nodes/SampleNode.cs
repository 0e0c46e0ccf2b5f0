using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using ActorCluster.Demo.Nodes;

namespace ActorCluster.MultiNode.Tests.Nodes;

/// <summary>A node of the sample server as a process, over all of its lives.</summary>
/// <param name="name">Its name in the cluster.</param>
/// <param name="clients">Where clients reach it.</param>
/// <param name="linkPort">Its port for other nodes.</param>
/// <param name="log">File that takes what it prints.</param>
/// <param name="arguments">Of the server.</param>
/// <param name="within">A command that starts it somewhere else, such as in a network namespace; null: none.</param>
internal sealed class SampleNode(string name, Uri clients, int linkPort, string log, IReadOnlyList<string> arguments, IReadOnlyList<string>? within = null) : IAsyncDisposable
{
    private const int SigCont = 18;
    private const int SigStop = 19;
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(2) };
    private NodeProcess? _process;

    /// <summary>The built server, beside the tests.</summary>
    public static string Assembly => Path.Combine(AppContext.BaseDirectory, "Cluster.Sample.dll");

    public string Name => name;

    public int LinkPort => linkPort;

    public Uri Clients => clients;

    public NodeProcess Process => _process ?? throw new InvalidOperationException($"{name} was not started.");

    /// <summary>A command that the next start goes through, such as one that shifts its clock.</summary>
    public IReadOnlyList<string> Before { get; set; } = [];

    public string Log => Read(log);

    /// <summary>Complete lines of the log.</summary>
    public string[] Lines => Log.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public async Task StartAsync()
    {
        if (_process is { } old) await old.DisposeAsync();
        string[] command = [.. within ?? [], .. Before, "dotnet", Assembly, .. arguments];
        _process = NodeProcess.Start(command[0], command[1..], log);
    }

    /// <summary>Waits until clients may be sent to it.</summary>
    public Task<TimeSpan> ReadyAsync(TimeSpan limit) =>
        Await.UntilAsync($"{name} is ready", limit, async () => Process.HasExited ? throw new InvalidOperationException($"{name} exited with code {Process.ExitCode}: {Tail()}") : await IsReadyAsync(), DescribeAsync);

    public async Task<bool> IsReadyAsync()
    {
        try
        {
            using var answer = await Http.GetAsync(new Uri(clients, "/health/ready"));
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (Exception cause) when (IsNoAnswer(cause))
        {
            return false;
        }
    }

    /// <summary>What the node says of itself; null while it does not answer.</summary>
    public async Task<JsonElement?> StatusAsync()
    {
        try
        {
            using var status = JsonDocument.Parse(await Http.GetStringAsync(new Uri(clients, "/cluster/status")));
            return status.RootElement.Clone();
        }
        catch (Exception cause) when (IsNoAnswer(cause))
        {
            return null;
        }
    }

    /// <summary>Names of the members that this node sees up, sorted.</summary>
    public async Task<string> MembersUpAsync() => await StatusAsync() is { } status
        ? string.Join(' ', status.GetProperty("members").EnumerateArray().Where(m => m.GetProperty("status").GetString() == "up").Select(m => m.GetProperty("name").GetString()).Order())
        : "";

    public async Task<long> IncarnationAsync() => await StatusAsync() is { } status ? status.GetProperty("incarnation").GetInt64() : 0;

    /// <remarks>A connection that ends just as it was made comes out of the client as the socket's own exception.</remarks>
    private static bool IsNoAnswer(Exception cause) => cause is HttpRequestException or TaskCanceledException or SocketException;

    public async Task<string> DescribeAsync()
    {
        var ready = "no answer";
        try { ready = await Http.GetStringAsync(new Uri(clients, "/cluster/status")); }
        catch (Exception cause) when (IsNoAnswer(cause)) { ready = cause.Message; }
        return $"{name}: {ready} Log: {Tail()}";
    }

    /// <summary>Waits for the process to end by itself.</summary>
    public async Task<int> ExitAsync(TimeSpan limit) =>
        await Process.WaitAsync(limit) is { } code ? code : throw new TimeoutException($"{name} was expected to exit within {limit.TotalSeconds} s. {await DescribeAsync()}");

    /// <summary>SIGTERM; returns the exit code.</summary>
    public async Task<int?> StopAsync() => await Process.StopAsync(TimeSpan.FromSeconds(60));

    public Task KillAsync() => Process.KillAsync();

    /// <summary>SIGSTOP; returns when the kernel has stopped it. Where in its work, nobody knows: see <see cref="SampleCluster.PauseAsync"/>.</summary>
    public Task PauseAsync()
    {
        Process.Signal(SigStop);
        var state = string.Create(CultureInfo.InvariantCulture, $"/proc/{Process.Id}/stat");
        return Await.UntilAsync($"{name} is stopped", TimeSpan.FromSeconds(5), () => Task.FromResult(File.ReadAllText(state).Split(") ")[^1][0] == 'T'), () => Task.FromResult(File.ReadAllText(state)));
    }

    public void Resume() => Process.Signal(SigCont);

    /// <summary>Threads and open files of the process, by the kernel's count.</summary>
    public (int Threads, int Files) Holdings()
    {
        var process = string.Create(CultureInfo.InvariantCulture, $"/proc/{Process.Id}");
        return (Directory.GetDirectories(process + "/task").Length, Directory.GetFileSystemEntries(process + "/fd").Length);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { } process) await process.DisposeAsync();
    }

    private string Tail() => string.Join(" | ", Lines.TakeLast(15));

    private static string Read(string path)
    {
        if (!File.Exists(path)) return "";
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }
}
