using System.Collections.Concurrent;
using System.Globalization;
using ActorCluster.Demo.Histories;
using ActorCluster.Demo.Replay;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>Users who talk whatever happens, and write down what they did and saw.</summary>
internal sealed class Crowd : IAsyncDisposable
{
    private const int PipelineMax = 4;
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(60);
    private static readonly TimeSpan SilenceLimit = TimeSpan.FromSeconds(3);
    private readonly List<User> _users = [];
    private readonly CancellationTokenSource _enough = new();
    private Task _talking = Task.CompletedTask;

    public ObservedRows Observed { get; } = new(TimeProvider.System);

    public IReadOnlyList<ClientHistory> Histories => [.. _users.Select(u => u.History)];

    public TimeSpan LongestWait => _users.Max(u => u.LongestWait);

    /// <summary>Commands that ended with an error, in words.</summary>
    public ConcurrentQueue<string> Errors { get; } = [];

    /// <summary>All users are in their rooms and talk. Their first node is another for each.</summary>
    public static async Task<Crowd> GatherAsync(IReadOnlyList<Uri> hosts, int users)
    {
        var crowd = new Crowd();
        for (var i = 0; i < users; i++)
        {
            var user = new User(i, [.. hosts.Select((_, n) => hosts[(i + n) % hosts.Count])], crowd);
            crowd._users.Add(user);
            await user.JoinAsync();
        }
        crowd._talking = Task.WhenAll(crowd._users.Select(u => Task.Run(() => u.TalkAsync(crowd._enough.Token))));
        return crowd;
    }

    /// <summary>Waits until every user was answered after a moment and waits for nothing that is older.</summary>
    /// <param name="since">The moment, as a timestamp.</param>
    /// <param name="limit">How long to wait.</param>
    /// <returns>From the moment to the last user's answer; null if it did not come in time.</returns>
    public async Task<TimeSpan?> RecoveredAsync(long since, TimeSpan limit)
    {
        while (true)
        {
            if (_users.All(u => u.IsServed(since))) return TimeProvider.System.GetElapsedTime(since);
            if (TimeProvider.System.GetElapsedTime(since) > limit) return null;
            await Task.Delay(10);
        }
    }

    /// <summary>What users feel of a fault is measured from now on.</summary>
    /// <param name="except">A node whose users do not count; null: all count.</param>
    public void BeginFault(string? except)
    {
        foreach (var user in _users) user.BeginFault(user.Node != except);
    }

    /// <summary>Somebody is connected to another node.</summary>
    public bool IsBeside(string node) => _users.Any(u => u.Node != node);

    /// <summary>The longest wait since then for an answer that was due or asked for while the fault lasted, from the later of both; what still waits counts as far as it has come.</summary>
    public TimeSpan Felt() => _users.Max(u => u.Felt());

    /// <summary>Who waits, for what and where.</summary>
    public string Describe(long since) => string.Join("; ", _users.Where(u => !u.IsServed(since)).Select(u => u.Describe()));

    /// <summary>No new message; waits for the answers of those under way.</summary>
    /// <returns>Whether all came in time.</returns>
    public async Task<bool> StopTalkingAsync(TimeSpan limit)
    {
        await _enough.CancelAsync();
        return await Task.WhenAny(_talking, Task.Delay(limit)) == _talking;
    }

