using System.Diagnostics;

namespace ActorCluster.AspNetCore.Tests;

/// <summary>Waits for what tells nobody when it happens, with a limit whose message says what was found instead.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    public static Task IsAsync(string what, Func<bool> holds, Func<string> found) =>
        IsAsync(what, () => Task.FromResult(holds()), found);

    public static async Task IsAsync(string what, Func<Task<bool>> holds, Func<string> found)
    {
        var since = Stopwatch.GetTimestamp();
        using var again = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await holds())
        {
            if (Stopwatch.GetElapsedTime(since) > Limit) Assert.Fail($"Expected within {Limit.TotalSeconds} s: {what}. Found: {found()}");
            await again.WaitForNextTickAsync();
        }
    }
}
