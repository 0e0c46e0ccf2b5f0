using ActorCluster.Primitives;
using ActorCluster.Tests.Entities;

namespace ActorCluster.Tests.Primitives;

public class TurnQueueTests
{
    [Fact]
    public async Task Items_of_one_thread_of_the_queue_run_in_order()
    {
        var order = new List<int>();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        TurnQueue.Add(new Item(() =>
        {
            for (var i = 0; i < 3; i++)
            {
                var number = i;
                TurnQueue.Add(new Item(() =>
                {
                    lock (order) order.Add(number);
                    if (number == 2) done.SetResult();
                }));
            }
        }));
        await done.Task.Within("three items");
        Assert.Equal([0, 1, 2], order);
    }

    [Fact]
    public async Task An_item_that_blocks_until_a_later_one_has_run_is_passed_by()
    {
        var released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var gate = new ManualResetEventSlim();
        TurnQueue.Add(new Item(() =>
        {
            TurnQueue.Add(new Item(gate.Set)); // Waits behind this one, in the same queue.
            Assert.True(gate.Wait(TimeSpan.FromSeconds(20)));
            released.SetResult();
        }));
        await released.Task.Within("the item behind the blocked one is executed by another thread");
    }

    [Fact]
    public async Task A_chain_of_blocking_items_never_stops()
    {
        const int Items = 6; // Each takes a thread, and the pool makes new ones slowly.
        var left = Items;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        for (var i = 0; i < Items; i++)
            TurnQueue.Add(new Item(() =>
            {
                using var inner = new ManualResetEventSlim();
                TurnQueue.Add(new Item(inner.Set));
                inner.Wait(TimeSpan.FromSeconds(20));
                if (Interlocked.Decrement(ref left) == 0) done.SetResult();
            }));
        await done.Task.Within("all of them");
    }

    [Fact]
    public async Task Every_item_runs_once_however_many_threads_add_and_block()
    {
        const int Threads = 4, PerThread = 20_000;
        var runs = new int[Threads * PerThread];
        var left = runs.Length;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var adding = Enumerable.Range(0, Threads).Select(t => Task.Run(() =>
        {
            for (var i = 0; i < PerThread; i++)
            {
                var number = (t * PerThread) + i;
                TurnQueue.Add(new Item(() =>
                {
                    Interlocked.Increment(ref runs[number]);
                    if (number % 997 == 0) Thread.Sleep(6); // Long enough for the watch to have another thread go on.
                    if (Interlocked.Decrement(ref left) == 0) done.SetResult();
                }));
            }
        }));
        await Task.WhenAll(adding);
        await done.Task.Within($"all items run, {Volatile.Read(ref left)} are left");
        Assert.All(runs, r => Assert.Equal(1, r));
    }

    [Fact]
    public async Task What_an_item_leaves_in_the_execution_context_does_not_reach_the_next()
    {
        var leaked = new AsyncLocal<string>();
        var seen = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
        TurnQueue.Add(new Item(() =>
        {
            leaked.Value = "mine";
            TurnQueue.Add(new Item(() => seen.SetResult(leaked.Value)));
        }));
        Assert.Null(await seen.Task.Within("the second item"));
    }

    private sealed class Item(Action what) : IThreadPoolWorkItem
    {
        public void Execute() => what();
    }
}
