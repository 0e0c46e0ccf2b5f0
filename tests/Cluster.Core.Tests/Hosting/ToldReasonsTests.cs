using ActorCluster.Hosting;

namespace ActorCluster.Tests.Hosting;

public class ToldReasonsTests
{
    private readonly ToldReasons _told = new();

    [Fact]
    public void A_reason_is_told_when_it_is_new_then_once_a_minute()
    {
        var told = Enumerable.Range(0, 241).Where(halfSeconds => _told.IsNews("Start", "no connection is free", TimeSpan.FromSeconds(halfSeconds / 2d)));
        Assert.Equal([0, 120, 240], told);
    }

    [Fact]
    public void Two_reasons_that_take_turns_are_each_told_once() =>
        Assert.Equal(2, Enumerable.Range(0, 100).Count(i => _told.IsNews("Start", i % 2 == 0 ? "refused" : "no answer", TimeSpan.FromSeconds(i / 2d))));

    [Fact]
    public void Once_a_call_has_succeeded_its_next_failure_is_news_and_that_of_another_call_is_not()
    {
        Assert.True(_told.IsNews("Renew", "no answer", TimeSpan.Zero));
        Assert.True(_told.IsNews("ChangeView", "no answer", TimeSpan.Zero));
        Assert.False(_told.IsNews("Renew", null, TimeSpan.FromSeconds(1)));
        Assert.True(_told.IsNews("Renew", "no answer", TimeSpan.FromSeconds(2)));
        Assert.False(_told.IsNews("ChangeView", "no answer", TimeSpan.FromSeconds(2)));
    }

    [Fact]
    public void Of_very_many_reasons_the_oldest_are_forgotten()
    {
        for (var i = 0; i < 10_000; i++) Assert.True(_told.IsNews("Start", $"reason {i}", TimeSpan.FromMilliseconds(i)));
        Assert.False(_told.IsNews("Start", "reason 9999", TimeSpan.FromSeconds(11)));
        Assert.True(_told.IsNews("Start", "reason 0", TimeSpan.FromSeconds(11)));
    }
}
