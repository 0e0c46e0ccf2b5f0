using System.Diagnostics;
using ActorCluster.Demo.Histories;

namespace ActorCluster.Demo.Replay;

/// <summary>Makes the client of a user: number of the user, name, and the history that its deliveries go to.</summary>
internal delegate IChatClient ChatClientFactory(int number, string user, ClientHistory history);

/// <summary>What all users of one replay share: the window of outstanding events, the histories, and counts for the progress line.</summary>
internal sealed class ReplayState(ChatClientFactory clients, CancellationToken stopping)
{
    /// <summary>Events that may be under way at once, over all users.</summary>
    public const int WindowEvents = 512;

    private const int ErrorsMax = 20;

    private readonly Lock _lock = new();
    private readonly List<ClientHistory> _histories = [];
    private readonly HashSet<IChatClient> _open = [];
    private readonly List<string> _errors = [];
    private readonly SemaphoreSlim _window = new(WindowEvents);
    private long _messages;
    private int _issued;
    private int _done;
    private int _answered;
    private int _connected;
    private int _impliedJoins;
    private int _ignored;
    private int _clientErrors;
    private int _failedOver;

    public ObservedRows Observed { get; } = new(TimeProvider.System);
    public RecoveryLog Recovery { get; } = new();
    public CancellationToken Stopping => stopping;

    public int Issued => Volatile.Read(ref _issued);
    public int Done => Volatile.Read(ref _done);

    /// <summary>Commands answered with ok.</summary>
    public int Answered => Volatile.Read(ref _answered);
    public int Connected => Volatile.Read(ref _connected);
    public int ImpliedJoins => Volatile.Read(ref _impliedJoins);

    /// <summary>Parts and quits of users who were not there.</summary>
    public int Ignored => Volatile.Read(ref _ignored);

    /// <summary>Commands and connects that ended with a final error.</summary>
    public int ClientErrors => Volatile.Read(ref _clientErrors);

    /// <summary>Clients that changed node, once they are closed.</summary>
    public int FailedOver => Volatile.Read(ref _failedOver);

    public IReadOnlyList<ClientHistory> Histories
    {
        get
        {
            lock (_lock) return [.. _histories];
        }
    }

    public IReadOnlyList<string> Errors
    {
        get
        {
            lock (_lock) return [.. _errors];
        }
    }

    /// <summary>Waits until an event may start.</summary>
    public async Task BeginEventAsync()
    {
        await _window.WaitAsync(stopping).ConfigureAwait(false);
        Interlocked.Increment(ref _issued);
    }

    /// <summary>An event has run its course.</summary>
    public void EndEvent()
    {
        Interlocked.Increment(ref _done);
        _window.Release();
    }

    public (IChatClient Client, ClientHistory History) NewClient(int number, string user)
    {
        var history = new ClientHistory(user, Observed);
        var client = clients(number, user, history);
        lock (_lock)
        {
            _histories.Add(history);
            _open.Add(client);
        }
        Interlocked.Increment(ref _connected);
        return (client, history);
    }

    /// <summary>How many clients a node was the last to welcome.</summary>
    public int ConnectedTo(string node)
    {
        lock (_lock) return _open.Count(client => client.Node == node);
    }

    public void ClientClosed(IChatClient client)
    {
        lock (_lock) _open.Remove(client);
        Interlocked.Decrement(ref _connected);
        if (client.MovedNode) Interlocked.Increment(ref _failedOver);
    }

    public long NextMessageNumber() => Interlocked.Increment(ref _messages);
    public void CountImpliedJoin() => Interlocked.Increment(ref _impliedJoins);
    public void CountIgnored() => Interlocked.Increment(ref _ignored);

    public void CountAnswer(long sent, bool moved, ReplayCommand command)
    {
        Interlocked.Increment(ref _answered);
        Recovery.Answered(sent, Stopwatch.GetTimestamp(), moved, command);
    }

    public void CountError(string what, Exception error)
    {
        Interlocked.Increment(ref _clientErrors);
        lock (_lock)
            if (_errors.Count < ErrorsMax) _errors.Add($"{what}: {error.GetType().Name}: {error.Message}");
    }
}
