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
                ann.DeliverDigest(Room, 4, 6);
                scene.Deliver(ann, 9, 10);
            },
            annSees: false).Check();

        Assert.Equal(2, check.Lost);
        Assert.Equal(0, check.NoticesMissing);
    }

    [Fact]
    public void A_digest_over_joins_and_leaves_is_clean()
    {
        var scene = new Scene();
        scene.Store(RowKind.Created, "ann");
        foreach (var user in (string[])["bob", "cid", "dan"]) scene.Store(RowKind.Joined, user);
        scene.Store(RowKind.Message, "ann", "hi");
        var ann = scene.Client("ann");
        ann.Join(Room, 1);
        ann.Acknowledge(ann.Send(Room, "hi"), 5);
        ann.DeliverDigest(Room, 2, 4);
        scene.Deliver(ann, 5);

        Assert.True(scene.Check().Clean);
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
    public void A_row_from_after_the_leave_is_a_stray() =>
        Assert.Equal(1, Scene.Clean((ann, scene) => scene.Deliver(ann, 3, 4, 5, 6, 7, 9, 10), annSees: false).Check().Strays);

    [Fact]
    public void A_row_that_the_store_does_not_have_is_a_loss_when_delivered() =>
        Assert.Equal(1, Scene.Clean((ann, _) => ann.DeliverItem(Room, RowKind.Message, 11, "bob", "ghost")).Check().Lost);

    [Fact]
    public void After_a_leave_over_a_broken_connection_the_tail_is_not_asked_for()
    {
        var scene = Scene.Clean();
        scene.Store(RowKind.Joined, "cid");
        scene.Store(RowKind.Message, "bob", "to cid");
        scene.Store(RowKind.Left, "cid");
        var cid = scene.Client("cid");
        cid.Join(Room, 11);
        cid.Leave(Room, 13, tailKnown: false);
        var check = scene.Check();

        Assert.Equal(1, check.TailsCut);
        Assert.DoesNotContain(check.Notes, note => note.Contains("cid misses", StringComparison.Ordinal));
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
            }
        }
    }
}
