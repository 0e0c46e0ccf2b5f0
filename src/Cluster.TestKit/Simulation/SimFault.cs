namespace ActorCluster.TestKit.Simulation;

/// <summary>A kind of fault.</summary>
public enum SimFault
{
    /// <summary>A process dies; another starts at its place up to 15 s later.</summary>
    Kill,

    /// <summary>A process dies between two effects of one step.</summary>
    KillBetweenEffects,

    /// <summary>A process stands still for 10 ms to 20 s.</summary>
    Pause,

    /// <summary>Two sets of nodes do not reach each other.</summary>
    Cut,

    /// <summary>One set of nodes does not reach the other, but is reached by it.</summary>
    CutOneWay,

    /// <summary>One channel is cut between two sets.</summary>
    CutChannel,

    /// <summary>Messages take long.</summary>
    SlowNetwork,

    /// <summary>Links are reset.</summary>
    Reset,

    /// <summary>Nobody reaches the store.</summary>
    StoreDown,

    /// <summary>One node does not reach the store.</summary>
    StoreCutOff,

    /// <summary>Store calls take long, some of them too long.</summary>
    SlowStore,

    /// <summary>Answers of the store are lost, after the call took effect, before, or without it.</summary>
    LostReplies,

    /// <summary>Writes take effect a second time, up to 4 s later.</summary>
    LateCopies,

    /// <summary>A node leaves in good order and comes back.</summary>
    Leave,

    /// <summary>All nodes leave and come back, one after the other.</summary>
    RollingRestart,

    /// <summary>Links in one direction take no more frames.</summary>
    FullLinks,
}
