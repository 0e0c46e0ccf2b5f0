using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;
using ActorCluster.Links;
using ActorCluster.Primitives;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Tests.Links;

/// <summary>A node with a link on a free loopback port that writes down all it is told.</summary>
internal sealed class LinkNode : ILinkHandler, ILogger, ILinkFilter, IAsyncDisposable
{
    public static readonly Guid Cluster = Guid.Parse("6f6c8e0a-0f5d-4c54-9a3e-0b1f6d1c2a77");
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly List<string> _events = [];
    private readonly List<string> _lines = [];
    private readonly ConcurrentDictionary<(Incarnation, LinkChannel, LinkDirection), bool> _cuts = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public LinkNode(long inc, string secret = "s1", string? second = null, Guid? cluster = null, long generation = 1,
        (long, ulong)[]? views = null, string address = "127.0.0.1:0", Action<LinkOptions>? with = null, string? control = null)
    {
        RecentViews = [.. views ?? []];
        var options = new LinkOptions { Secrets = second is null ? [secret] : [secret, second], RedialInterval = TimeSpan.FromMilliseconds(50) };
        with?.Invoke(options);
        LinkListener[] listeners = control is null ? [LinkListener.Bind(address)] : [LinkListener.Bind(address), LinkListener.Bind(control)];
        Peer = new LinkPeer(new Incarnation(inc), $"n{inc}", string.Join(LinkPeer.Between, listeners.Select(l => l.Bound)));
        Transport = new LinkTransport(listeners, new LinkIdentity(cluster ?? Cluster, generation, Peer.Inc, Peer.Name, 1, 1), options, this, this) { Filter = this };
    }

    public LinkPeer Peer { get; }

    public Incarnation Inc => Peer.Inc;

    public LinkTransport Transport { get; }

    public ImmutableArray<(long View, ulong Hash)> RecentViews { get; }

    public Func<Incarnation, bool> Accepts { get; init; } = _ => true;

    /// <summary>What a received frame does besides being written down; when set, frames are not written down.</summary>
    public Action<LinkChannel, byte, byte[]>? OnFrame { get; set; }

    public void ToldDown(Incarnation by) => Note($"{by} says that it is down");

    public void SecretDiffers(Incarnation peer) => Note($"secret of {peer} differs");

    public string[] Events
    {
        get { lock (_gate) return [.. _events]; }
    }

    public string[] Lines
    {
        get { lock (_gate) return [.. _lines]; }
    }

    /// <summary>Keeps a channel from being dialled again once it is dead.</summary>
    public LinkChannel? CutsNewConnections { get; set; }

    /// <summary>Whatever comes waits.</summary>
    public bool HoldsAll { get; set; }

    public void Cut(Incarnation peer, LinkDirection direction, bool cut = true)
    {
        foreach (var channel in Enum.GetValues<LinkChannel>()) _cuts[(peer, channel, direction)] = cut;
    }

    /// <summary>Waits until an event was seen that often; the failure tells what was seen instead.</summary>
    public async Task SeesAsync(string expected, int times = 1)
    {
        var started = Stopwatch.GetTimestamp();
        for (; ; )
        {
            Task changed;
            lock (_gate)
            {
                if (_events.Count(e => e == expected) + _lines.Count(l => l.Contains(expected, StringComparison.Ordinal)) >= times) return;
                changed = _changed.Task;
            }
            try { await changed.WaitAsync(Limit - Stopwatch.GetElapsedTime(started)); }
            catch (Exception late) when (late is TimeoutException or ArgumentOutOfRangeException)
            {
                Assert.Fail($"{Peer.Name} should have seen '{expected}' {times} times within {Limit}. Events: {string.Join(", ", Events.TakeLast(30))}. Log: {string.Join(" | ", Lines.TakeLast(10))}");
            }
        }
    }

    public async Task UpWithAsync(LinkNode peer, int times = 1)
    {
        await SeesAsync($"up {peer.Inc} Control", times);
        await SeesAsync($"up {peer.Inc} Data", times);
    }

    public ValueTask DisposeAsync() => Transport.DisposeAsync();

    public void ChannelUp(Incarnation peer, LinkChannel channel) => Note($"up {peer} {channel}");

    public void ChannelLost(Incarnation peer, LinkChannel channel, ChannelLoss how) => Note($"lost {peer} {channel} {how}");

    public void Received(Incarnation peer, LinkChannel channel, byte frameType, ReadOnlySpan<byte> payload)
    {
        if (OnFrame is { } onFrame) onFrame(channel, frameType, payload.ToArray());
        else Note($"frame {peer} {channel} {frameType} {Convert.ToHexString(payload)}");
    }

    public void ReceiveEnded(Incarnation peer, LinkChannel channel)
    {
        if (OnFrame is null) Note($"end {peer} {channel}");
    }

    public void StoreMismatch(string reason) => Note($"mismatch: {reason}");

    public bool MayAccept(Incarnation inc) => Accepts(inc);

    public bool Passes(Incarnation peer, LinkChannel connection, LinkDirection direction) =>
        connection != CutsNewConnections && !_cuts.GetValueOrDefault((peer, connection, direction));

    public bool Holds(Incarnation peer, LinkChannel connection, LinkDirection direction) => HoldsAll;

    public void Note(string what)
    {
        lock (_gate) Changed(_events, what);
    }

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;

    bool ILogger.IsEnabled(LogLevel logLevel) => true;

    void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_gate) Changed(_lines, $"{formatter(state, exception)} {exception}");
    }

    private void Changed(List<string> where, string what)
    {
        where.Add(what);
        _changed.SetResult();
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
