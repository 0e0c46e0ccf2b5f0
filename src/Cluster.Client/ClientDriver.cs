using System.Net.WebSockets;

namespace ActorCluster.Client;

/// <summary>Does what a <see cref="ClientSession"/> wants: opens sockets, reads and sends frames, waits, tells the user.</summary>
/// <remarks>
/// One loop a client reads and raises the events. The session is touched under <c>_gate</c> only; frames are queued under it, so that
/// their order is the session's, and everything else is done outside.
/// </remarks>
internal sealed class ClientDriver : IAsyncDisposable
{
    private static readonly TimeSpan CloseLimit = TimeSpan.FromSeconds(1);

    private readonly ClusterClientOptions _options;
    private readonly ClusterClient _client;
    private readonly Lock _gate = new();
    private readonly ClientSession _session;
    private readonly List<ClientEffect> _callerEffects = []; // Of Submit and Due; under the gate.
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _welcomed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long _started;
    private readonly CancellationToken _stop;
    private ClientConnection? _connection;
    private ClusterClientException? _ended;
    private Task? _running;
    private Task? _disposing;

    public ClientDriver(ClusterClientOptions options, ClusterClient client)
    {
        (_options, _client) = (options, client);
        _session = new ClientSession(options.Hosts, options.UnansweredMax, options.HeldItemsMax, options.ConnectRoundsMax);
        _started = options.Time.GetTimestamp();
        _stop = _stopping.Token;
    }

    public string Node
    {
        get
        {
            lock (_gate) return _session.Node;
        }
    }

    public string ClientId
    {
        get
        {
            lock (_gate) return _session.ClientId;
        }
    }

    public int FailOvers
    {
        get
        {
            lock (_gate) return _session.FailOvers;
        }
    }

    private TimeSpan Now => _options.Time.GetElapsedTime(_started);

    public Task ConnectAsync(CancellationToken cancel)
    {
        lock (_gate)
        {
            if (_ended is null) _running ??= Task.Run(RunAsync, CancellationToken.None);
            else _welcomed.TrySetException(_ended);
        }
        return _welcomed.Task.WaitAsync(cancel);
    }

    /// <exception cref="ClusterClientException">The client has ended, or too many commands wait.</exception>
    /// <exception cref="ArgumentException">The command is longer than a frame may be.</exception>
    public void Submit(PendingCommand command)
    {
        lock (_gate)
        {
            if (_ended is not null) throw new ClusterClientException(_ended.Code, _ended.Message, _ended.InnerException);
            if (command.Body.Length + ClientFrames.HeadBytesMax > _session.FrameBytesMax)
                throw new ArgumentException(
                    $"The command '{command.Kind}' takes {command.Body.Length} bytes; the server accepts frames of {_session.FrameBytesMax}. Send less at a time.");
            if (!_session.HasPlace(_options.WaitingMax))
                throw new ClusterClientException(ErrorCodes.TooManyWaiting, $"{_options.WaitingMax} commands wait for a connection; wait for answers first, or raise WaitingMax. Nothing was sent.");
            _session.Submit(command, _callerEffects);
            Queue(_callerEffects);
            _callerEffects.Clear(); // A submission only sends.
        }
    }

    public ValueTask DisposeAsync()
    {
        lock (_gate) _disposing ??= Task.Run(StopAsync);
        return new ValueTask(_disposing);
    }

    private async Task StopAsync()
    {
        ClientConnection? connection;
        lock (_gate) connection = _connection;
        if (connection is not null)
        {
            using var limit = new CancellationTokenSource(CloseLimit, _options.Time);
            await connection.CloseAsync(limit.Token).ConfigureAwait(false);
        }
        await _stopping.CancelAsync().ConfigureAwait(false);
        connection?.Abort();
        // A handler that never returns must not hold up its owner, nor may one that disposes its own client wait for itself.
        if (_running is { } running) await Task.WhenAny(running, Task.Delay(CloseLimit, _options.Time, CancellationToken.None)).ConfigureAwait(false);
        Finish(new ClusterClientException(ErrorCodes.Disposed, "The client was disposed before the answer came; the command may have taken effect."));
    }

