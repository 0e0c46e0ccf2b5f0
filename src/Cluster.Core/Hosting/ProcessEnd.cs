using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Hosting;

/// <summary>What ends the process, where tests are to live on.</summary>
internal sealed record ProcessExit(Action<int> Exit);

/// <summary>Ends a process whose host does not stop after its node has ended (protocol 3.6): code that hangs cannot be stopped otherwise, and what it does outside the store goes on beside the next owner.</summary>
/// <remarks>Thread-safe. It waits on a thread of its own: the pool may be what hangs.</remarks>
/// <param name="host">Tells when it has stopped.</param>
/// <param name="within">How long a host may take; zero for as long as it likes.</param>
/// <param name="log">Told before the end.</param>
/// <param name="exit">Ends the process with a code.</param>
internal sealed class ProcessEnd(IHostApplicationLifetime host, TimeSpan within, ILogger log, Action<int> exit)
{
    private int _armed;

    /// <summary>From now on the time counts, unless it does already.</summary>
    /// <returns>The thread that waits, if one begins to.</returns>
    public Thread? Arm(int code)
    {
        if (within <= TimeSpan.Zero || Interlocked.Exchange(ref _armed, 1) != 0) return null;
        var thread = new Thread(() =>
        {
            if (host.ApplicationStopped.WaitHandle.WaitOne(within)) return;
            log.HostDoesNotStop(code, within);
            exit(code);
        })
        { IsBackground = true, Name = "ActorCluster exit" };
        thread.Start();
        return thread;
    }
}
