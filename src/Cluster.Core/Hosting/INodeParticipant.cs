namespace ActorCluster.Hosting;

/// <summary>Something on this node that lives and ends with its incarnations: a gateway, a relay.</summary>
internal interface INodeParticipant
{
    /// <summary>A new life begins; it may still be joining.</summary>
    void LifeStarted(NodeLife life);

    /// <summary>The node stops serving: send clients elsewhere. Returns when that is done, in 2 s at most.</summary>
    Task StopServingAsync(string reason);
}
