namespace ActorCluster.Client;

/// <summary>
/// A chat client of the cluster. It stays connected to one node after the other, and while it does, no acknowledged command is lost,
/// none takes effect twice, and every room's items arrive in order, each once.
/// </summary>
/// <remarks>
/// <para>Safe to use from any thread. The events are raised one after the other on the client's reading loop: subscribe before
/// <see cref="ConnectAsync"/>, return quickly, do not wait in a handler for a command of the same client (awaiting without blocking, in an
/// <c>async void</c> handler, is fine). A handler that throws ends the client with <see cref="ErrorCodes.HandlerFailed"/>, since an
/// item that was half handled can be neither repeated nor skipped.</para>
/// <para>A command completes when the server has it on stable storage, however many fail-overs that takes. Cancelling its token stops the
/// waiting only: the command may still take effect. Commands to one room take effect in the order of the calls.</para>
/// </remarks>
public sealed class ClusterClient : IAsyncDisposable
{
    private readonly ClientDriver _driver;
    private readonly TimeSpan _commandTimeout;
    private readonly TimeProvider _time;

    /// <summary>Makes a client; nothing is connected yet.</summary>
    /// <param name="options">Checked here, all faults at once.</param>
    /// <exception cref="ArgumentException">An option is out of its range; the message names each.</exception>
    public ClusterClient(ClusterClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _driver = new ClientDriver(options, this);
        (_commandTimeout, _time) = (options.CommandTimeout, options.Time);
    }

    /// <summary>Items of the rooms that the user has joined: in order, each once, without gaps (but for items the server no longer keeps).</summary>
    public event Action<RoomItems>? ItemsReceived;

    /// <summary>A room's stream ended without a call of <see cref="LeaveAsync"/>: the user left elsewhere or is no member.</summary>
    public event Action<RoomEnded>? RoomEnded;

    /// <summary>The connection was made, lost, or told to go.</summary>
    public event Action<ConnectionChange>? ConnectionChanged;

    /// <summary>The name of the node connected to; empty while there is none.</summary>
    public string Node => _driver.Node;

    /// <summary>The id that the server gave this client, 32 hex digits; empty before the first welcome.</summary>
    public string ClientId => _driver.ClientId;

    /// <summary>How often a node welcomed this client after the first time.</summary>
    public int FailOvers => _driver.FailOvers;

    /// <summary>Connects; from then on the client keeps itself connected until it is disposed. Later calls wait for the same welcome.</summary>
    /// <param name="cancel">Stops the waiting only; the client goes on trying until it is disposed.</param>
    /// <exception cref="ClusterClientException">
    /// The user or this version is refused, or no host welcomed the client (<see cref="ErrorCodes.Unreachable"/>). The client has ended; make another.
    /// </exception>
    public Task ConnectAsync(CancellationToken cancel = default) => _driver.ConnectAsync(cancel);

    /// <summary>Makes a room; the user is its first member and follows it from then on.</summary>
    /// <param name="room">1 to 64 characters, no control characters; compared byte by byte.</param>
    /// <param name="cancel">Stops the waiting only.</param>
    /// <returns>The sequence of the creation.</returns>
    /// <exception cref="CommandRefusedException">Such as <see cref="ErrorCodes.RoomExists"/>; nothing took effect, as a rule.</exception>
    /// <exception cref="ClientResetException">The outcome is unknown.</exception>
    public async Task<long> CreateAsync(string room, CancellationToken cancel = default) =>
        (await RunAsync(CommandKind.Create, room, ClientFrames.RoomBody("create", Named(room)), cancel).ConfigureAwait(false)).Seq;

    /// <summary>Makes the user a member of a room, creating it if it is new, and follows it from then on. Joining again is harmless.</summary>
    /// <param name="room">1 to 64 characters, no control characters; compared byte by byte.</param>
    /// <param name="cancel">Stops the waiting only.</param>
    /// <returns>The user's join. Items after it may be raised before the returned task has completed.</returns>
    /// <exception cref="CommandRefusedException">Nothing took effect, as a rule.</exception>
    /// <exception cref="ClientResetException">The outcome is unknown; joining again is safe.</exception>
    public async Task<Joined> JoinAsync(string room, CancellationToken cancel = default)
    {
        var answer = await RunAsync(CommandKind.Join, room, ClientFrames.RoomBody("join", Named(room)), cancel).ConfigureAwait(false);
        return new Joined(answer.Seq, answer.Members);
    }

