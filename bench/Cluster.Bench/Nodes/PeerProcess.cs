using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using ActorCluster.Bench.Yardsticks;

namespace ActorCluster.Bench.Nodes;

/// <summary>Another node: a process of its own, of this very program, with the yardstick's echo beside it.</summary>
internal sealed class PeerProcess : IAsyncDisposable
{
    public const string Command = "--serve";

    private readonly Process _process;

    private PeerProcess(Process process, int echoPort) => (_process, Echo) = (process, new IPEndPoint(IPAddress.Loopback, echoPort));

    public int Id => _process.Id;

    /// <summary>Where the raw echo listens.</summary>
    public IPEndPoint Echo { get; }

    /// <summary>What happened in the node's life, if it tells of it.</summary>
    public ConcurrentQueue<Step> Steps { get; } = new();

    /// <summary>Starts it; it has joined when this returns.</summary>
    /// <param name="folder">Of the cluster.</param>
    /// <param name="name">Of the node.</param>
    /// <param name="hosts">What it hosts beside counters; then it tells its steps.</param>
    public static async Task<PeerProcess> StartAsync(string folder, string name, Hosted? hosts = null)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardInput = true };
        foreach (var argument in new[] { typeof(PeerProcess).Assembly.Location, Command, folder, name }) start.ArgumentList.Add(argument);
        if (hosts is not null) start.ArgumentList.Add(hosts.ToLine());
        var process = Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start.");
        string? line;
        do line = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60)).ConfigureAwait(false);
        while (line is not null && Step.FromLine(line) is not null);
        if (line?.StartsWith("ready ", StringComparison.Ordinal) != true) throw new InvalidOperationException($"The other node said '{line}' instead of being ready.");
        var peer = new PeerProcess(process, int.Parse(line[6..], CultureInfo.InvariantCulture));
        _ = peer.ReadStepsAsync();
        return peer;
    }

    /// <summary>What the other process does: serves until its standard input ends.</summary>
    public static async Task ServeAsync(string folder, string name, string[] more)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        new Thread(() => RawEcho.Serve(listener)) { IsBackground = true }.Start();
        var hosts = more is [var line] ? Hosted.FromLine(line) : null;
        Action<Step> tell = step => Console.WriteLine(step.ToLine());
        if (hosts is { TellsOfLoads: true }) Ledger.Tell = tell;
        await using var node = await (hosts is null ? BenchNode.StartAsync(folder, name) : BenchNode.StartAsync(folder, name, hosts.SetUp, new StepLog(tell))).ConfigureAwait(false);
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

    private async Task ReadStepsAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync().ConfigureAwait(false) is { } line)
            if (Step.FromLine(line) is { } step) Steps.Enqueue(step);
    }
}
