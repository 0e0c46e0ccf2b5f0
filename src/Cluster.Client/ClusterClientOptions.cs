using System.Net.WebSockets;

namespace ActorCluster.Client;

/// <summary>Where a <see cref="ClusterClient"/> connects and how patient it is. Fixed once the client is made.</summary>
public sealed record ClusterClientOptions
{
    /// <summary>
    /// The nodes' client addresses, <c>http(s)://host:port</c>, in the order in which they are tried. After the first welcome the
    /// server's own list takes their place; those given here that the server does not name stay behind it as a last resort.
    /// </summary>
    public required IReadOnlyList<Uri> Hosts { get; init; }

    /// <summary>Sent as <c>?user=</c>, which the sample server believes from loopback. Null where the HTTP request says who the user is.</summary>
    public string? User { get; init; }

    /// <summary>Called before each connection attempt, for headers, cookies, certificates or a proxy. The keep-alive is set already.</summary>
    public Action<ClientWebSocketOptions>? ConfigureSocket { get; init; }

    /// <summary>Time for one host to accept the WebSocket, and again to answer the hello, before the next host is tried. Above zero, at most 1 day; 2 s by default.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>A server that has been silent for so long is given up and the next one tried. 30 ms to 1 day, 45 s by default; a third of it is the ping interval.</summary>
    public TimeSpan SilenceLimit { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>Commands on their way at once, 1 to 128; the server may ask for fewer. Further commands wait in the order of their calls.</summary>
    public int UnansweredMax { get; init; } = 128;

    /// <summary>Commands that wait while there is no connection; one more fails with <see cref="ErrorCodes.TooManyWaiting"/>. At least 1; 1,000 by default.</summary>
    public int WaitingMax { get; init; } = 1000;

    /// <summary>
    /// How long a caller waits for an answer; then it gets a <see cref="TimeoutException"/>, as after cancelling: the command may still
    /// take effect. Above zero, at most 1 day, or infinite, as by default, since a fail-over delays an answer but does not lose it.
    /// </summary>
    public TimeSpan CommandTimeout { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>
    /// Rounds over all hosts after which <see cref="ClusterClient.ConnectAsync"/> gives up, at least 1. 8, which is some 5 s where every
    /// host refuses at once. After the first welcome the client never gives up.
    /// </summary>
    public int ConnectRoundsMax { get; init; } = 8;

    /// <summary>Longest frame accepted from a server, in bytes, 64 KiB or more. 4 MiB by default; servers send at most 1 MiB.</summary>
    public int FrameBytesMax { get; init; } = 4 << 20;

    /// <summary>Items of one room held in memory while those before them are fetched, at least 1. 1,024 by default; further ones are fetched again later.</summary>
    public int HeldItemsMax { get; init; } = 1024;

    /// <summary>The clock for time-outs and pauses; tests put in their own.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The timers of the runtime take some 49 days; one that throws after a command was sent would leave its caller with neither an answer nor a time-out.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    internal void Validate()
    {
        var faults = new List<string>();
        if (Hosts is null || Hosts.Count == 0)
            faults.Add("Hosts is empty; name at least one node, such as http://127.0.0.1:8080.");
        else
            faults.AddRange(from host in Hosts
                            where host is null || !host.IsAbsoluteUri || (host.Scheme != "http" && host.Scheme != "https")
                            select $"Hosts contains '{host}'; give an absolute address such as http://127.0.0.1:8080.");
        if (ConnectTimeout <= TimeSpan.Zero || ConnectTimeout > LongestWait) faults.Add($"ConnectTimeout is {ConnectTimeout}; give a time above zero, at most 1 day.");
        if (SilenceLimit < TimeSpan.FromMilliseconds(30) || SilenceLimit > LongestWait) faults.Add($"SilenceLimit is {SilenceLimit}; give 30 ms to 1 day.");
        if (UnansweredMax is < 1 or > 128) faults.Add($"UnansweredMax is {UnansweredMax}; give 1 to 128.");
        if (WaitingMax < 1) faults.Add($"WaitingMax is {WaitingMax}; give at least 1.");
        if ((CommandTimeout <= TimeSpan.Zero || CommandTimeout > LongestWait) && CommandTimeout != Timeout.InfiniteTimeSpan)
            faults.Add($"CommandTimeout is {CommandTimeout}; give a time above zero, at most 1 day, or Timeout.InfiniteTimeSpan.");
        if (ConnectRoundsMax < 1) faults.Add($"ConnectRoundsMax is {ConnectRoundsMax}; give at least 1.");
        if (FrameBytesMax < 1 << 16) faults.Add($"FrameBytesMax is {FrameBytesMax}; give at least 65536.");
        if (HeldItemsMax < 1) faults.Add($"HeldItemsMax is {HeldItemsMax}; give at least 1.");
        if (faults.Count > 0) throw new ArgumentException(string.Join(' ', faults));
    }
}
