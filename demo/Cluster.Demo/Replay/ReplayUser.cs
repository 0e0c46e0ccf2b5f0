using System.Diagnostics;
using System.Threading.Channels;
using ActorCluster.Demo.Histories;
using ActorCluster.Demo.Input;

namespace ActorCluster.Demo.Replay;

/// <summary>One user of the replay: takes its events in file order and acts them out through a client of its own.</summary>
/// <remarks>
/// Says are pipelined; joins, leaves and quits are awaited, so that what the user is a member of is always known. A quit, or the part from the
/// last room, ends the client and the next event begins a fresh one. One loop owns all fields; only the answers of says come from elsewhere.
/// </remarks>
internal sealed class ReplayUser
{
    /// <summary>Below the protocol's 128, so that the joins and leaves of a user never wait for its says.</summary>
    private const int SaysMax = 100;

    private static readonly TimeSpan s_streamLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_streamPoll = TimeSpan.FromMilliseconds(5);

    private readonly int _number;
    private readonly string _name;
    private readonly IReadOnlyList<string> _roomNames;
    private readonly ReplayState _state;
    private readonly Channel<ChatEvent> _events = Channel.CreateUnbounded<ChatEvent>(new() { SingleReader = true, SingleWriter = true });
    private readonly HashSet<int> _rooms = [];
    private readonly SemaphoreSlim _says = new(SaysMax);
    private readonly Task _loop;
    private IChatClient? _client;
    private ClientHistory? _history;

    public ReplayUser(int number, string name, IReadOnlyList<string> roomNames, ReplayState state)
    {
        (_number, _name, _roomNames, _state) = (number, name, roomNames, state);
        _loop = Task.Run(ActAsync);
    }

    /// <summary>Hands the user its next event; the caller has begun it at <see cref="ReplayState.BeginEventAsync"/>.</summary>
    public void Post(ChatEvent e) => _events.Writer.TryWrite(e);

    /// <summary>Whether all that the user's present client should have been delivered has arrived.</summary>
    public bool ReachedHeads(IReadOnlyDictionary<string, long> heads) => _client is null || _history!.ReachedHeads(heads);

    /// <summary>Ends the user without leaving its rooms. To be called when its events are done, or the replay was stopped.</summary>
    public async Task CloseAsync()
    {
        _events.Writer.TryComplete();
        await _loop.ConfigureAwait(false);
        await CloseClientAsync().ConfigureAwait(false);
    }

    private async Task ActAsync()
    {
        try
        {
            await foreach (var e in _events.Reader.ReadAllAsync(_state.Stopping).ConfigureAwait(false))
            {
                // A say ends its event itself when it is answered.
                if (await ActAsync(e).ConfigureAwait(false)) _state.EndEvent();
            }
        }
        catch (OperationCanceledException) when (_state.Stopping.IsCancellationRequested)
        {
            // The replay was stopped; what is unanswered stays unknown in the history.
        }
    }

    private async Task<bool> ActAsync(ChatEvent e)
    {
        switch (e.Kind)
        {
            case ChatKind.Quit when _client is null:
            case ChatKind.Part when !_rooms.Contains(e.Room):
                _state.CountIgnored();
                return true;
            case ChatKind.Quit:
            case ChatKind.Part when _rooms.Count == 1: // Most of these were quits (flaws of the data), and idle clients would pile up.
                await QuitAsync().ConfigureAwait(false);
                return true;
            case ChatKind.Part:
                await LeaveAsync([e.Room]).ConfigureAwait(false);
                return true;
            case ChatKind.Join:
                await JoinAsync(e.Room).ConfigureAwait(false);
                return true;
            case ChatKind.Say:
                if (!_rooms.Contains(e.Room))
                {
                    _state.CountImpliedJoin();
                    await JoinAsync(e.Room).ConfigureAwait(false);
                    if (!_rooms.Contains(e.Room)) return true; // The failed join is counted as an error.
                }
                await _says.WaitAsync(_state.Stopping).ConfigureAwait(false);
                _ = SayAsync(_client!, _history!, _roomNames[e.Room], MessageText.Of(_state.NextMessageNumber(), e.Length));
                return false;
            default:
                throw new UnreachableException($"No rule for {e.Kind}.");
        }
    }

