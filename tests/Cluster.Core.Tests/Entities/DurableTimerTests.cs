using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.TestKit;

namespace ActorCluster.Tests.Entities;

/// <summary>Timers of journaled entities on one node over the model store.</summary>
public class DurableTimerTests
{
    private const string Client = "000074696d657273";

    [Fact]
    public async Task A_timer_fires_once_and_ends_in_the_commit_of_its_effect()
    {
        await using var node = await NodeAsync();
        Assert.Equal(0, await SetAsync(node, "a", "k", 0, 5));
        await Heard(node, "a", 5);
        var rows = node.Store.Inner.Database.Journal;
        Assert.Equal(2, rows.Count);
        Assert.StartsWith(Client, rows[1].Row.Command!.Value.Client.ToString(), StringComparison.Ordinal);
        Assert.Equal(64, rows[1].Row.Command!.Value.Sequence);
        Assert.Empty(node.Store.Inner.Database.Timers);
    }

    [Fact]
    public async Task There_is_no_timer_before_its_command_is_committed()
    {
        await using var node = await NodeAsync();
        node.Store.Hold();
        var set = node.Send("a", new SetAlarm("k", 0, 5));
        await node.Store.Asked;
        Assert.Empty(node.Store.Inner.Database.Timers);
        Assert.Equal(0, node.Host.DurableTimers.Held);
        node.Store.Release();
        await set.Is<Total>();
        await Heard(node, "a", 5);
    }

    [Fact]
    public async Task An_entity_that_left_memory_comes_back_for_its_timer()
    {
        await using var node = await NodeAsync();
        await SetAsync(node, "a", "k", 400, 5);
        await node.PassivateAllAsync();
        await Heard(node, "a", 5);
    }

    [Fact]
    public async Task The_next_owner_fires_what_the_last_one_has_set_and_nothing_twice()
    {
        var database = new ModelDatabase(Guid.NewGuid(), keepsClientIndex: true);
        var first = await NodeAsync(database);
        await SetAsync(first, "a", "k", 0, 5);
        await Heard(first, "a", 5);
        await SetAsync(first, "a", "k", 700, 7);
        await SetAsync(first, "b", "k", 800, 1);
        await first.DisposeAsync();
        await using var second = await NodeAsync(database);
        await Heard(second, "a", 12);
        await Heard(second, "b", 1);
        Assert.Empty(database.Timers);
        Assert.Equal(6, database.Journal.Count);
    }

    [Fact]
    public async Task A_timer_that_is_cancelled_or_replaced_does_not_fire()
    {
        await using var node = await NodeAsync();
        await SetAsync(node, "a", "gone", 300, 100);
        await SetAsync(node, "a", "k", 300, 1000);
        await SetAsync(node, "a", "k", 301, 5);
        await node.Send("a", new CancelAlarm("gone")).Is<Total>();
        await Heard(node, "a", 5);
        Assert.Empty(node.Store.Inner.Database.Timers);
        Assert.Equal(5, await node.SumAsync("a"));
    }

    [Fact]
    public async Task A_firing_may_set_the_timer_again()
    {
        await using var node = await NodeAsync();
        await node.Send("a", new SetAlarm("k", 0, 1, Times: 3)).Is<Total>();
        await Heard(node, "a", 3);
        Assert.Empty(node.Store.Inner.Database.Timers);
    }

    [Fact]
    public async Task A_firing_with_nothing_to_record_ends_the_timer_without_a_row()
    {
        await using var node = await NodeAsync();
        await SetAsync(node, "a", "k", 0, 0);
        await Waiting.Until(() => !HasTimers(node), () => "the timer is gone");
        Assert.Single(node.Store.Inner.Database.Journal);
    }

    [Fact]
    public async Task A_firing_in_doubt_takes_effect_once()
    {
        await using var node = await NodeAsync();
        await SetAsync(node, "a", "k", 200, 5);
        node.Store.Lose(StoreVerdict.InDoubt);
        node.Store.HoldResolves();
        await Waiting.Until(() => node.Store.Inner.Database.Journal.Count == 2, () => "the firing is committed, and its answer lost");
        node.Host.DropSpeculation();
        node.Store.ReleaseResolves();
        Assert.Equal(5, await node.SumAsync("a"));
        await Waiting.Until(() => node.Host.DurableTimers.Held == 0, () => "nothing is left to fire");
        Assert.Equal(5, await node.SumAsync("a"));
        Assert.Equal(2, node.Store.Inner.Database.Journal.Count);
    }

    [Fact]
    public async Task A_timer_that_committed_in_doubt_fires_although_its_entity_was_given_up()
    {
        await using var node = await NodeAsync();
        Assert.Equal(0, await node.SumAsync("a"));
        node.Store.Lose(StoreVerdict.InDoubt);
        node.Store.HoldResolves();
        var set = node.Send("a", new SetAlarm("k", 100, 5));
        await Waiting.Until(() => HasTimers(node), () => "the timer is in the store, and the answer lost");
        node.Host.DropSpeculation();
        await set.Is<EntityFailure>();
        node.Store.ReleaseResolves();
        await Heard(node, "a", 5);
    }

    [Fact]
    public async Task A_message_that_the_release_does_not_know_stays_in_the_table()
    {
        var database = new ModelDatabase(Guid.NewGuid(), keepsClientIndex: true);
        var first = await NodeAsync(database);
        await SetAsync(first, "a", "k", 300, 5);
        await first.DisposeAsync();
        await using (var older = await EntityNode.OfLedgersAsync(database))
        {
            var due = database.Timers.Single().Timer.DueUnixMs;
            await Waiting.Until(() => older.Store.TimerReads > 0 && older.Host.DurableTimers.NowUnixMs > due + 200 && older.Host.DurableTimers.Held == 0, () => "the timer was due, and not taken");
        }
        await using var newer = await NodeAsync(database);
        await Heard(newer, "a", 5);
    }

