using ActorCluster.ChatRooms;
using ActorCluster.Entities;
using ActorCluster.Tests.Entities;
using ActorCluster.Tests.Sharding;

namespace ActorCluster.Tests.ChatRooms;

public class RoomRelayTests
{
    [Fact]
    public async Task However_often_a_subscription_fails_one_later_one_is_pending()
    {
        var (store, nodes) = await RegionNode.OfAsync(1, RoomEntity.TypeName, RoomCodecs.Register, () => throw new InvalidOperationException("Nobody owns the shard."));
        var regions = nodes[0].Regions;
        using var rooms = new RoomRelayDriver(regions, store, nodes[0].Self, static _ => { });
        var relay = rooms.Follow("lobby", new Follower());
        Assert.Equal(1, regions.Awaiting);
        for (var i = 0; i < 50; i++) Fail(relay);
        await Waiting.Until(() => regions.Awaiting >= 2, () => "the relay subscribes later");
        Fail(relay);
        // By the time that this one is sent, all of the first fifty would have been; renewals by the clock are a few at most.
        await Waiting.Until(() => regions.Awaiting >= 3, () => "the relay subscribes later once more");
        Assert.True(regions.Awaiting < 20, $"{regions.Awaiting} subscriptions are under way.");
        await nodes[0].DisposeAsync();
    }

    private static void Fail(IReplySink relay) => relay.Fail(EntityFailure.Unreachable("room/lobby"));

    private sealed class Follower : IRoomFollower
    {
        public void RoomChanged(RoomRelay room) { }
    }
}
