using System.Diagnostics;
using System.Runtime.InteropServices;

namespace ActorCluster.Demo.Nodes;

/// <summary>Where one node listens and what it is called; kept over its restarts.</summary>
/// <param name="Name">Name in the cluster.</param>
/// <param name="ClientPort">Loopback port for clients.</param>
/// <param name="LinkPort">Loopback port for the other nodes.</param>
internal sealed record NodeAddress(string Name, int ClientPort, int LinkPort)
{
    public Uri Clients { get; } = new($"http://127.0.0.1:{ClientPort}");
}

/// <summary>One life of one node: a child process, its output in a file.</summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    private const int SigTerm = 15;

    private readonly Process _process;
    private readonly Task _log;
    private bool _ended;

    private NodeProcess(Process process, Task log) => (_process, _log) = (process, log);

    public bool HasExited => _process.HasExited;

    public int Id => _process.Id;

    /// <summary>Its exit code; only once it has exited.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>Starts a program of .NET.</summary>
    /// <param name="arguments">Arguments of <c>dotnet</c>.</param>
    /// <param name="logFile">Takes what it prints, behind what is there.</param>
    /// <exception cref="CouldNotRunException">There is no such program.</exception>
    public static NodeProcess Start(IEnumerable<string> arguments, string logFile) => Start("dotnet", arguments, logFile);

    /// <summary>Starts a program.</summary>
    /// <param name="program">Its name on the path.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="logFile">Takes what it prints, behind what is there.</param>
    /// <exception cref="CouldNotRunException">There is no such program.</exception>
    public static NodeProcess Start(string program, IEnumerable<string> arguments, string logFile)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        try
        {
            var process = Process.Start(start) ?? throw new CouldNotRunException($"{program} did not start; install it.");
            return new(process, CopyAsync(process, logFile));
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new CouldNotRunException($"{program} cannot be started: {e.Message}. Install it.");
        }
    }

    /// <summary>SIGKILL: the process gets no chance to do anything. Returns when it is gone.</summary>
    public async Task KillAsync()
    {
        _ended = true;
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync().ConfigureAwait(false);
        await _log.ConfigureAwait(false);
    }

    /// <summary>Sends a signal, such as SIGSTOP; harmless once the process has ended.</summary>
    public void Signal(int signal)
    {
        if (!_process.HasExited && SendSignal(_process.Id, signal) != 0 && !_process.HasExited)
            throw new InvalidOperationException($"Signal {signal} to {_process.Id} failed with error {Marshal.GetLastPInvokeError()}.");
    }

    /// <summary>Waits for the process to end by itself.</summary>
    /// <returns>Its exit code; null if it still runs after <paramref name="limit"/>.</returns>
    public async Task<int?> WaitAsync(TimeSpan limit)
    {
        try
        {
            await _process.WaitForExitAsync().WaitAsync(limit).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return null;
        }
        await _log.ConfigureAwait(false);
        return _process.ExitCode;
    }

    /// <summary>SIGTERM: the process is asked to stop in an orderly way.</summary>
    /// <returns>Its exit code; null if it did not stop within <paramref name="limit"/> and was killed.</returns>
    public async Task<int?> StopAsync(TimeSpan limit)
    {
        _ended = true;
        // The child is not reaped before WaitForExit has seen its end, so the id cannot be another process's by now.
        Signal(SigTerm);
        if (await WaitAsync(limit).ConfigureAwait(false) is { } code) return code;
        await KillAsync().ConfigureAwait(false);
        return null;
    }

    /// <summary>Kills the process if nothing else has ended it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_ended || !_process.HasExited) await KillAsync().ConfigureAwait(false);
        _process.Dispose();
    }

    private static async Task CopyAsync(Process process, string logFile)
    {
        var file = new FileStream(logFile, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
        await using (file.ConfigureAwait(false))
        {
            var writing = new SemaphoreSlim(1);
            await Task.WhenAll(CopyAsync(process.StandardOutput.BaseStream), CopyAsync(process.StandardError.BaseStream)).ConfigureAwait(false);

            async Task CopyAsync(Stream from)
            {
                var (buffer, held, count) = (new byte[8_192], 0, 0);
                do
                {
                    if (held == buffer.Length) Array.Resize(ref buffer, 2 * buffer.Length);
                    count = await from.ReadAsync(buffer.AsMemory(held)).ConfigureAwait(false);
                    held += count;
                    // Whole lines only, or what is printed to the other stream would tear them.
                    var whole = count == 0 ? held : buffer.AsSpan(0, held).LastIndexOf((byte)'\n') + 1;
                    if (whole == 0) continue;
                    await writing.WaitAsync().ConfigureAwait(false);
                    await file.WriteAsync(buffer.AsMemory(0, whole)).ConfigureAwait(false);
                    await file.FlushAsync().ConfigureAwait(false); // Someone may be reading along.
                    writing.Release();
                    buffer.AsSpan(whole, held - whole).CopyTo(buffer);
                    held -= whole;
                }
                while (count > 0);
            }
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int SendSignal(int process, int signal);
}