    private async Task RunAsync()
    {
        var effects = new List<ClientEffect>();
        try
        {
            while (!_stop.IsCancellationRequested && _ended is null)
            {
                var reason = await ServeAsync(effects).ConfigureAwait(false);
                lock (_gate) _session.Lost(reason, Now, effects);
                Perform(effects);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposed while pausing.
        }
        catch (Exception e)
        {
            var failed = new ClusterClientException(ErrorCodes.HandlerFailed, $"A handler of the client's events failed, which ended the client: {e.Message}", e);
            Finish(failed);
            foreach (var effect in effects) // What was decided behind the handler's call belongs to no queue any more.
            {
                if (effect is ClientEffect.Complete answered) answered.Command.TrySetResult(answered.Answer);
                else if (effect is ClientEffect.Reset reset) reset.Command.TrySetException(failed);
            }
        }
    }

    /// <summary>One connection, or the attempt to make one. Returns why it is over.</summary>
    private async Task<string> ServeAsync(List<ClientEffect> effects)
    {
        (Uri Host, TimeSpan Pause) next;
        lock (_gate) next = _session.NextHost();
        if (next.Pause > TimeSpan.Zero) await Task.Delay(next.Pause, _options.Time, _stop).ConfigureAwait(false);

        var socket = new ClientWebSocket();
        using var connection = new ClientConnection(socket, _options.FrameBytesMax, _stop);
        try
        {
            socket.Options.KeepAliveInterval = _options.SilenceLimit / 3;
            socket.Options.KeepAliveTimeout = _options.SilenceLimit - _options.SilenceLimit / 3;
            _options.ConfigureSocket?.Invoke(socket.Options);
            using (var limit = Limit())
                await socket.ConnectAsync(AddressOf(next.Host), limit.Token).ConfigureAwait(false);
            Open(connection, effects);
            return await ReadAsync(connection, effects).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
        {
            return $"{next.Host} did not answer within the ConnectTimeout of {_options.ConnectTimeout}.";
        }
        catch (Exception e) when (e is WebSocketException or IOException or ObjectDisposedException || (e is OperationCanceledException && _stop.IsCancellationRequested))
        {
            return e.InnerException is { } inner ? $"{e.Message} {inner.Message}" : e.Message;
        }
        finally
        {
            lock (_gate) _connection = null;
            connection.Abort();
        }
    }

    private CancellationTokenSource Limit()
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop);
        limit.CancelAfter(_options.ConnectTimeout);
        return limit;
    }

    private Uri AddressOf(Uri host)
    {
        var query = _options.User is { } user ? "?user=" + Uri.EscapeDataString(user) : "";
        var scheme = host.Scheme == "https" ? "wss" : "ws";
        return new Uri($"{scheme}://{host.Authority}{host.AbsolutePath.TrimEnd('/')}/ws{query}");
    }

    private void Open(ClientConnection connection, List<ClientEffect> effects)
    {
        lock (_gate)
        {
            _connection = connection;
            _session.Opened(effects);
            Queue(effects);
        }
        Perform(effects);
    }

    private async Task<string> ReadAsync(ClientConnection connection, List<ClientEffect> effects)
    {
        var limit = Limit(); // Until the welcome.
        try
        {
            while (true)
            {
                if (await connection.ReceiveAsync(limit?.Token ?? _stop).ConfigureAwait(false) is not { } frame)
                    return "The server closed the connection.";
                bool welcomed;
                lock (_gate)
                {
                    _session.Received(frame.Span, Now, effects);
                    Queue(effects);
                    welcomed = _session.Node.Length > 0;
                }
                if (welcomed)
                {
                    limit?.Dispose();
                    limit = null;
                }
                if (Perform(effects) is { } reason) return reason;
            }
        }
        finally
        {
            limit?.Dispose();
        }
    }

    /// <summary>Under the gate: hands over the frames and sets the timers.</summary>
    private void Queue(List<ClientEffect> effects)
    {
        foreach (var effect in effects)
        {
            if (effect is ClientEffect.Send(var frame)) _connection?.Enqueue(frame);
            else if (effect is ClientEffect.SetTimer(var after, var timer)) _ = FireAsync(after, timer);
        }
    }

    /// <summary>Outside the gate: tells the user, in order. Returns why the connection is to be given up, if it is.</summary>
    private string? Perform(List<ClientEffect> effects)
    {
        string? giveUp = null;
        foreach (var effect in effects)
        {
            switch (effect)
            {
                case ClientEffect.Complete(var command, var answer):
                    command.TrySetResult(answer);
                    break;
                case ClientEffect.Deliver(var items):
                    _client.Raise(items);
                    break;
                case ClientEffect.EndRoom(var room):
                    _client.Raise(room);
                    break;
                case ClientEffect.Tell(var change):
                    _client.Raise(change);
                    if (change is ConnectionChange.Connected) _welcomed.TrySetResult();
                    break;
                case ClientEffect.Reset(var command):
                    command.TrySetException(new ClientResetException(
                        $"The server no longer knows this client's session; whether '{command.Kind}' {command.Id} to room '{command.Room}' took effect is unknown."));
                    break;
                case ClientEffect.Disconnect(var reason):
                    giveUp = reason;
                    break;
                case ClientEffect.GiveUp(var code, var message):
                    Finish(new ClusterClientException(code, message));
                    break;
            }
        }
        effects.Clear();
        return giveUp;
    }

    private async Task FireAsync(TimeSpan after, RetryTimer timer)
    {
        try
        {
            await Task.Delay(after, _options.Time, _stop).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return;
        }
        lock (_gate)
        {
            _session.Due(timer, _callerEffects);
            Queue(_callerEffects);
            _callerEffects.Clear(); // A timer only sends.
        }
    }

    private void Finish(ClusterClientException why)
    {
        IReadOnlyList<PendingCommand> left;
        lock (_gate)
        {
            _ended ??= why;
            left = _session.End();
        }
        foreach (var command in left) command.TrySetException(new ClusterClientException(why.Code, why.Message, why.InnerException));
        if (_welcomed.TrySetException(why)) _ = _welcomed.Task.Exception; // Observed, should nobody be waiting.
    }
}
