using ActorCluster.Downing;
using ActorCluster.Hosting;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Membership;

/// <summary>A store that refuses at once is not asked as fast as it can refuse.</summary>
public class RefusedViewChangeTests
{
    private static readonly ClusterSnapshot Empty = new(new ClusterRow(Guid.NewGuid(), 1, 0, StableHash.Version, ""), []);

    private readonly NodeCore _core = new(new MemberRow { Inc = new Incarnation(1), Name = "n1", Host = "h", LinkAddress = "h:1", ClientUrl = "" }, new ProtocolTimes(), new KeepMajority(), Guid.NewGuid);
    private readonly List<TimeSpan> _changes = [];
    private readonly List<TimeSpan> _questions = [];

    [Fact]
    public void A_refused_view_change_is_asked_for_again_200_ms_later_not_at_once()
    {
        Run(TimeSpan.FromSeconds(2), StoreVerdict.NotSent, StoreVerdict.NotSent);
        Assert.InRange(_changes.Count, 8, 10);
        Assert.All(_changes.Zip(_changes.Skip(1)), c => Assert.True(c.Second - c.First >= TimeSpan.FromMilliseconds(200), $"{c.First}, then {c.Second}"));
    }

    [Fact]
    public void The_question_what_became_of_one_in_doubt_is_asked_again_200_ms_later_when_it_was_refused()
    {
        Run(TimeSpan.FromSeconds(2), StoreVerdict.InDoubt, StoreVerdict.NotSent);
        Assert.Single(_changes);
        Assert.InRange(_questions.Count, 8, 10);
    }

    [Fact]
    public void A_change_that_was_decided_on_an_old_picture_is_decided_anew_without_a_pause()
    {
        Run(TimeSpan.FromSeconds(2), StoreVerdict.Conflict, StoreVerdict.NotSent);
        Assert.True(_changes.Count > 50, $"{_changes.Count} attempts");
    }

    /// <summary>Reads are answered 1 ms after they are asked, changes and questions with those verdicts.</summary>
    private void Run(TimeSpan time, StoreVerdict change, StoreVerdict question)
    {
        var answers = new Queue<(int AtMs, NodeInput Answer)>();
        for (var ms = 1; ms < time.TotalMilliseconds; ms++)
        {
            while (answers.TryPeek(out var next) && next.AtMs <= ms) Tell(answers.Dequeue().Answer, TimeSpan.FromMilliseconds(ms));
            if (ms % 20 == 1) Tell(new NodeInput.Tick(), TimeSpan.FromMilliseconds(ms));
        }

        void Tell(NodeInput input, TimeSpan now)
        {
            foreach (var effect in _core.Handle(input, now).ToArray())
            {
                if (effect is not NodeEffect.Call(var call)) continue;
                if (call is ControlCall.ChangeView) _changes.Add(now);
                if (call is ControlCall.FindView) _questions.Add(now);
                var answer = call switch
                {
                    ControlCall.ReadCluster => new ControlAnswer(call, StoreVerdict.Ok, Empty, null),
                    ControlCall.ChangeView => new ControlAnswer(call, change, null, "permission denied for table member"),
                    ControlCall.FindView => new ControlAnswer(call, question, null, "permission denied for table view_log"),
                    _ => null,
                };
                if (answer is not null) answers.Enqueue(((int)now.TotalMilliseconds + 1, new NodeInput.Answered(answer)));
            }
        }
    }
}
