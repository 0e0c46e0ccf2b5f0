using ActorCluster.Entities;

namespace ActorCluster.Tests.Entities;

public class EntityTimerTests
{
    [Fact]
    public async Task A_timer_fires_once_and_one_that_was_cancelled_or_replaced_never()
    {
        await using var node = await NodeAsync();
        await node.Send("e", new Set("replaced", 0, "old")).Is<string>();
        await node.Send("e", new Set("cancelled", 3_600_000, "never")).Is<string>();
        await node.Send("e", new Cancel("cancelled")).Is<string>();
        // The first set is due at once, so its firing may wait in the mailbox while it is replaced in the same turn.
        await node.Send("e", new Replace("swap", "first", "second")).Is<string>();
        await Waiting.Until(() => Ring.Heard(node).Count >= 2, () => $"two timers fire, heard {string.Join(", ", Ring.Heard(node))}");
        await node.Send("e", new Set("last", 0, "last")).Is<string>();
        await Waiting.Until(() => Ring.Heard(node).Contains("last"), () => "the last timer fires");
        Assert.Equal(["old", "second", "last"], Ring.Heard(node));
    }

    [Fact]
    public async Task An_entity_with_a_timer_stays_in_memory_until_it_fired()
    {
        await using var node = await NodeAsync();
        await node.Send("e", new Set("t", 3_600_000, "never")).Is<string>();
        await node.Send("e", new Cancel("other")).Is<string>();
        node.Shard.Passivate(int.MaxValue);
        Assert.Equal(1, node.Shard.ActiveEntities);
        await node.Send("e", new Cancel("t")).Is<string>();
        await node.PassivateAllAsync();
    }

    [Fact]
    public async Task Timers_end_with_their_entity()
    {
        await using var node = await NodeAsync();
        for (var i = 0; i < 200; i++) await node.Send("e", new Set($"t{i}", 3_600_000, "never")).Is<string>();
        Assert.Equal(200, node.Host.Timers.Places);
        node.Shard.Reset(EntityFailure.Unreachable, EntityFailure.Lost);
        await Waiting.Until(() => node.Host.Timers.Places <= 130, () => $"the dropped entity's timers are cleared away, {node.Host.Timers.Places} are kept");
    }

    [Fact]
    public async Task Setting_a_timer_again_and_again_keeps_one_place()
    {
        await using var node = await NodeAsync();
        for (var i = 0; i < 2000; i++) node.Tell("e", new Set("idle", 3_600_000 + i, "never"));
        await node.Send("e", new Cancel("other")).Is<string>();
        Assert.Equal(1, node.Host.Timers.Places);
        for (var i = 0; i < 2000; i++)
        {
            node.Tell("e", new Set("short", 3_000_000, "never"));
            node.Tell("e", new Cancel("short"));
            if (i % 500 == 0) await node.Send("e", new Cancel("other")).Is<string>();
        }
        await node.Send("e", new Cancel("other")).Is<string>();
        Assert.True(node.Host.Timers.Places < 200, $"{node.Host.Timers.Places} places are kept for one timer.");
    }

    [Fact]
    public async Task A_timer_may_lie_further_ahead_than_the_clock_can_count()
    {
        await using var node = await NodeAsync();
        await node.Send("e", new SetFar()).Is<string>();
        await node.Send("e", new Set("soon", 0, "soon")).Is<string>();
        await Waiting.Until(() => Ring.Heard(node).Contains("soon"), () => "the timer that is due fires beside the far one");
    }

    private static Task<EntityNode> NodeAsync() => EntityNode.OfAsync("ring", _ => { }, () => new Ring());

    private sealed record Set(string Name, int DueMs, string Says);

    private sealed record Replace(string Name, string First, string Second);

    private sealed record Cancel(string Name);

    private sealed record SetFar;

    private sealed class Ring : Entity
    {
        private static readonly System.Runtime.CompilerServices.ConditionalWeakTable<EntityHost, List<string>> Lists = [];

        public static IReadOnlyList<string> Heard(EntityNode node)
        {
            var list = Lists.GetOrCreateValue(node.Host);
            lock (list) return [.. list];
        }

        protected internal override ValueTask ReceiveAsync(object message)
        {
            switch (message)
            {
                case Set set:
                    Context.SetTimer(set.Name, TimeSpan.FromMilliseconds(set.DueMs), set.Says);
                    break;
                case Replace both:
                    Context.SetTimer(both.Name, TimeSpan.Zero, both.First);
                    var until = Environment.TickCount64 + 20;
                    while (Environment.TickCount64 < until) Thread.SpinWait(100); // Its firing is in the mailbox by now.
                    Context.SetTimer(both.Name, TimeSpan.Zero, both.Second);
                    break;
                case Cancel cancel:
                    Context.CancelTimer(cancel.Name);
                    break;
                case SetFar:
                    Context.SetTimer("far", TimeSpan.FromDays(400), "never");
                    Context.SetTimer("farthest", TimeSpan.MaxValue, "never");
                    break;
                case string says:
                    var list = Lists.GetOrCreateValue(Context.Cell.Host);
                    lock (list) list.Add(says);
                    return ValueTask.CompletedTask;
            }
            Context.Reply("done");
            return ValueTask.CompletedTask;
        }
    }
}
