namespace ActorCluster.Client;

/// <summary>Decides which host is tried next and after which pause (docs/client-protocol.md, "Closing").</summary>
internal sealed class HostList(IReadOnlyList<Uri> given)
{
    private const int PauseMaxMs = 2_000;

    private List<Uri> _hosts = Distinct(given);
    private int _next;
    private int _tried;

    /// <summary>The host tried last; null before the first attempt.</summary>
    public Uri? Current { get; private set; }

    /// <summary>Whole rounds since a connection last held.</summary>
    public int Rounds => _tried / _hosts.Count;

    public (Uri Host, TimeSpan Pause) Next()
    {
        var pause = _tried > 0 && _tried % _hosts.Count == 0 ? PauseAfter(_tried / _hosts.Count) : TimeSpan.Zero;
        Current = _hosts[_next];
        _tried++;
        _next = (_next + 1) % _hosts.Count;
        return (Current, pause);
    }

    /// <summary>The same host again, at once: it refused something that will not be said again.</summary>
    public void Stay()
    {
        _next = Math.Max(0, IndexOf(Current));
        _tried = Math.Max(0, _tried - 1);
    }

    /// <summary>A connection held long enough that the next loss starts a new round.</summary>
    public void Settled() => _tried = 0;

    /// <summary>Takes the server's list; the given hosts stay behind it. The next one is the one after the current.</summary>
    public void Replace(IReadOnlyList<Uri> hosts)
    {
        if (hosts.Count == 0) return; // A node that knows no other is no reason to forget the rest.
        var tried = Math.Min(_tried, 1);
        _hosts = Distinct([.. hosts, .. given]);
        _next = (IndexOf(Current) + 1) % _hosts.Count; // Not in the list, as behind a load balancer: -1 + 1 is its first.
        _tried = tried;
    }

    private static TimeSpan PauseAfter(int rounds) =>
        TimeSpan.FromMilliseconds(rounds <= 1 ? 0 : Math.Min(PauseMaxMs, 100 << Math.Min(rounds - 2, 10)));

    private static List<Uri> Distinct(IEnumerable<Uri> hosts) => [.. hosts.DistinctBy(Key, StringComparer.OrdinalIgnoreCase)];

    private static string Key(Uri host) => host.GetLeftPart(UriPartial.Authority);

    private int IndexOf(Uri? host) =>
        host is null ? -1 : _hosts.FindIndex(h => string.Equals(Key(h), Key(host), StringComparison.OrdinalIgnoreCase));
}
