using ActorCluster.Entities;

namespace ActorCluster.ChatRooms;

/// <summary>Where pushes of rooms enter this node.</summary>
internal sealed class RoomNewsListener : IFanoutListener
{
    private volatile RoomRelayDriver? _relay;

    public string Topic => RoomEntity.Topic;

    public IMessageCodec Codec => RoomCodecs.News;

    /// <summary>The relay of the current life; null between lives.</summary>
    public RoomRelayDriver? Relay
    {
        get => _relay;
        set => _relay = value;
    }

    public void Received(Primitives.Incarnation from, string key, Primitives.Epoch epoch, object message) => _relay?.Received(key, epoch, (RoomNews)message);
}
