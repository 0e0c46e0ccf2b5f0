namespace ActorCluster.Hosting;

/// <summary>Why calls failed, as far as the log has been told: a call that fails over and over for one reason is a line when the reason is new, and one a minute while it stays.</summary>
/// <remarks>Thread-safe. Holds 64 reasons; beyond them the one that was told longest ago is forgotten, and is news again.</remarks>
internal sealed class ToldReasons
{
    /// <summary>How long one reason of one call stays unmentioned.</summary>
    public static readonly TimeSpan Again = TimeSpan.FromMinutes(1);

    private const int ReasonsMax = 64;

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Call, string Reason), TimeSpan> _told = [];

    /// <summary>Whether an answer is to be logged.</summary>
    /// <param name="call">What was called.</param>
    /// <param name="reason">Why it failed; null when it succeeded, which is never news and makes its next failure news whatever the reason.</param>
    /// <param name="now">Monotonic.</param>
    public bool IsNews(string call, string? reason, TimeSpan now)
    {
        lock (_lock)
        {
            if (reason is null)
            {
                foreach (var key in _told.Keys.Where(k => k.Call == call).ToList()) _told.Remove(key);
                return false;
            }
            if (_told.TryGetValue((call, reason), out var told) && now - told < Again) return false;
            if (_told.Count >= ReasonsMax) _told.Remove(_told.MinBy(t => t.Value).Key);
            _told[(call, reason)] = now;
            return true;
        }
    }
}
