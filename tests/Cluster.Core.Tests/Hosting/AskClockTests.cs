using ActorCluster.Hosting;
using ActorCluster.Tests.Entities;

namespace ActorCluster.Tests.Hosting;

public class AskClockTests
{
    [Fact]
    public async Task Asks_end_in_the_order_of_their_beginning_and_those_that_were_answered_never()
    {
        using var clock = new AskClock(TimeSpan.FromMilliseconds(20));
        var ended = new List<int>();
        var asks = Enumerable.Range(0, 5).Select(i => new Ask(i, ended)).ToList();
        foreach (var ask in asks) clock.Add(ask);
        foreach (var answered in new[] { 0, 2, 4 })
        {
            AskClock.Remove(asks[answered]);
            AskClock.Remove(asks[answered]); // Twice is harmless.
        }
        await asks[3].Ended.Within("the last ask under way times out");
        lock (ended) Assert.Equal([1, 3], ended);
    }

    private sealed class Ask(int number, List<int> ended) : IAsk
    {
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private AskPlace _place;

        public Task Ended => _ended.Task;

        public ref AskPlace Place => ref _place;

        public void TimeOut(TimeSpan limit)
        {
            lock (ended) ended.Add(number);
            _ended.SetResult();
        }
    }
}
