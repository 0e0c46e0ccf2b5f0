using System.Runtime.CompilerServices;
using ActorCluster.Entities;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Entities;

public sealed class AskTests : IDisposable
{
    private static readonly EntityId Somebody = new("counter", "c-1");
    private readonly AskClock _clock = new(TimeSpan.FromMilliseconds(50));

    public void Dispose() => _clock.Dispose();

    [Fact]
    public async Task An_ask_that_nobody_answers_times_out_and_its_object_is_not_used_again()
    {
        var ask = Ask<int>.Rent(_clock);
        var reply = ask.Start(Somebody, "question", null, CancellationToken.None).AsTask();
        var failed = await Assert.ThrowsAsync<EntityException>(() => reply.Within("the ask times out"));
        Assert.Equal(FailureKind.AskTimeout, failed.Failure.Kind);
        ask.Reply(7); // Too late, and for nobody.
        Assert.NotSame(ask, Ask<int>.Rent(_clock));
    }

    [Fact]
    public async Task An_answer_in_the_turn_frees_the_object_and_a_second_answer_to_it_finds_nobody()
    {
        var ask = Ask<int>.Rent(_clock);
        var reply = ask.Start(Somebody, "question", null, CancellationToken.None);
        Assert.True(ask.TryAnswerInTurn(7));
        Assert.False(ask.TryAnswerInTurn(8));
        ask.Resume();
        Assert.Equal(7, await reply);
        ask.Reply(9);
        Assert.Same(ask, Ask<int>.Rent(_clock));
    }

    [Fact]
    public async Task An_answer_outside_the_turn_reaches_the_caller_and_the_object_is_not_used_again()
    {
        var ask = Ask<string>.Rent(_clock);
        var reply = ask.Start(Somebody, "question", null, CancellationToken.None).AsTask();
        ask.Reply("first");
        ask.Reply("second");
        Assert.Equal("first", await reply.Within("the reply"));
        Assert.NotSame(ask, Ask<string>.Rent(_clock));
    }

    [Fact]
    public async Task A_reply_of_another_type_is_a_fault_that_names_both()
    {
        var ask = Ask<int>.Rent(_clock);
        var reply = ask.Start(Somebody, "question", null, CancellationToken.None).AsTask();
        ask.Reply("seven");
        var failed = await Assert.ThrowsAsync<EntityException>(() => reply.Within("the ask fails"));
        Assert.Contains("String, not a Int32", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cancelled_ask_ends_at_once_and_its_late_answer_finds_nobody()
    {
        using var cancel = new CancellationTokenSource();
        var ask = Ask<int>.Rent(_clock);
        var reply = ask.Start(Somebody, "question", null, cancel.Token).AsTask();
        Assert.False(ask.IsAbandoned);
        await cancel.CancelAsync();
        Assert.True(ask.IsAbandoned);
        Assert.False(ask.TryAnswerInTurn(7));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reply.Within("the ask ends"));
    }

    [Fact]
    public async Task Cancelling_after_the_answer_does_not_reach_the_next_ask_of_the_same_object()
    {
        using var cancel = new CancellationTokenSource();
        var first = Ask<int>.Rent(_clock);
        var reply = first.Start(Somebody, "question", null, cancel.Token);
        first.TryAnswerInTurn(1);
        first.Resume();
        Assert.Equal(1, await reply);
        var second = Ask<int>.Rent(_clock);
        Assert.Same(first, second);
        var next = second.Start(Somebody, "question", null, CancellationToken.None).AsTask();
        await cancel.CancelAsync();
        Assert.False(next.IsCompleted);
        second.Reply(2);
        Assert.Equal(2, await next.Within("the second reply"));
    }

    [Fact]
    public async Task Asking_for_the_result_too_early_fails_and_the_ask_goes_on()
    {
        var ask = Ask<int>.Rent(_clock);
        var reply = ask.Start(Somebody, "question", null, CancellationToken.None);
        Assert.Throws<InvalidOperationException>(() => reply.GetAwaiter().GetResult());
        ask.Reply(7);
        Assert.Equal(7, await reply.AsTask().Within("the reply"));
    }

    [Fact]
    public async Task What_is_free_for_long_and_what_was_answered_wrongly_is_let_go_of()
    {
        var mistyped = Ask<long>.Rent(_clock);
        var failing = mistyped.Start(Somebody, "question", null, CancellationToken.None);
        Assert.True(mistyped.TryAnswerInTurn("seven"));
        mistyped.Resume();
        await Assert.ThrowsAsync<EntityException>(async () => await failing);
        var free = Ask<long>.Rent(_clock);
        var reply = free.Start(Somebody, "question", null, CancellationToken.None);
        Assert.True(free.TryAnswerInTurn(7L));
        free.Resume();
        Assert.Equal(7, await reply);
        await Waiting.Until(() => _clock.Watched == 0, () => $"nothing is watched, not {_clock.Watched}");
        Assert.NotSame(free, Ask<long>.Rent(_clock));
    }

    [Fact]
    public async Task Asks_under_way_end_with_their_node()
    {
        var clock = new AskClock(TimeSpan.FromMinutes(1));
        var reply = Ask<int>.Rent(clock).Start(Somebody, "question", null, CancellationToken.None).AsTask();
        clock.Dispose();
        Assert.Equal(FailureKind.EntityUnavailable, (await Assert.ThrowsAsync<EntityException>(() => reply.Within("the ask ends"))).Failure.Kind);
    }

    [Fact]
    public async Task The_clock_lets_go_of_what_has_ended()
    {
        await EndManyAsync();
        await Waiting.Until(() => _clock.Watched <= 1, () => $"one free ask is watched, not {_clock.Watched}");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private async Task EndManyAsync()
    {
        for (var i = 0; i < 1_000; i++)
        {
            var ask = Ask<Guid>.Rent(_clock);
            var reply = ask.Start(Somebody, "question", null, CancellationToken.None).AsTask();
            ask.Reply(Guid.Empty);
            await reply;
        }
    }
}
