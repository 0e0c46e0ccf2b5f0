using System.Collections.Concurrent;
using ActorCluster.Entities;

namespace ActorCluster.Tests.Entities;

public class EntityTurnTests
{
    [Fact]
    public async Task Turns_are_one_at_a_time_and_keep_the_order_of_each_sender()
    {
        await using var node = await NodeAsync();
        const int senders = 8, each = 2000;
        await Task.WhenAll(Enumerable.Range(0, senders).Select(s => Task.Run(() =>
        {
            for (var i = 1; i <= each; i++) Post(node, "e", new Note(s, i));
        })));
        var seen = await node.Send("e", new Show()).Is<Seen>();
        Assert.Equal(senders * each, seen.Notes.Count);
        Assert.All(seen.Notes.GroupBy(n => n.Sender), g => Assert.Equal(Enumerable.Range(1, each), g.Select(n => n.Number)));
        Assert.False(seen.Overlapped, "Two turns of one entity ran at once.");
    }

    [Fact]
    public async Task An_asynchronous_turn_ends_before_the_next_begins()
    {
        await using var node = await NodeAsync();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var slow = node.Send("e", new Wait(gate.Task));
        var after = node.Send("e", new Show());
        Assert.False(slow.IsThere || after.IsThere);
        gate.SetResult();
        await slow.Is<Done>();
        Assert.False((await after.Is<Seen>()).Overlapped);
    }

    [Fact]
    public async Task A_full_mailbox_refuses_and_keeps_what_it_has()
    {
        await using var node = await NodeAsync(mailboxMax: 3);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var slow = node.Send("e", new Wait(gate.Task) { Begun = begun });
        await begun.Task.Within("the first turn begins");
        var waiting = Enumerable.Range(0, 3).Select(_ => node.Send("e", new Show())).ToList();
        var refused = await node.Send("e", new Show()).Fails(FailureKind.MailboxFull);
        Assert.True(refused.NoEffect);
        gate.SetResult();
        await slow.Is<Done>();
        foreach (var answer in waiting) await answer.Is<Seen>();
    }

    [Fact]
    public async Task What_a_turn_that_threw_has_started_answers_nothing_any_more()
    {
        await using var node = await EntityNode.OfAsync("thrower", m => m.Add<Show>("show.v1"), () => new Thrower());
        Assert.Equal("first", await node.Send("e", new Show()).Is<string>());
        var context = await Thrower.Left.Task.Within("the entity leaves its context behind");
        await Waiting.Until(() => Throws(() => context.Reply("second")), () => "a reply after the turn is refused");

        static bool Throws(Action what)
        {
            try { what(); }
            catch (InvalidOperationException) { return true; }
            return false;
        }
    }

    private sealed class Thrower : Entity
    {
        public static readonly TaskCompletionSource<EntityContext> Left = new(TaskCreationOptions.RunContinuationsAsynchronously);

        protected internal override ValueTask ReceiveAsync(object message)
        {
            Context.Reply("first");
            Left.TrySetResult(Context);
            throw new InvalidOperationException("after the answer");
        }
    }

    [Fact]
    public async Task An_entity_that_throws_hurts_the_sender_alone_and_lives_on()
    {
        await using var node = await NodeAsync();
        Post(node, "e", new Note(1, 1));
        var failed = await node.Send("e", new Fail()).Fails(FailureKind.EntityFaulted);
        Assert.False(failed.NoEffect); // It may have changed something before it threw.
        var later = await node.Send("e", new FailLater()).Fails(FailureKind.EntityFaulted);
        Assert.Contains("later", later.Message, StringComparison.Ordinal);
        Assert.Single((await node.Send("e", new Show()).Is<Seen>()).Notes);
    }

    [Fact]
    public async Task An_ask_whose_turn_ends_without_an_answer_fails_at_once()
    {
        await using var node = await NodeAsync();
        var unanswered = node.Send("e", new Note(1, 1));
        Assert.False((await unanswered.Fails(FailureKind.EntityFaulted)).NoEffect);
        var twice = node.Send("e", new AnswerTwice());
        await twice.Is<Done>();
        await node.Send("e", new Show()).Is<Seen>();
        Assert.Equal(1, twice.Count);
    }

    [Fact]
    public async Task A_failing_activation_fails_who_waits_and_the_next_message_tries_anew()
    {
        var fails = true;
        await using var node = await EntityNode.OfAsync("log", Register, () => new Log(() => fails));
        await node.Send("e", new Show()).Fails(FailureKind.EntityFaulted);
        fails = false;
        await node.Send("e", new Show()).Is<Seen>();
    }

