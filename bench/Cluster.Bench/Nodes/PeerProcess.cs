using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using ActorCluster.Bench.Yardsticks;

namespace ActorCluster.Bench.Nodes;

/// <summary>The other node: a process of its own, of this very program, with the yardstick's echo beside it.</summary>
internal sealed class PeerProcess : IAsyncDisposable
{
    public const string Command = "--serve";

    private readonly Process _process;

    private PeerProcess(Process process, int echoPort) => (_process, Echo) = (process, new IPEndPoint(IPAddress.Loopback, echoPort));

    public int Id => _process.Id;

    /// <summary>Where the raw echo listens.</summary>
    public IPEndPoint Echo { get; }

    /// <summary>Starts it; it has joined when this returns.</summary>
    public static async Task<PeerProcess> StartAsync(string folder, string name)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardInput = true };
        foreach (var argument in new[] { typeof(PeerProcess).Assembly.Location, Command, folder, name }) start.ArgumentList.Add(argument);
        var process = Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start.");
        var line = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60)).ConfigureAwait(false);
        return line is not null && line.StartsWith("ready ", StringComparison.Ordinal)
            ? new PeerProcess(process, int.Parse(line[6..], CultureInfo.InvariantCulture))
            : throw new InvalidOperationException($"The other node said '{line}' instead of being ready.");
    }

    /// <summary>What the other process does: serves until its standard input ends.</summary>
    public static async Task ServeAsync(string folder, string name)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        new Thread(() => RawEcho.Serve(listener)) { IsBackground = true }.Start();
        await using var node = await BenchNode.StartAsync(folder, name).ConfigureAwait(false);
        Console.WriteLine($"ready {((IPEndPoint)listener.LocalEndPoint!).Port}");
        await Console.In.ReadToEndAsync().ConfigureAwait(false);
    }

    /// <summary>SIGKILL.</summary>
    public void Kill() => _process.Kill();

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.StandardInput.Close();
        try { await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(40)).ConfigureAwait(false); }
        catch (TimeoutException) { _process.Kill(); }
        _process.Dispose();
    }
}
