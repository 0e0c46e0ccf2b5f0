using System.Diagnostics;
using ActorCluster.Client;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>A second connection of one of the users that only reads: the end of a room that it follows, and who is there. Neither needs the store.</summary>
internal sealed class Reader : IAsyncDisposable
{
    private const string Room = "all";
    private readonly ClusterClient _client;
    private readonly CancellationTokenSource _enough = new();
    private Task _reading = Task.CompletedTask;

    private Reader(IReadOnlyList<Uri> hosts) => _client = new(new() { Hosts = hosts, User = "user0" });

    /// <summary>Reads that were answered.</summary>
    public int Answered { get; private set; }

    /// <summary>The longest that one took, one under way included.</summary>
    public TimeSpan Longest => Stopwatch.GetElapsedTime(_asked) is var now && !_reading.IsCompleted && now > _longest ? now : _longest;

    private TimeSpan _longest;
    private long _asked = Stopwatch.GetTimestamp();

    /// <summary>Connects, and begins to read.</summary>
    public static async Task<Reader> BeginAsync(IReadOnlyList<Uri> hosts)
    {
        var reader = new Reader(hosts);
        await reader._client.ConnectAsync();
        await reader._client.JoinAsync(Room); // Again: from now on this connection follows it.
        var head = (await reader._client.HistoryAsync(Room, 0, 1)).Head;
        reader._reading = reader.ReadAsync(Math.Max(0, head - 5));
        return reader;
    }

    public async ValueTask DisposeAsync()
    {
        await _enough.CancelAsync();
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _client.DisposeAsync();
        _enough.Dispose();
    }

    private async Task ReadAsync(long after)
    {
        while (!_enough.IsCancellationRequested)
        {
            _asked = Stopwatch.GetTimestamp();
            await _client.HistoryAsync(Room, after, 5, _enough.Token);
            await _client.PresenceAsync(["user0", "user1"], _enough.Token);
            if (Stopwatch.GetElapsedTime(_asked) is var took && took > _longest) _longest = took;
            Answered += 2;
            await Task.Delay(200, _enough.Token);
        }
    }
}
