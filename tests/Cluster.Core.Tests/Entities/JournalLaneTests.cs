using System.Collections.Immutable;
using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Entities;

public class JournalLaneTests
{
    private static readonly ShardNo Shard = new(1);
    private static readonly Epoch Epoch = new(3);
    private readonly JournalLane _lane = new(Guid.NewGuid);
    private readonly List<JournalNews> _news = [];
    private readonly Owner _owner = new();

    public JournalLaneTests() => _lane.Open(Shard, Epoch, new Incarnation(1), nextSeq: 10);

    [Fact]
    public void A_batch_in_doubt_is_resolved_before_anything_else_is_written()
    {
        Add(1);
        var append = Next<JournalCall.Append>();
        Add(2);
        Appended(append, StoreVerdict.InDoubt);
        var resolve = Next<JournalCall.Resolve>();
        Assert.Equal(append.Batches[0].BatchId, resolve.Batch.BatchId);
        Resolved(resolve, BatchResolution.Committed);
        Assert.Single(_news.OfType<JournalNews.Committed>());
        Assert.Equal(11, Next<JournalCall.Append>().Batches[0].ExpectedSeq);
    }

    [Fact]
    public void What_did_not_commit_goes_again_as_it_was()
    {
        Add(1);
        var append = Next<JournalCall.Append>();
        Appended(append, StoreVerdict.InDoubt);
        Resolved(Next<JournalCall.Resolve>(), BatchResolution.NotCommitted);
        Assert.Same(append.Batches[0], Next<JournalCall.Append>().Batches[0]);
    }

    [Fact]
    public void An_unresolved_batch_is_asked_for_again()
    {
        Add(1);
        Appended(Next<JournalCall.Append>(), StoreVerdict.InDoubt);
        _lane.Resolved(Next<JournalCall.Resolve>(), StoreResult.Not<BatchResolution>(StoreVerdict.NotSent, "away"), _news);
        Next<JournalCall.Resolve>();
    }

    [Fact]
    public void An_abandoned_batch_is_still_brought_to_an_end_and_reported_to_nobody()
    {
        Add(1);
        Appended(Next<JournalCall.Append>(), StoreVerdict.InDoubt);
        var generation = _lane.Abandon(Shard, Epoch);
        Assert.True(_lane.HasOrphans(Shard, Epoch));
        Resolved(Next<JournalCall.Resolve>(), BatchResolution.Committed);
        Assert.True(_lane.IsClear(Shard, Epoch));
        Assert.Empty(_news);
        Assert.False(_lane.Add(Shard, Epoch, 0, Row(2), _owner)); // Decided by an entity that was given up.
        Assert.True(_lane.Add(Shard, Epoch, generation, Row(2), _owner));
        Assert.Equal(11, Next<JournalCall.Append>().Batches[0].ExpectedSeq);
    }

    [Fact]
    public void An_abandoned_batch_that_was_not_written_is_not_sent_again()
    {
        Add(1);
        var append = Next<JournalCall.Append>();
        var generation = _lane.Abandon(Shard, Epoch);
        Assert.True(_lane.HasOrphans(Shard, Epoch)); // Under way: it may commit yet.
        Appended(append, StoreVerdict.NotSent);
        Assert.False(_lane.HasOrphans(Shard, Epoch));
        Assert.Null(_lane.Next());

        Assert.True(_lane.Add(Shard, Epoch, generation, Row(2), _owner));
        Appended(Next<JournalCall.Append>(), StoreVerdict.NotSent);
        _lane.Abandon(Shard, Epoch);
        Assert.True(_lane.IsClear(Shard, Epoch));
        Assert.Null(_lane.Next());
    }

    [Fact]
    public void An_abandoned_batch_that_was_in_doubt_once_goes_again_until_it_is_written()
    {
        Add(1);
        var append = Next<JournalCall.Append>();
        Appended(append, StoreVerdict.InDoubt);
        _lane.Abandon(Shard, Epoch);
        Resolved(Next<JournalCall.Resolve>(), BatchResolution.NotCommitted);
        Appended(Next<JournalCall.Append>(), StoreVerdict.NotSent);
        Assert.Same(append.Batches[0], Next<JournalCall.Append>().Batches[0]); // The first copy may be delayed, not lost.
    }

