using System.Diagnostics;
using ActorCluster.Entities;

namespace ActorCluster.Tests.Entities;

/// <summary>Waits for what a test names, and says what came instead.</summary>
internal static class Waiting
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    public static async Task Within(this Task awaited, string expected)
    {
        try { await awaited.WaitAsync(Limit); }
        catch (TimeoutException) { Assert.Fail($"Expected within {Limit}: {expected}."); }
    }

    public static async Task<T> Within<T>(this Task<T> awaited, string expected)
    {
        await Within((Task)awaited, expected);
        return await awaited;
    }

    /// <summary>Looks again and again, giving way to whatever runs, until it holds.</summary>
    public static async Task Until(Func<bool> holds, Func<string> expected)
    {
        for (var started = Stopwatch.GetTimestamp(); !holds(); await Task.Yield())
            if (Stopwatch.GetElapsedTime(started) > Limit) Assert.Fail($"Expected within {Limit}: {expected()}.");
    }
}

/// <summary>Takes an answer and notices a second one.</summary>
internal sealed class Answer(string to) : IReplySink
{
    private readonly TaskCompletionSource<object> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public bool IsThere => _first.Task.IsCompleted;

    public void Reply(object reply)
    {
        Interlocked.Increment(ref _count);
        _first.TrySetResult(reply);
    }

    public void Fail(EntityFailure failure) => Reply(failure);

    public async Task<T> Is<T>()
    {
        var got = await _first.Task.Within($"an answer to {to}");
        return got is T right ? right : throw new Xunit.Sdk.XunitException($"Answer to {to}: expected a {typeof(T).Name}, got {got}.");
    }

    public async Task<EntityFailure> Fails(FailureKind kind)
    {
        var failure = await Is<EntityFailure>();
        Assert.True(failure.Kind == kind, $"Answer to {to}: expected {kind}, got {failure}.");
        return failure;
    }
}