    /// <summary>Ends the user's membership and forgets the room; also fine if the user is no member.</summary>
    /// <param name="room">The room.</param>
    /// <param name="cancel">Stops the waiting only.</param>
    /// <returns>The sequence of the leave.</returns>
    /// <exception cref="CommandRefusedException">Nothing took effect, as a rule.</exception>
    /// <exception cref="ClientResetException">The outcome is unknown; leaving again is safe.</exception>
    public async Task<long> LeaveAsync(string room, CancellationToken cancel = default) =>
        (await RunAsync(CommandKind.Leave, room, ClientFrames.RoomBody("leave", Named(room)), cancel).ConfigureAwait(false)).Seq;

    /// <summary>Says something in a room that the user has joined.</summary>
    /// <param name="room">The room.</param>
    /// <param name="text">0 to 8,000 characters.</param>
    /// <param name="cancel">Stops the waiting only: the message may still be said.</param>
    /// <returns>The sequence of the message, once it is on stable storage. It comes in the stream as well.</returns>
    /// <exception cref="CommandRefusedException">Such as <see cref="ErrorCodes.NotInRoom"/>; nothing took effect, as a rule.</exception>
    /// <exception cref="ClientResetException">Whether it was said is unknown: look before saying it again.</exception>
    public async Task<long> SayAsync(string room, string text, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(text);
        return (await RunAsync(CommandKind.Say, room, ClientFrames.SayBody(Named(room), text), cancel).ConfigureAwait(false)).Seq;
    }

    /// <summary>Reads what was said before; moves no cursor.</summary>
    /// <param name="room">A room that the user is a member of.</param>
    /// <param name="after">Items with a larger sequence are read; 0 for the oldest.</param>
    /// <param name="limit">1 to 500.</param>
    /// <param name="cancel">Stops the waiting only.</param>
    /// <exception cref="CommandRefusedException">Such as <see cref="ErrorCodes.NotInRoom"/>.</exception>
    public async Task<HistoryPage> HistoryAsync(string room, long after, int limit, CancellationToken cancel = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(after);
        if (limit is < 1 or > 500) throw new ArgumentOutOfRangeException(nameof(limit), limit, "The limit is 1 to 500 items; ask several times.");
        var answer = await RunAsync(CommandKind.History, room, ClientFrames.HistoryBody(Named(room), after, limit), cancel).ConfigureAwait(false);
        return new HistoryPage(answer.Items ?? [], answer.Head, answer.IsStale);
    }

    /// <summary>Asks who is connected to any node.</summary>
    /// <param name="users">1 to 500 names.</param>
    /// <param name="cancel">Stops the waiting only.</param>
    /// <returns>Those of them who are.</returns>
    public async Task<IReadOnlySet<string>> PresenceAsync(IReadOnlyCollection<string> users, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(users);
        if (users.Count is < 1 or > 500) throw new ArgumentException($"{users.Count} users; ask for 1 to 500 at a time.", nameof(users));
        var answer = await RunAsync(CommandKind.Presence, "", ClientFrames.PresenceBody(users), cancel).ConfigureAwait(false);
        return answer.Online ?? new HashSet<string>();
    }

    /// <summary>
    /// Ends the client within about a second. Commands without an answer end with <see cref="ErrorCodes.Disposed"/>; their effect is
    /// unknown. The user stays a member of the rooms. A second call waits for the first.
    /// </summary>
    public ValueTask DisposeAsync() => _driver.DisposeAsync();

    internal void Raise(RoomItems items) => ItemsReceived?.Invoke(items);

    internal void Raise(RoomEnded room) => RoomEnded?.Invoke(room);

    internal void Raise(ConnectionChange change) => ConnectionChanged?.Invoke(change);

    private static string Named(string room)
    {
        ArgumentException.ThrowIfNullOrEmpty(room);
        return room;
    }

    private async Task<Answer> RunAsync(CommandKind kind, string room, byte[] body, CancellationToken cancel)
    {
        var command = new PendingCommand(kind, room, body);
        _driver.Submit(command);
        Answer answer;
        try
        {
            answer = await command.Task.WaitAsync(_commandTimeout, _time, cancel).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            command.Abandoned = true;
            throw new TimeoutException($"No answer to '{kind}' within the CommandTimeout of {_commandTimeout}; it may still take effect.");
        }
        catch (OperationCanceledException)
        {
            command.Abandoned = true;
            throw;
        }
        return answer.Code is null ? answer : throw new CommandRefusedException(answer.Code, answer.Message ?? "");
    }
}