    [Theory]
    [InlineData("too many", "would have 65 timers; 64 is the most")]
    [InlineData("too large", "its message takes 16385 bytes; 16384 is the most")]
    [InlineData("unknown", "Unregistered is not registered")]
    [InlineData("read", "Read is a read request")]
    [InlineData("", "Timer key '' has 0 characters; give 1 to 64")]
    [InlineData("no event", "a timer is set or cancelled in the commit of an event")]
    public async Task What_cannot_be_is_refused_and_leaves_nothing(string what, string words)
    {
        await using var node = await NodeAsync();
        var failure = await node.Send("a", new Wrong(what)).Fails(FailureKind.EntityFaulted);
        Assert.True(failure.NoEffect);
        Assert.Contains(words, failure.Message, StringComparison.Ordinal);
        Assert.Empty(node.Store.Inner.Database.Journal);
        Assert.Equal(0, await SetAsync(node, "a", "k", 0, 5));
        await Heard(node, "a", 5);
    }

    [Fact]
    public async Task A_type_that_did_not_ask_for_timers_is_told_how()
    {
        await using var node = await EntityNode.OfAsync("ledger", Alarm.Register, () => new Alarm(timers: false));
        var failure = await node.Send("a", new SetAlarm("k", 0, 5)).Fails(FailureKind.EntityFaulted);
        Assert.Contains("override HasDurableTimers", failure.Message, StringComparison.Ordinal);
    }

    /// <summary>By the store, whose lock keeps what is read from changing meanwhile.</summary>
    private static bool HasTimers(EntityNode node) => !node.Store.Inner.ReadTimersAsync(node.Self, long.MaxValue, null, 1).AsTask().Result.Value!.Timers.IsEmpty;

    private static Task<EntityNode> NodeAsync(ModelDatabase? database = null) => EntityNode.OfAsync("ledger", Alarm.Register, () => new Alarm(timers: true), database);

    private static async Task<long> SetAsync(EntityNode node, string entity, string key, int afterMs, long amount)
    {
        var before = await node.SumAsync(entity);
        await node.Send(entity, new SetAlarm(key, afterMs, amount)).Is<Total>();
        return before;
    }

    private static async Task Heard(EntityNode node, string entity, long sum)
    {
        var until = Environment.TickCount64 + 20_000;
        for (long found; (found = await node.SumAsync(entity)) != sum; await Task.Delay(5))
            Assert.True(Environment.TickCount64 < until, $"{entity} should come to {sum} by its timers, and is at {found}.");
    }

    private sealed record SetAlarm(string Key, int AfterMs, long Amount, int Times = 1) : IRequest<Total>;

    private sealed record CancelAlarm(string Key) : IRequest<Total>;

    private sealed record Wrong(string What) : IRequest<Total>;

    private sealed record Unregistered;

    private sealed record Ring(string Key, long Amount, int Times);

    /// <summary>A sum that grows when its timers are due; 0 is nothing to record.</summary>
    private sealed class Alarm(bool timers) : JournaledEntity<long>
    {
        private long _sum;

        protected override bool HasDurableTimers => timers;

        protected override IEventCodec<long> Events { get; } = new Ledger.LongEvents();

        public static void Register(MessageCatalog messages)
        {
            Ledger.Register(messages);
            messages.Add<SetAlarm>("set.v1").Add<CancelAlarm>("cancel.v1").Add<Wrong>("wrong.v1").Add<Ring>("ring.v1");
        }

        protected override Decision<long> Decide(object message) => message switch
        {
            SetAlarm set => Decision<long>.Record(0).SetTimer(set.Key, TimeSpan.FromMilliseconds(set.AfterMs), new Ring(set.Key, set.Amount, set.Times)),
            CancelAlarm cancel => Decision<long>.Record(0).CancelTimer(cancel.Key),
            Ring { Amount: 0 } => default,
            Ring { Times: > 1 } ring => Decision<long>.Record(ring.Amount).SetTimer(ring.Key, TimeSpan.FromMilliseconds(1), ring with { Times = ring.Times - 1 }),
            Ring ring => Decision<long>.Record(ring.Amount),
            Wrong("too many") => Enumerable.Range(0, 65).Aggregate(Decision<long>.Record(0), (d, i) => d.SetTimer($"{i}", TimeSpan.Zero, new Ring("", 1, 1))),
            Wrong("too large") => Decision<long>.Record(0).SetTimer("k", TimeSpan.Zero, new Ring(new string('x', 16_385 - "{\"Key\":\"\",\"Amount\":1,\"Times\":1}".Length), 1, 1)),
            Wrong("unknown") => Decision<long>.Record(0).SetTimer("k", DateTimeOffset.UnixEpoch, new Unregistered()),
            Wrong("read") => Decision<long>.Record(0).SetTimer("k", TimeSpan.Zero, new Read()),
            Wrong("no event") => Decision<long>.Answer(new Total(0)).SetTimer("k", TimeSpan.Zero, new Ring("k", 1, 1)),
            Wrong(var key) => Decision<long>.Record(0).CancelTimer(key),
            _ => Decision<long>.Answer(new Total(_sum)),
        };

        protected override void Apply(long happened, long seq) => _sum += happened;

        protected override object? ReplyFor(long happened, long seq) => new Total(_sum);
    }
}
