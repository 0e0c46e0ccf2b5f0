using ActorCluster.Membership;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Membership;

public class RelayRoutesTests
{
    [Fact]
    public void The_best_member_that_reaches_both_relays()
    {
        var routes = new RelayRoutes();
        Assert.Equal(["9 through 3"], Review(routes, [9], [2, 3, 4], (via, _) => via != 2));
        Assert.Empty(Review(routes, [9], [4, 3], (_, _) => true)); // Kept while it serves, although a better one is there now.
    }

    [Fact]
    public void A_relay_that_goes_or_no_longer_reaches_the_other_end_is_replaced()
    {
        var routes = new RelayRoutes();
        Review(routes, [9], [2, 3], (_, _) => true);
        Assert.Equal(["9 through 3"], Review(routes, [9], [3], (_, _) => true));
        Assert.Equal(["9 through 2"], Review(routes, [9], [2, 3], (via, _) => via == 2));
        Assert.Equal(["9 through "], Review(routes, [9], [2, 3], (_, _) => false));
        Assert.Empty(routes.Current);
    }

    [Fact]
    public void Who_is_linked_again_or_gone_is_relayed_no_more()
    {
        var routes = new RelayRoutes();
        Review(routes, [8, 9], [2], (_, _) => true);
        Assert.Equal(["8 through "], Review(routes, [9], [2], (_, _) => true));
        Assert.Equal([9L], routes.Current.Keys.Select(k => k.Value));
    }

    [Theory]
    [InlineData(1, 1, 3, RelayVerdict.Deliver)] // From, origin, destination; this node is 3, and 9 is no member.
    [InlineData(2, 1, 3, RelayVerdict.Deliver)]
    [InlineData(1, 1, 2, RelayVerdict.Forward)]
    [InlineData(2, 1, 4, RelayVerdict.Drop)] // It has made its hop.
    [InlineData(9, 9, 3, RelayVerdict.Drop)]
    [InlineData(1, 1, 9, RelayVerdict.Drop)]
    [InlineData(1, 3, 1, RelayVerdict.Drop)]
    internal void One_hop_between_members(long from, long origin, long destination, RelayVerdict expected) =>
        Assert.Equal(expected, RelayRoutes.Judge(new(3), new(from), new(origin), new(destination), inc => inc.Value < 9));

    private static string[] Review(RelayRoutes routes, long[] cutOff, long[] relays, Func<long, long, bool> reaches)
    {
        var effects = new List<NodeEffect>();
        routes.Review([.. cutOff.Select(i => new Incarnation(i))], [.. relays.Select(i => new Incarnation(i))], (via, to) => reaches(via.Value, to.Value), effects);
        return [.. effects.Cast<NodeEffect.Relay>().Select(r => $"{r.To.Value} through {r.Via?.Value}")];
    }
}
