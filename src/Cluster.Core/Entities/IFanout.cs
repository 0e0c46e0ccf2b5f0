using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>Ephemeral messages from an entity to listeners on other nodes: in order per key while the link lasts, lost with it.</summary>
internal interface IFanout
{
    /// <summary>Sends to one node, this one included; never blocks. Within the process nothing is serialised.</summary>
    void Send(Incarnation node, string topic, string key, Epoch epoch, object message);
}

/// <summary>Listens to a topic on this node.</summary>
internal interface IFanoutListener
{
    string Topic { get; }

    IMessageCodec Codec { get; }

    /// <summary>Called on a reader thread or in an entity's turn: return fast.</summary>
    void Received(Incarnation from, string key, Epoch epoch, object message);
}
