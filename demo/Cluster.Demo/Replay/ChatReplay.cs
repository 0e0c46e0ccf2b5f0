using System.Diagnostics;
using ActorCluster.Demo.Input;

namespace ActorCluster.Demo.Replay;

/// <summary>Issues the events of a window to its users and waits until all is quiet.</summary>
/// <remarks>Events of one user keep their order. Between users they are only as close as the window of outstanding events makes them.</remarks>
internal sealed class ChatReplay(ChatWindow window, ReplayState state)
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(20);

    private readonly Dictionary<int, ReplayUser> _users = [];

    /// <summary>Users that the replay met, present at its start or in its events.</summary>
    public int Users => _users.Count;

    /// <summary>Brings those in who are present before the window's first event.</summary>
    public async Task JoinMembersAsync()
    {
        foreach (var (user, rooms) in window.MembersAtStart())
            foreach (var room in rooms)
                await IssueAsync(new ChatEvent(0, ChatKind.Join, user, room, 0)).ConfigureAwait(false);
        await WhenDoneAsync().ConfigureAwait(false);
    }

    /// <summary>Issues all events and waits for their answers.</summary>
    /// <param name="plan">What happens to the nodes meanwhile.</param>
    /// <param name="speed">Times real time, 0 for as fast as answers come.</param>
    public async Task RunAsync(IFaultPlan plan, double speed)
    {
        var pace = new Pace(window, speed);
        for (var i = 0; i < window.Count; i++)
        {
            await plan.BeforeEventAsync(i, window.Count, state.Stopping).ConfigureAwait(false);
            if (pace.DelayBefore(i) is { Ticks: > 0 } delay) await Task.Delay(delay, state.Stopping).ConfigureAwait(false);
            await IssueAsync(window.Log.Events[window.First + i]).ConfigureAwait(false);
        }
        await plan.FinishAsync(state.Stopping).ConfigureAwait(false);
        await WhenDoneAsync().ConfigureAwait(false);
    }

    /// <summary>Waits until every client has been delivered what the store has.</summary>
    /// <param name="heads">Last sequence of each room.</param>
    /// <param name="limit">How long at most; what is missing then is the checker's to find.</param>
    public async Task ReachHeadsAsync(IReadOnlyDictionary<string, long> heads, TimeSpan limit)
    {
        var started = Stopwatch.GetTimestamp();
        foreach (var user in _users.Values)
            while (!user.ReachedHeads(heads) && Stopwatch.GetElapsedTime(started) < limit)
                await Task.Delay(s_poll, state.Stopping).ConfigureAwait(false);
    }

    /// <summary>Closes all clients without leaving rooms.</summary>
    public Task CloseAsync()
    {
        var closes = new List<Task>(_users.Count);
        foreach (var user in _users.Values) closes.Add(user.CloseAsync());
        return Task.WhenAll(closes);
    }

    private async Task IssueAsync(ChatEvent e)
    {
        await state.BeginEventAsync().ConfigureAwait(false);
        if (!_users.TryGetValue(e.User, out var user))
            _users[e.User] = user = new(e.User, window.Log.Users[e.User], window.Log.Rooms, state);
        user.Post(e);
    }

    private async Task WhenDoneAsync()
    {
        while (state.Done < state.Issued) await Task.Delay(s_poll, state.Stopping).ConfigureAwait(false);
    }

    /// <summary>Says when an event is due. Times are precise to the minute, so a minute's events are spread over it.</summary>
    private sealed class Pace(ChatWindow window, double speed)
    {
        private readonly long _started = Stopwatch.GetTimestamp();
        private readonly long _first = window.Log.Events[window.First].Time;
        private int _minuteFrom;
        private int _minuteTo;

        public TimeSpan DelayBefore(int index)
        {
            if (speed == 0) return TimeSpan.Zero;
            var time = TimeOf(index);
            if (index >= _minuteTo)
            {
                (_minuteFrom, _minuteTo) = (index, index + 1);
                while (_minuteTo < window.Count && TimeOf(_minuteTo) == time) _minuteTo++;
            }
            var within = 60.0 * (index - _minuteFrom) / (_minuteTo - _minuteFrom);
            return TimeSpan.FromSeconds((time - _first + within) / speed) - Stopwatch.GetElapsedTime(_started);
        }

        private long TimeOf(int index) => window.Log.Events[window.First + index].Time;
    }
}