    /// <summary>Waits until everybody was delivered all there is.</summary>
    public async Task<bool> ReachAsync(IReadOnlyDictionary<string, long> heads, TimeSpan limit)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!_users.All(u => u.History.ReachedHeads(heads)))
        {
            if (TimeProvider.System.GetElapsedTime(started) > limit) return false;
            await Task.Delay(50);
        }
        return true;
    }

    public async ValueTask DisposeAsync()
    {
        await _enough.CancelAsync();
        await Task.WhenAll(_users.Select(u => u.DisposeAsync().AsTask()));
        await _talking.ContinueWith(static _ => { }, TaskScheduler.Default); // Its errors are noted one by one.
    }

    private sealed class User : IAsyncDisposable
    {
        private readonly ConcurrentDictionary<int, long> _pending = [];
        private readonly SemaphoreSlim _pipeline = new(PipelineMax);
        private readonly ClusterChatClient _client;
        private readonly string[] _rooms;
        private readonly Crowd _crowd;
        private readonly Lock _lock = new();
        private long _answeredAt;
        private long _faultAt = long.MaxValue;
        private TimeSpan _felt;

        public User(int number, IReadOnlyList<Uri> hosts, Crowd crowd)
        {
            _crowd = crowd;
            var name = string.Create(CultureInfo.InvariantCulture, $"user{number}");
            _rooms = ["all", string.Create(CultureInfo.InvariantCulture, $"pair{number / 2}"), $"of-{name}"];
            History = new(name, crowd.Observed);
            _client = new(name, hosts, History, static _ => { }, SilenceLimit);
        }

        public ClientHistory History { get; }

        public string Node => _client.Node;

        public TimeSpan LongestWait { get; private set; }

        public async Task JoinAsync()
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            await _client.ConnectAsync(limit.Token);
            foreach (var room in _rooms) History.Join(room, await _client.JoinAsync(room, limit.Token));
        }

        public async Task TalkAsync(CancellationToken enough)
        {
            var underWay = new List<Task>();
            for (var i = 0; !enough.IsCancellationRequested; i++)
            {
                await _pipeline.WaitAsync(CancellationToken.None);
                underWay.RemoveAll(static t => t.IsCompleted);
                underWay.Add(SayAsync(_rooms[i % _rooms.Length], string.Create(CultureInfo.InvariantCulture, $"{History.User} says {i}")));
                await Task.Delay(Between, CancellationToken.None);
            }
            await Task.WhenAll(underWay);
        }

        /// <summary>Whether it was answered after a moment and waits for nothing that is older.</summary>
        public bool IsServed(long since) => Volatile.Read(ref _answeredAt) > since && _pending.Values.All(sent => sent > since);

        public void BeginFault(bool counts)
        {
            lock (_lock) (_faultAt, _felt) = (counts ? TimeProvider.System.GetTimestamp() : long.MaxValue, TimeSpan.Zero);
        }

        public TimeSpan Felt()
        {
            lock (_lock)
            {
                foreach (var sent in _pending.Values) Feel(sent, TimeProvider.System.GetTimestamp());
                return _felt;
            }
        }

        private void Feel(long sent, long now)
        {
            if (now > _faultAt && TimeProvider.System.GetElapsedTime(Math.Max(sent, _faultAt), now) is var wait && wait > _felt) _felt = wait;
        }

        public string Describe() => string.Create(
            CultureInfo.InvariantCulture,
            $"{History.User} at {_client.Node} waits for {_pending.Count}, the oldest {(_pending.IsEmpty ? 0 : TimeProvider.System.GetElapsedTime(_pending.Values.Min()).TotalSeconds):0.0} s; last answer {(TimeProvider.System.GetElapsedTime(_answeredAt).TotalSeconds):0.0} s ago");

        public ValueTask DisposeAsync() => _client.DisposeAsync();

        private async Task SayAsync(string room, string text)
        {
            var sent = TimeProvider.System.GetTimestamp();
            var place = History.Send(room, text);
            _pending[place] = sent;
            try
            {
                History.Acknowledge(place, await _client.SayAsync(room, text, CancellationToken.None));
                var now = TimeProvider.System.GetTimestamp();
                Volatile.Write(ref _answeredAt, now);
                lock (_lock) Feel(sent, now);
                if (TimeProvider.System.GetElapsedTime(sent, now) is var wait && wait > LongestWait) LongestWait = wait;
            }
            catch (Exception cause)
            {
                // Without an answer it stays unknown in the history: allowed in the store, or not.
                if (_crowd.Errors.Count < 1_000) _crowd.Errors.Enqueue($"{History.User} in {room}: {cause.Message}");
            }
            finally
            {
                _pending.TryRemove(place, out _);
                _pipeline.Release();
            }
        }
    }
}
