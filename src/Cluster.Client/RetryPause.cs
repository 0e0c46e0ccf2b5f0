namespace ActorCluster.Client;

/// <summary>How long to wait before sending again what was refused for the moment.</summary>
internal static class RetryPause
{
    private const int FirstMs = 25;
    private const int MaxMs = 2_000;
    private const int AskedMaxMs = 60_000;

    /// <param name="refusals">How often it was refused in a row, from 1.</param>
    /// <param name="askedMs">The server's afterMs, or below 0 if it gave none. At least 1 ms, so that no timer fires inside the call that sets it.</param>
    public static TimeSpan After(int refusals, int askedMs) => TimeSpan.FromMilliseconds(
        askedMs >= 0 ? Math.Clamp(askedMs, 1, AskedMaxMs) : Math.Min(MaxMs, FirstMs << Math.Min(refusals - 1, 10)));
}
