namespace ActorCluster.Links;

/// <summary>The two connections of a pair. Each carries its own frames, and the other's while that one is dead.</summary>
internal enum LinkChannel : byte
{
    /// <summary>Heartbeats and decisions: few, small, never behind data.</summary>
    Control = 0,

    /// <summary>Messages of entities.</summary>
    Data = 1,
}

/// <summary>How a channel ended. Closed and Reset are the link factor of crash evidence, the others prove nothing of the peer.</summary>
internal enum ChannelLoss
{
    /// <summary>The peer closed it, or replaced it by a new connection.</summary>
    Closed,

    /// <summary>The peer's machine answered that it knows the connection no more.</summary>
    Reset,

    /// <summary>Bytes stayed unacknowledged too long, the host is unreachable, or the caller gave it up.</summary>
    Silent,

    /// <summary>What came was no frame; the connection was closed from this side.</summary>
    Protocol,

    /// <summary>This node ended it: the peer is no longer wanted, or the transport was disposed.</summary>
    Local,
}

/// <summary>What dialling an incarnation found (protocol 2.5). The first three are evidence that it is gone.</summary>
internal enum ProbeOutcome
{
    /// <summary>Nobody listens at its address.</summary>
    Refused,

    /// <summary>The connection opened and ended without an answer: a port proxy without a process behind it.</summary>
    ClosedBeforeHello,

    /// <summary>Another life of a node of this cluster, proved by the secret, listens there.</summary>
    OtherIncarnation,

    /// <summary>It lives, or somebody answered who could not prove to be another life.</summary>
    Answered,

    /// <summary>No answer within the limit: proves nothing.</summary>
    TimedOut,
}

/// <summary>What became of a frame handed to the transport. Sent is no promise of arrival.</summary>
internal enum LinkSend
{
    /// <summary>Accepted in order; lost if the connection ends before it is through.</summary>
    Sent,

    /// <summary>Neither channel to that peer is up: nothing was kept.</summary>
    NoLink,

    /// <summary>The hard limit of unsent bytes is reached: nothing was kept. Await room or shed load.</summary>
    Full,
}

/// <summary>When accepted bytes leave.</summary>
internal enum LinkFlush
{
    /// <summary>On the caller's stack, unless a flush is under way that takes them along. Never waits for the thread pool.</summary>
    Now,

    /// <summary>Behind the turns that are runnable now, as one item of the turn queue: many callers then share one send.</summary>
    Soon,
}

/// <summary>A way through a connection, as seen from this node.</summary>
internal enum LinkDirection
{
    /// <summary>From this node to the peer.</summary>
    Outgoing,

    /// <summary>From the peer to this node.</summary>
    Incoming,
}
