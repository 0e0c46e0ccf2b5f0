using System.Diagnostics;

namespace ActorCluster.MultiNode.Tests.Nodes;

/// <summary>Waits for conditions; what was found instead stands in the failure.</summary>
internal static class Await
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    /// <summary>Waits until a condition holds.</summary>
    /// <param name="expected">Which node, and what of it.</param>
    /// <param name="limit">How long at most.</param>
    /// <param name="holds">The condition.</param>
    /// <param name="found">What is there instead.</param>
    /// <returns>How long it took.</returns>
    public static async Task<TimeSpan> UntilAsync(string expected, TimeSpan limit, Func<Task<bool>> holds, Func<Task<string>> found)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await holds())
        {
            if (Stopwatch.GetElapsedTime(started) > limit) Assert.Fail($"Expected within {limit.TotalSeconds} s: {expected}. Found: {await found()}");
            await Task.Delay(Poll);
        }
        return Stopwatch.GetElapsedTime(started);
    }
}
