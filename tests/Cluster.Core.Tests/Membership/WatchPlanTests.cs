using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Membership;

public class WatchPlanTests
{
    [Theory, InlineData(1), InlineData(2), InlineData(25)]
    public void Up_to_25_members_all_watch_all(int count)
    {
        var plan = Of(count);
        Assert.True(plan.IsMesh);
        Assert.All(Members(count), m => Assert.Equal(Members(count).Select(o => o.Inc).Where(o => o != m.Inc), plan.EdgesOf(m.Inc).Order()));
    }

    [Theory, InlineData(26), InlineData(60), InlineData(100)]
    public void Of_more_each_watches_ten_others_and_is_watched_back(int count)
    {
        var plan = Of(count);
        Assert.All(Members(count), m =>
        {
            Assert.Equal(WatchPlan.Rings, plan.WatchedBy(m.Inc).Distinct().Count());
            Assert.DoesNotContain(m.Inc, plan.EdgesOf(m.Inc));
            Assert.All(plan.EdgesOf(m.Inc), other => Assert.Contains(m.Inc, plan.EdgesOf(other)));
        });
    }

    [Theory, InlineData(26), InlineData(60), InlineData(100)]
    public void Nobody_is_watched_by_few_or_by_very_many(int count) =>
        Assert.All(Members(count), m => Assert.InRange(Of(count).EdgesOf(m.Inc).Count, WatchPlan.Rings, (2 * WatchPlan.Rings) + 4));

    [Fact]
    public void All_nodes_make_the_same_plan_whatever_the_order_of_the_list()
    {
        var (plan, again) = (Of(60), new WatchPlan([.. Members(60).AsEnumerable().Reverse()]));
        Assert.All(Members(60), m => Assert.Equal(plan.EdgesOf(m.Inc), again.EdgesOf(m.Inc)));
    }

    [Theory, InlineData(26), InlineData(60), InlineData(100)]
    public void Without_a_third_of_its_members_whichever_is_drawn_the_others_are_still_connected(int count)
    {
        var edges = EdgesOf(Of(count), count);
        var random = new Random(count);
        for (var trial = 0; trial < 500; trial++)
        {
            var gone = Members(count).Select(m => m.Inc).OrderBy(_ => random.Next()).Take(count / 3).ToHashSet();
            Assert.Equal(count - gone.Count, Connected(edges, Members(count).Select(m => m.Inc).Where(m => !gone.Contains(m)).ToHashSet()));
        }
    }

    [Fact]
    public void Without_any_two_of_its_members_the_others_are_still_connected()
    {
        var all = Members(30).Select(m => m.Inc).ToArray();
        var edges = EdgesOf(Of(30), 30);
        foreach (var a in all)
            foreach (var b in all.Where(b => b > a)) Assert.Equal(28, Connected(edges, [.. all.Where(m => m != a && m != b)]));
    }

    [Theory, InlineData(40), InlineData(99)]
    public void One_that_comes_changes_few_edges_beside_its_own(int count)
    {
        var (before, after, newcomer) = (Of(count), Of(count + 1), new Incarnation(count + 1));
        var dropped = Members(count).Sum(m => before.EdgesOf(m.Inc).Except(after.EdgesOf(m.Inc)).Count) / 2;
        var added = Members(count).Sum(m => after.EdgesOf(m.Inc).Remove(newcomer).Except(before.EdgesOf(m.Inc)).Count) / 2;
        Assert.InRange(dropped, 0, 3 * WatchPlan.Rings); // Of about ten times as many as there are members.
        Assert.InRange(added, 0, 3 * WatchPlan.Rings);
    }

    [Fact]
    public void A_newcomer_greets_those_it_watches_the_oldest_and_three_others_and_they_know_it()
    {
        var members = Members(59).Append(Member(60, MemberStatus.Joining)).ToList();
        var plan = new WatchPlan(members);
        var newcomer = members[^1].Inc;
        var greeted = plan.GreetedBy(newcomer);
        Assert.Superset(plan.WatchedBy(newcomer).ToHashSet(), greeted.ToHashSet());
        Assert.Contains(new Incarnation(1), greeted);
        Assert.InRange(greeted.Count, WatchPlan.Rings + WatchPlan.GreetedBeside, WatchPlan.Rings + WatchPlan.GreetedBeside + 1);
        Assert.All(greeted, m => Assert.Contains(newcomer, plan.EdgesOf(m)));
        Assert.Subset(plan.EdgesOf(newcomer).ToHashSet(), greeted.ToHashSet());
    }

    private static Dictionary<Incarnation, IReadOnlyCollection<Incarnation>> EdgesOf(WatchPlan plan, int count) =>
        Members(count).ToDictionary(m => m.Inc, m => (IReadOnlyCollection<Incarnation>)plan.EdgesOf(m.Inc));

    private static int Connected(Dictionary<Incarnation, IReadOnlyCollection<Incarnation>> edges, HashSet<Incarnation> members)
    {
        var reached = new HashSet<Incarnation> { members.First() };
        var open = new Queue<Incarnation>(reached);
        while (open.TryDequeue(out var from))
            foreach (var to in edges[from].Where(to => members.Contains(to) && reached.Add(to))) open.Enqueue(to);
        return reached.Count;
    }

    private static WatchPlan Of(int count) => new(Members(count));

    private static List<MemberRow> Members(int count) => [.. Enumerable.Range(1, count).Select(i => Member(i, MemberStatus.Up))];

    private static MemberRow Member(int i, MemberStatus status) =>
        new() { Inc = new Incarnation(i), Name = $"n{i}", Host = "h", LinkAddress = $"h:{i}", ClientUrl = "", Status = status, UpView = i };
}