    [Fact]
    public void An_abandoned_batch_under_way_keeps_its_place_although_more_waited_behind_it()
    {
        Add(1);
        var append = Next<JournalCall.Append>();
        Add(2);
        var generation = _lane.Abandon(Shard, Epoch);
        Assert.True(_lane.HasOrphans(Shard, Epoch));
        _lane.Appended(append, StoreResult.Ok<ImmutableArray<AppendOutcome>>([AppendOutcome.Committed]), _news);
        Assert.True(_lane.Add(Shard, Epoch, generation, Row(3), _owner));
        Assert.Equal(11, Next<JournalCall.Append>().Batches[0].ExpectedSeq);
    }

    [Fact]
    public void A_fenced_shard_is_closed()
    {
        Add(1);
        var append = Next<JournalCall.Append>();
        _lane.Appended(append, StoreResult.Ok<ImmutableArray<AppendOutcome>>([AppendOutcome.Unexpected]), _news);
        Resolved(Next<JournalCall.Resolve>(), BatchResolution.Fenced);
        Assert.IsType<JournalNews.Fenced>(Assert.Single(_news));
        Assert.False(_lane.Add(Shard, Epoch, 0, Row(2), _owner));
        Assert.Equal(0, _lane.Waiting);
    }

    [Theory]
    [InlineData(BatchResolution.Regressed, 78)]
    [InlineData(BatchResolution.Broken, 70)]
    public void What_cannot_be_stops_the_node(BatchResolution found, int exitCode)
    {
        Add(1);
        Appended(Next<JournalCall.Append>(), StoreVerdict.InDoubt);
        Resolved(Next<JournalCall.Resolve>(), found);
        Assert.Equal(exitCode, Assert.IsType<JournalNews.Broken>(Assert.Single(_news)).ExitCode);
    }

    [Fact]
    public void A_late_answer_for_an_earlier_epoch_changes_nothing()
    {
        Add(1);
        var append = Next<JournalCall.Append>();
        _lane.Close(Shard, Epoch);
        _lane.Open(Shard, new Epoch(5), new Incarnation(1), nextSeq: 20);
        _lane.Appended(append, StoreResult.Ok<ImmutableArray<AppendOutcome>>([AppendOutcome.Committed]), _news);
        Assert.Empty(_news);
        Assert.True(_lane.IsClear(Shard, new Epoch(5)));
    }

    [Fact]
    public void Timers_that_commit_are_told_of_whether_or_not_anybody_waits_for_their_rows()
    {
        Assert.True(_lane.Add(Shard, Epoch, 0, Row(1) with { Timers = [new TimerChange("k", null)] }, _owner));
        var append = Next<JournalCall.Append>();
        _lane.Abandon(Shard, Epoch);
        _lane.Appended(append, StoreResult.Ok<ImmutableArray<AppendOutcome>>([AppendOutcome.Committed]), _news);
        Assert.Equal("k", Assert.Single(Assert.IsType<JournalNews.TimersChanged>(Assert.Single(_news)).Rows[0].Timers).Key);
    }

    private void Add(long seq) => Assert.True(_lane.Add(Shard, Epoch, 0, Row(seq), _owner));

    private static JournalRow Row(long seq) => new("room/a", seq, null, "Said", default, default, 0);

    private T Next<T>()
        where T : JournalCall => Assert.IsType<T>(_lane.Next());

    private void Appended(JournalCall.Append call, StoreVerdict verdict) => _lane.Appended(call, StoreResult.Not<ImmutableArray<AppendOutcome>>(verdict, "test"), _news);

    private void Resolved(JournalCall.Resolve call, BatchResolution found) => _lane.Resolved(call, StoreResult.Ok(found), _news);

    private sealed class Owner : IRowOwner
    {
        public void RowCommitted(long entitySeq) { }
    }
}
