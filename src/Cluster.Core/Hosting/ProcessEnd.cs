using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Hosting;

/// <summary>What ends the process, where tests are to live on.</summary>
internal sealed record ProcessExit(Action<int> Exit);

/// <summary>Ends a process whose node has ended and neither stops its host nor begins anew in time (protocol 3.6): code that hangs cannot be stopped otherwise, and what it does outside the store
/// goes on beside the next owner.</summary>
/// <remarks>Thread-safe. It waits on a thread of its own: the pool may be what hangs.</remarks>
/// <param name="host">Tells when it stops, which is somebody's doing who waits for it, and when it has.</param>
/// <param name="within">How long that may take; zero for as long as it likes.</param>
/// <param name="log">Told before the end, if it takes it within a second.</param>
/// <param name="exit">Ends the process with a code.</param>
internal sealed class ProcessEnd(IHostApplicationLifetime host, TimeSpan within, ILogger log, Action<int> exit)
{
    private readonly Lock _lock = new();
    private (Thread Waits, ManualResetEventSlim Called)? _armed;
    private volatile int _code;

    /// <summary>From now on the time counts, unless it does already, or the host is stopping by somebody else's wish; the latest code is the one that counts.</summary>
    /// <returns>The thread that waits, if one does.</returns>
    public Thread? Arm(int code)
    {
        lock (_lock)
        {
            _code = code;
            if (_armed is { } armed) return armed.Waits;
            if (within <= TimeSpan.Zero || host.ApplicationStopping.IsCancellationRequested) return null;
            var called = new ManualResetEventSlim();
            var waits = new Thread(() => Wait(called)) { IsBackground = true, Name = "ActorCluster exit" };
            _armed = (waits, called);
            waits.Start();
            return waits;
        }
    }

    /// <summary>The node lives again, or its host is gone.</summary>
    public void Disarm()
    {
        lock (_lock)
        {
            _armed?.Called.Set();
            _armed = null;
        }
    }

    private void Wait(ManualResetEventSlim disarmed)
    {
        if (WaitHandle.WaitAny([disarmed.WaitHandle, host.ApplicationStopped.WaitHandle], within) != WaitHandle.WaitTimeout) return;
        var tells = new Thread(() => log.HostDoesNotStop(_code, within)) { IsBackground = true };
        tells.Start();
        tells.Join(TimeSpan.FromSeconds(1));
        if (!disarmed.IsSet) exit(_code);
    }
}
