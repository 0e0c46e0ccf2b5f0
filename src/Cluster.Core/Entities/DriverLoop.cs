namespace ActorCluster.Entities;

/// <summary>The loop of a driver: takes one step after the other, sleeps when a step says so, and is woken when there is work.</summary>
/// <remarks>Thread-safe, but for <see cref="IdleAsync"/>, which a step calls.</remarks>
internal sealed class DriverLoop : IAsyncDisposable
{
    private readonly Func<DriverLoop, Task> _step;
    private readonly Action<Exception> _failed;
    private readonly SemaphoreSlim _work = new(0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;
    private int _isToldOf;

    /// <param name="step">Does what is to be done now.</param>
    /// <param name="failed">A step threw, and none follows: whoever needs the loop must not look as if it ran.</param>
    public DriverLoop(Func<DriverLoop, Task> step, Action<Exception> failed)
    {
        (_step, _failed) = (step, failed);
        _loop = Task.Run(RunAsync);
    }

    /// <summary>The loop ends after this step.</summary>
    public bool IsStopping => _stopping.IsCancellationRequested;

    /// <summary>There is work: the step under way, or the next one, does not sleep.</summary>
    public void Wake()
    {
        if (Interlocked.Exchange(ref _isToldOf, 1) != 0) return;
        try { _work.Release(); }
        catch (ObjectDisposedException) { } // The life ends.
    }

    /// <summary>Sleeps until it is woken, for so long, or until the end.</summary>
    public Task IdleAsync(TimeSpan limit) => _work.WaitAsync(limit, _stopping.Token);

    /// <summary>Ends after the step that is under way.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _work.Dispose();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            while (!_stopping.IsCancellationRequested)
            {
                Interlocked.Exchange(ref _isToldOf, 0);
                await _step(this).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
        }
        catch (Exception cause)
        {
            _failed(cause);
        }
    }
}
