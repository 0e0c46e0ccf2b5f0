using ActorCluster.Demo.Checking;
using ActorCluster.Demo.Histories;

namespace ActorCluster.MultiNode.Tests.Demo;

/// <summary>A checker is worth what it finds: each planted fault must turn it red, and nothing else may.</summary>
public class HistoryCheckerTests
{
    private const string Room = Scene.Room;

    [Fact]
    public void A_clean_history_is_clean_and_counts_pairs_of_message_and_member()
    {
        var check = Scene.Clean().Check();

        Assert.True(check.Clean, string.Join('\n', check.Notes));
        Assert.Equal((5, 5), (check.Sent, check.Acknowledged));
        Assert.Equal(4 + 5, check.Delivered); // ann: 4, 5, 9, 10; bob: 4, 5, 7, 9, 10.
    }

    [Fact]
    public void A_message_that_one_member_never_saw_is_lost()
    {
        var check = Scene.Clean((ann, scene) => scene.Deliver(ann, 3, 5, 6, 9, 10), annSees: false).Check();

        Assert.Equal((1, 0, 0), (check.Lost, check.Duplicated, check.OutOfOrder));
    }

    [Fact]
    public void A_message_missing_at_the_head_is_lost() =>
        Assert.Equal(1, Scene.Clean((ann, scene) => scene.Deliver(ann, 3, 4, 5, 6, 9), annSees: false).Check().Lost);

    [Fact]
    public void A_member_that_saw_nothing_at_all_lost_everything_of_its_stays() =>
        Assert.Equal(4, Scene.Clean(annSees: false).Check().Lost);

    [Fact]
    public void A_row_delivered_twice_is_a_duplicate()
    {
        var check = Scene.Clean((ann, scene) => scene.Deliver(ann, 3, 4, 4, 5, 6, 9, 10), annSees: false).Check();

        Assert.Equal((0, 1, 0), (check.Lost, check.Duplicated, check.OutOfOrder));
    }

    [Fact]
    public void A_row_delivered_after_a_later_one_is_out_of_order_and_not_lost()
    {
        var check = Scene.Clean((ann, scene) => scene.Deliver(ann, 3, 5, 4, 6, 9, 10), annSees: false).Check();

        Assert.Equal((0, 0, 1), (check.Lost, check.Duplicated, check.OutOfOrder));
    }