    private async Task JoinAsync(int room)
    {
        var sent = Stopwatch.GetTimestamp();
        var node = _client?.Node;
        try
        {
            if (_client is null)
            {
                (_client, _history) = _state.NewClient(_number, _name);
                await _client.ConnectAsync(_state.Stopping).ConfigureAwait(false);
                node = _client.Node;
            }
            var seq = await _client.JoinAsync(_roomNames[room], _state.Stopping).ConfigureAwait(false);
            _history!.Join(_roomNames[room], seq);
            _rooms.Add(room);
            _state.CountAnswer(sent, moved: node != _client.Node, new(_name, "join", _roomNames[room]));
        }
        catch (Exception e)
        {
            _history?.JoinUnanswered(_roomNames[room]);
            if (_state.Stopping.IsCancellationRequested) throw;
            _state.CountError($"{_name} joins {_roomNames[room]}", e);
            if (_rooms.Count == 0) await CloseClientAsync().ConfigureAwait(false); // It may never have connected: start afresh.
        }
    }

    // Runs up to the client's call on the loop, so that says keep their order.
    private async Task SayAsync(IChatClient client, ClientHistory history, string room, string text)
    {
        var sent = Stopwatch.GetTimestamp();
        var node = client.Node;
        var place = history.Send(room, text);
        try
        {
            var seq = await client.SayAsync(room, text, _state.Stopping).ConfigureAwait(false);
            history.Acknowledge(place, seq);
            _state.CountAnswer(sent, moved: node != client.Node, new(_name, "say", room));
        }
        catch (Exception e)
        {
            if (!_state.Stopping.IsCancellationRequested) _state.CountError($"{_name} says in {room}", e);
        }
        finally
        {
            _says.Release();
            _state.EndEvent();
        }
    }

    private async Task QuitAsync()
    {
        var left = new List<int>(_rooms);
        left.Sort();
        var ends = await LeaveAsync(left).ConfigureAwait(false);
        for (var i = 0; i < SaysMax; i++) await _says.WaitAsync(_state.Stopping).ConfigureAwait(false);
        _says.Release(SaysMax);
        await ReachAsync(ends).ConfigureAwait(false);
        await CloseClientAsync().ConfigureAwait(false);
    }

    private async Task<(string Room, long Seq)[]> LeaveAsync(IReadOnlyList<int> rooms)
    {
        var leaves = new Task<(string, long)>[rooms.Count];
        for (var i = 0; i < leaves.Length; i++) leaves[i] = LeaveAsync(rooms[i]);
        return await Task.WhenAll(leaves).ConfigureAwait(false);
    }

    private async Task<(string Room, long Seq)> LeaveAsync(int room)
    {
        var name = _roomNames[room];
        var (client, history) = (_client!, _history!);
        var (sent, node, welcomes) = (Stopwatch.GetTimestamp(), client.Node, client.Welcomes);
        _rooms.Remove(room);
        try
        {
            var seq = await client.LeaveAsync(name, _state.Stopping).ConfigureAwait(false);
            // Over another connection the server may have ended the stream before it had told all: docs/client-protocol.md, Opening.
            var tailKnown = welcomes == client.Welcomes && seq > 0;
            history.Leave(name, seq, tailKnown, tailKnown ? 0 : client.BrokeAtMs(welcomes));
            _state.CountAnswer(sent, moved: node != client.Node, new(_name, "leave", name));
            return (name, tailKnown ? seq : 0);
        }
        catch (Exception e)
        {
            history.LeaveUnanswered(name);
            if (_state.Stopping.IsCancellationRequested) throw;
            _state.CountError($"{_name} leaves {name}", e);
            return (name, 0);
        }
    }

    // What was said before the leave may arrive after its answer; a client that closed at once would count it as lost.
    private async Task ReachAsync((string Room, long Seq)[] ends)
    {
        var started = Stopwatch.GetTimestamp();
        foreach (var (room, seq) in ends)
            while (_history!.Lacks(room, seq) && Stopwatch.GetElapsedTime(started) < s_streamLimit)
                await Task.Delay(s_streamPoll, _state.Stopping).ConfigureAwait(false);
    }

    private async Task CloseClientAsync()
    {
        if (_client is not { } client) return;
        (_client, _history) = (null, null);
        _rooms.Clear();
        await client.DisposeAsync().ConfigureAwait(false);
        _state.ClientClosed(client);
    }
}
