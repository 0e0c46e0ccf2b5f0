using System.Globalization;
using System.Runtime.InteropServices;
using ActorCluster.Demo;
using ActorCluster.Demo.Input;

const int Clean = 0;
const int NotClean = 1;
const int CouldNotRun = 2;

using var stop = new CancellationTokenSource();
// Both end through the same way out, so that no node process outlives the demo.
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
try
{
    var options = DemoOptions.Parse(args);
    if (options.Help)
    {
        Console.WriteLine(DemoOptions.Usage);
        return Clean;
    }
    return await RunAsync(options, stop.Token).ConfigureAwait(false);
}
catch (CouldNotRunException e)
{
    await Console.Error.WriteLineAsync($"demo: {e.Message}").ConfigureAwait(false);
    return CouldNotRun;
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    await Console.Error.WriteLineAsync("demo: interrupted; the nodes were stopped.").ConfigureAwait(false);
    return CouldNotRun;
}

void Stop(PosixSignalContext signal)
{
    signal.Cancel = true;
    stop.Cancel();
}

static async Task<int> RunAsync(DemoOptions options, CancellationToken stopping)
{
    var windows = Windows(options);
    var results = new List<WindowResult>(windows.Count);
    var root = Directory.CreateTempSubdirectory("actorcluster-demo-").FullName;
    var keep = true; // Until all is known to be clean.
    try
    {
        for (var i = 0; i < windows.Count; i++)
        {
            if (windows.Count > 1)
                await Console.Error.WriteLineAsync($"Window {i + 1} of {windows.Count}: {windows[i].Count} events from {windows[i].First}").ConfigureAwait(false);
            // A folder and nodes of its own: no window can hide or cause another one's faults.
            var data = Directory.CreateDirectory(Path.Combine(root, string.Create(CultureInfo.InvariantCulture, $"window{i + 1}"))).FullName;
            var victim = options.Kill == 0 ? 0 : (options.Kill - 1 + i) % options.Nodes + 1;
            results.Add(await new WindowRun(options, windows[i], victim, data, Console.Error).RunAsync(stopping).ConfigureAwait(false));
            if (results[i].Clean && !options.Keep) Directory.Delete(data, recursive: true);
        }
        var report = new Report(results);
        await (options.Json ? Console.Error : Console.Out).WriteLineAsync(report.Text()).ConfigureAwait(false);
        if (options.Json) await Console.Out.WriteLineAsync(report.Json()).ConfigureAwait(false);
        keep = options.Keep || !report.Clean;
        return report.Clean ? Clean : NotClean;
    }
    finally
    {
        if (keep) await Console.Error.WriteLineAsync($"Store and logs are kept in {root}").ConfigureAwait(false);
        else Directory.Delete(root, recursive: true);
    }
}

static IReadOnlyList<ChatWindow> Windows(DemoOptions options)
{
    if (options.Input is { } input) return ChatWindow.Spread(ChatFile.Read(input), options.Skip, options.Events, options.Windows);
    var lines = TrafficGenerator.Warmup + (long)options.Skip + (long)options.Events * options.Windows;
    if (lines > 10_000_000)
        throw new CouldNotRunException($"--skip, --events and --windows ask for {lines} generated lines; the most is 10000000.");
    Console.Error.WriteLine($"No --input: the traffic is generated in the shape of a real network's chat, seed {options.Seed}.");
    return ChatWindow.Spread(
        TrafficGenerator.Generate(options.Seed, (int)lines), TrafficGenerator.Warmup + options.Skip, options.Events, options.Windows);
}