    [Fact]
    public async Task A_factory_that_throws_fails_the_message_and_not_the_caller()
    {
        await using var node = await EntityNode.OfAsync("log", Register, () => throw new InvalidOperationException("no"));
        Assert.True((await node.Send("e", new Show()).Fails(FailureKind.EntityFaulted)).NoEffect);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Messages_that_meet_a_passivation_are_all_delivered_in_order(int seed)
    {
        var log = new ConcurrentQueue<Note>();
        await using var node = await EntityNode.OfAsync("log", Register, () => new Log(() => false) { Shared = log });
        using var stop = new CancellationTokenSource();
        var passivating = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested) node.Shard.Passivate(int.MaxValue);
        });
        const int each = 3000;
        await Task.WhenAll(Enumerable.Range(0, 2).Select(s => Task.Run(() =>
        {
            var random = new Random(seed * 10 + s);
            for (var i = 1; i <= each; i++)
            {
                Post(node, "e", new Note(s, i));
                if (random.Next(4) == 0) Thread.SpinWait(random.Next(2000));
            }
        })));
        await Waiting.Until(() => log.Count == 2 * each, () => $"seed {seed}: {2 * each} messages delivered, {log.Count} are");
        await stop.CancelAsync();
        await passivating;
        Assert.All(log.GroupBy(n => n.Sender), g => Assert.Equal(Enumerable.Range(1, each), g.Select(n => n.Number)));
    }

    [Fact]
    public async Task A_closed_shard_activates_nothing_any_more()
    {
        await using var node = await NodeAsync();
        await node.Send("e", new Show()).Is<Seen>();
        var shard = node.Shard;
        shard.Close();
        shard.Open();
        await node.Send("e", new Show()).Fails(FailureKind.EntityUnavailable);
        Assert.Equal(0, shard.ActiveEntities);
    }

    [Fact]
    public async Task A_drain_that_is_taken_back_drops_nothing()
    {
        await using var node = await NodeAsync();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(node, "e", new Note(1, 1));
        var slow = node.Send("e", new Wait(gate.Task));
        var drained = node.Shard.DrainAsync(node.Shard.CloseIntake(), TimeSpan.FromMinutes(1));
        await node.Send("e", new Show()).Fails(FailureKind.EntityUnavailable);
        node.Shard.Open();
        Assert.False(await drained.Within("the drain notices that the shard opened again"));
        gate.SetResult();
        await slow.Is<Done>();
        Assert.Single((await node.Send("e", new Show()).Is<Seen>()).Notes);
    }

    [Fact]
    public async Task A_drain_past_its_limit_tells_who_waits_and_still_ends()
    {
        await using var node = await NodeAsync();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        node.Send("e", new Wait(gate.Task) { Begun = begun });
        await begun.Task.Within("the turn begins");
        var waiting = node.Send("e", new Show());
        Assert.True(await node.Shard.DrainAsync(node.Shard.CloseIntake(), TimeSpan.Zero).Within("the drain ends although a turn hangs"));
        Assert.True((await waiting.Fails(FailureKind.EntityUnavailable)).NoEffect);
        gate.SetResult();
    }

    private static Task<EntityNode> NodeAsync(int mailboxMax = 100_000) => EntityNode.OfAsync("log", Register, () => new Log(() => false), mailboxMax: mailboxMax);

    private static void Post(EntityNode node, string entity, Note note) => node.Tell(entity, note);

    private static void Register(MessageCatalog messages) { }

    private sealed record Note(int Sender, int Number);

    private sealed record Show;

    private sealed record Fail;

    private sealed record FailLater;

    private sealed record AnswerTwice;

    private sealed record Wait(Task Until)
    {
        public TaskCompletionSource? Begun { get; init; }
    }

    private sealed record Done;

    private sealed record Seen(IReadOnlyList<Note> Notes, bool Overlapped);

    private sealed class Log(Func<bool> failsToStart) : Entity
    {
        private readonly List<Note> _notes = [];
        private int _inside;
        private bool _overlapped;

        public ConcurrentQueue<Note>? Shared { get; init; }

        protected internal override ValueTask ActivateAsync() => failsToStart() ? throw new InvalidOperationException("not now") : ValueTask.CompletedTask;

        protected internal override async ValueTask ReceiveAsync(object message)
        {
            if (Interlocked.Exchange(ref _inside, 1) == 1) _overlapped = true;
            try
            {
                await TakeAsync(message);
            }
            finally
            {
                Volatile.Write(ref _inside, 0);
            }
        }

        private async ValueTask TakeAsync(object message)
        {
            switch (message)
            {
                case Note note:
                    _notes.Add(note);
                    Shared?.Enqueue(note);
                    break;
                case Wait wait:
                    wait.Begun?.SetResult();
                    await wait.Until;
                    Context.Reply(new Done());
                    break;
                case AnswerTwice:
                    Context.Reply(new Done());
                    Context.Reply(new Done());
                    break;
                case Fail:
                    throw new InvalidOperationException("at once");
                case FailLater:
                    await Task.Yield();
                    throw new InvalidOperationException("later");
                default:
                    Context.Reply(new Seen([.. _notes], _overlapped));
                    break;
            }
        }
    }
}