    [Theory]
    [InlineData(true)] // Whoever reads it first: the table of first sightings must not hide the fault.
    [InlineData(false)]
    public void A_message_delivered_with_another_text_is_lost_at_that_member_alone(bool wrongOneFirst)
    {
        var scene = new Scene();
        scene.Store(RowKind.Created, "ann");
        scene.Store(RowKind.Joined, "bob");
        scene.Store(RowKind.Message, "cid", "hi");
        var (ann, bob) = (scene.Client("ann"), scene.Client("bob"));
        var cid = scene.Client("cid");
        cid.Acknowledge(cid.Send(Room, "hi"), 3);
        ann.Join(Room, 1);
        bob.Join(Room, 2);
        scene.Deliver(ann, 2);
        if (wrongOneFirst) bob.DeliverItem(Room, RowKind.Message, 3, "cid", "ho");
        scene.Deliver(ann, 3);
        if (!wrongOneFirst) bob.DeliverItem(Room, RowKind.Message, 3, "cid", "ho");

        var check = scene.Check();

        Assert.Equal(1, check.Lost);
        Assert.Contains("bob", Assert.Single(check.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void A_digest_over_a_message_hides_it_and_counts_as_lost()
    {
        var check = Scene.Clean(
            (ann, scene) =>
            {
                scene.Deliver(ann, 3);
                ann.DeliverDigest(Room, 4, new(6, Joined: 0, Left: 1, Members: 2));
                scene.Deliver(ann, 9, 10);
            },
            annSees: false).Check();

        Assert.Equal(2, check.Lost);
        Assert.Equal(0, check.NoticesMissing);
    }

    [Theory]
    [InlineData(2, 3, 1, 3, true)]
    [InlineData(3, 3, 1, 3, true)] // Its beginning was seen before: the counts are of the whole.
    [InlineData(2, 3, 1, 4, false)]
    [InlineData(2, 2, 2, 3, false)]
    [InlineData(2, 2, 0, 3, false)] // Counts half of what it stands for.
    [InlineData(2, 6, 4, 3, false)] // Reaches back before the first row.
    public void A_digest_counts_the_joins_the_leaves_and_the_members_of_the_store(int from, int joined, int left, int members, bool clean)
    {
        var scene = new Scene();
        scene.Store(RowKind.Created, "ann");
        foreach (var user in (string[])["bob", "cid", "dan"]) scene.Store(RowKind.Joined, user);
        scene.Store(RowKind.Left, "cid");
        scene.Store(RowKind.Message, "ann", "hi");
        foreach (var user in (string[])["bob", "dan"]) scene.Client(user).JoinUnanswered(Room);
        var cid = scene.Client("cid");
        cid.Join(Room, 3);
        scene.Deliver(cid, 4);
        cid.Leave(Room, 5, tailKnown: true);
        var ann = scene.Client("ann");
        ann.Join(Room, 1);
        ann.Acknowledge(ann.Send(Room, "hi"), 6);
        if (from > 2) scene.Deliver(ann, 2);
        ann.DeliverDigest(Room, from, new(5, joined, left, members));
        scene.Deliver(ann, 6);
        var check = scene.Check();

        Assert.Equal(clean, check.Clean);
        Assert.Equal(clean, check.DigestsWrong == 0);
    }

    [Fact]
    public void A_join_that_nothing_told_is_a_missing_notice()
    {
        var check = Scene.Clean((ann, scene) => scene.Deliver(ann, 4, 5, 6, 9, 10), annSees: false).Check();

        Assert.Equal((0, 1), (check.Lost, check.NoticesMissing));
        Assert.False(check.Clean);
    }

    [Fact]
    public void An_acknowledged_message_that_the_store_does_not_have_is_lost() =>
        Assert.Equal(1, Scene.Clean((ann, _) => ann.Acknowledge(ann.Send(Room, "gone"), 11)).Check().Lost);

    [Fact]
    public void An_acknowledged_message_stored_with_another_text_is_lost() =>
        Assert.True(Scene.Clean((ann, _) => ann.Acknowledge(ann.Send(Room, "not hi"), 4)).Check().Lost > 0);

    [Fact]
    public void Two_sends_acknowledged_as_one_row_lose_one_of_them() =>
        Assert.Equal(1, Scene.Clean((ann, _) => ann.Acknowledge(ann.Send(Room, "yes"), 10)).Check().Lost);

    [Fact]
    public void An_unanswered_message_may_be_stored_or_not()
    {
        Assert.True(Scene.Clean((ann, _) => ann.Send(Room, "unknown")).Check().Clean);

        var stored = Scene.Clean((ann, scene) =>
        {
            ann.Send(Room, "unknown");
            scene.Store(RowKind.Message, "ann", "unknown");
            scene.Deliver(ann, 11);
        }).Check();
        Assert.Equal((1, 0), (stored.Lost, stored.Duplicated)); // bob did not see it; the row itself is fine.
    }

    [Fact]
    public void A_stored_message_that_nobody_sent_is_a_duplicate() =>
        Assert.Equal(1, Scene.Clean((ann, scene) =>
        {
            scene.Store(RowKind.Message, "ann", "yes");
            scene.Deliver(ann, 11);
        }).Check().Duplicated);

    [Fact]
    public void A_command_that_took_effect_twice_is_a_duplicate()
    {
        var check = Scene.Clean((_, scene) => scene.Store(RowKind.Left, "cid", command: 1)).Check();

        Assert.Equal(1, check.Duplicated);
    }

    [Fact]
    public void A_hole_in_the_stored_sequence_is_a_loss()
    {
        var scene = Scene.Clean();
        scene.Journal.Add(13, RowKind.Left, RowHash.Of(RowKind.Left, "bob", ""), 7, 99);

        Assert.True(scene.Check().Lost >= 2);
    }

    [Fact]
    public void Messages_stored_against_the_order_of_their_sending_are_out_of_order() =>
        Assert.Equal(1, Scene.Clean((ann, scene) =>
        {
            scene.Store(RowKind.Message, "ann", "second");
            scene.Store(RowKind.Message, "ann", "first");
            scene.Deliver(ann, 11, 12);
            ann.Acknowledge(ann.Send(Room, "first"), 12);
            ann.Acknowledge(ann.Send(Room, "second"), 11);
        }).Check().OutOfOrder);

    [Fact]
    public void An_acknowledged_join_that_the_store_does_not_have_is_lost()
    {
        var scene = Scene.Clean();
        scene.Client("cid").Join(Room, 4);

        Assert.Contains(scene.Check().Notes, note => note.Contains("the join of cid", StringComparison.Ordinal));
    }

    [Fact]
    public void A_leave_answered_as_a_strangers_in_the_middle_of_a_stay_is_a_lost_membership()
    {
        var check = Scene.Clean((ann, _) => ann.Leave(Room, 0, tailKnown: true)).Check();

        Assert.Equal((1, 1), (check.Lost, check.TailsCut));
        Assert.Contains("the membership was lost", check.Notes[0], StringComparison.Ordinal);
    }

    [Fact]
    public void A_leave_without_an_answer_may_be_stored_or_not()
    {
        Assert.True(Scene.Clean((ann, _) => ann.LeaveUnanswered(Room)).Check().Clean);

        var stored = Scene.Clean((ann, scene) =>
        {
            ann.LeaveUnanswered(Room);
            scene.Store(RowKind.Left, "ann");
        }).Check();
        Assert.Equal((0, 0, 1), (stored.Unasked, stored.RowsExcused, stored.NoticesMissing)); // bob was not told; the row itself is fine.
    }

    [Fact]
    public void A_leave_acknowledged_as_that_of_an_earlier_stay_is_lost() =>
        Assert.Equal(1, Scene.Clean((ann, _) => ann.Leave(Room, 6, tailKnown: true)).Check().Lost);

    [Theory]
    [InlineData(nameof(RowKind.Left), "bob")]
    [InlineData(nameof(RowKind.Joined), "dan")]
    [InlineData(nameof(RowKind.Joined), "eve")]
    public void A_join_or_leave_in_the_store_that_no_client_asked_for_is_found(string kind, string user)
    {
        var scene = Scene.Clean();
        scene.Client("dan"); // One who never joined; eve is none of the run.
        scene.Store(Enum.Parse<RowKind>(kind), user);
        var check = scene.Check();

        Assert.Equal((1, 0), (check.Unasked, check.Duplicated));
        Assert.False(check.Clean);
    }

    [Theory]
    [InlineData(nameof(RowKind.Joined), "ann")] // A member since 8.
    [InlineData(nameof(RowKind.Created), "ann")]
    [InlineData(nameof(RowKind.Left), "dan")]
    public void A_doubled_join_or_leave_is_a_duplicate_even_where_a_command_without_an_answer_might_explain_it(string kind, string user)
    {
        var scene = Scene.Clean((ann, _) => ann.JoinUnanswered(Room));
        scene.Client("dan");
        scene.Store(Enum.Parse<RowKind>(kind), user);

        Assert.Equal(1, scene.Check().Duplicated);
    }

    [Fact]
    public void A_join_acknowledged_to_a_second_stay_is_lost_unless_the_first_one_may_go_on()
    {
        Assert.Equal(1, Scene.Clean((ann, scene) => scene.Client("ann").Join(Room, 2), annSees: true).Check().Notes.Count(n => n.Contains("to a second stay", StringComparison.Ordinal)));

        var check = Scene.Clean((ann, scene) =>
        {
            ann.LeaveUnanswered(Room);
            var again = scene.Client("ann");
            again.Join(Room, 8);
            scene.Deliver(again, 9, 10);
        }).Check();
        Assert.True(check.Clean, string.Join('\n', check.Notes));
    }

    [Fact]
    public void A_row_from_after_the_leave_is_a_stray() =>
        Assert.Equal(1, Scene.Clean((ann, scene) => scene.Deliver(ann, 3, 4, 5, 6, 7, 9, 10), annSees: false).Check().Strays);

    [Fact]
    public void A_row_that_the_store_does_not_have_is_a_loss_when_delivered() =>
        Assert.Equal(1, Scene.Clean((ann, _) => ann.DeliverItem(Room, RowKind.Message, 11, "bob", "ghost")).Check().Lost);

    [Theory]
    [InlineData(9, 0, true, 0, true)] // On their way when the connection broke, as many as there may be.
    [InlineData(1, 3_000, true, 1, true)]
    [InlineData(3, 3_000, true, 3, false)] // Of 2,017 deliveries 0.1 % may be excused that should have got through.
    [InlineData(3, 0, false, 3, false)] // Nobody knows when it broke.
    public void After_a_leave_over_a_broken_connection_the_tail_is_excused_but_for_a_share_of_stale_rows(int cut, int ageMs, bool timed, int stale, bool clean)
    {
        var check = Tail(cut, rejoins: false, ageMs, timed).Check();

        Assert.Equal((1, cut, stale, 0), (check.TailsCut, check.RowsExcused, check.RowsStale, check.Lost));
        Assert.Equal(clean, check.Clean);
    }

    [Fact]
    public void What_was_recorded_long_before_the_connection_broke_is_not_excused()
    {
        var check = Tail(1, rejoins: false, ageMs: 6_000).Check();

        Assert.Equal((1, 0, 1), (check.TailsCut, check.RowsExcused, check.Lost));
    }

    [Fact]
    public void A_tail_is_excused_also_where_the_client_comes_back_and_is_delivered_more()
    {
        var check = Tail(1, rejoins: true).Check();

        Assert.Equal((1, 1, 0), (check.TailsCut, check.RowsExcused, check.Lost));
    }

    // cid misses the last rows before its leave, behind a thousand that it was delivered.
    private static Scene Tail(int cut, bool rejoins, int ageMs = 0, bool timed = true)
    {
        const int Said = 1_010;
        const long BrokeAtMs = 1640995440000;
        var scene = new Scene();
        var (bob, cid) = (scene.Client("bob"), scene.Client("cid"));
        scene.Store(RowKind.Created, "bob");
        bob.Join(Room, 1);
        scene.Store(RowKind.Joined, "cid");
        cid.Join(Room, 2);
        scene.Deliver(bob, 2);
        for (var i = 3; i < 3 + Said; i++)
        {
            scene.Store(RowKind.Message, "bob", "to cid", atMs: BrokeAtMs - ageMs);
            bob.Acknowledge(bob.Send(Room, "to cid"), i);
            scene.Deliver(bob, i);
            if (i < 3 + Said - cut) scene.Deliver(cid, i);
        }
        scene.Store(RowKind.Left, "cid");
        cid.Leave(Room, 3 + Said, tailKnown: false, timed ? BrokeAtMs : 0);
        scene.Deliver(bob, 3 + Said);
        if (!rejoins) return scene;
        scene.Store(RowKind.Joined, "cid");
        cid.Join(Room, 4 + Said);
        scene.Store(RowKind.Message, "bob", "again");
        bob.Acknowledge(bob.Send(Room, "again"), 5 + Said);
        scene.Deliver(bob, 4 + Said, 5 + Said);
        scene.Deliver(cid, 5 + Said);
        return scene;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_stream_is_behind_from_the_first_knowledge_of_a_row_be_it_an_answer_or_a_delivery(bool answered)
    {
        var clock = new ManualClock();
        var observed = new ObservedRows(clock);
        var (ann, bob) = (new ClientHistory("ann", observed), new ClientHistory("bob", observed));
        var place = ann.Send(Room, "hi");
        if (answered) ann.Acknowledge(place, 3);
        else ann.DeliverItem(Room, RowKind.Message, 3, "ann", "hi");
        clock.Advance(TimeSpan.FromSeconds(7));
        bob.DeliverItem(Room, RowKind.Message, 3, "ann", "hi");

        Assert.Equal((0, 7_000), (ann.LongestBehindMs, bob.LongestBehindMs));
    }

    [Fact]
    public void A_range_set_agrees_with_a_set_of_numbers()
    {
        var random = new Random(11);
        for (var round = 0; round < 200; round++)
        {
            var (ranges, numbers) = (new SeqRanges(), new HashSet<long>());
            for (var step = 0; step < 30; step++)
            {
                long from = random.Next(1, 60), to = from + random.Next(0, 8), known = 0;
                for (var seq = from; seq <= to; seq++)
                    if (!numbers.Add(seq)) known++;
                Assert.Equal(known, ranges.Add(from, to));
                Assert.Equal(numbers.Count(n => n is >= 20 and <= 40), ranges.CountIn(20, 40));
                Assert.Equal(numbers.Max(), ranges.Max);
                Assert.Equal(numbers.Where(n => n is >= 20 and <= 40).DefaultIfEmpty().Max(), ranges.LastIn(20, 40));
            }
        }
    }

    private sealed class ManualClock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Advance(TimeSpan time) => _ticks += time.Ticks;
    }
}
