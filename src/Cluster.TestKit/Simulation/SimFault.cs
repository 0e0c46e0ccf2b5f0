namespace ActorCluster.TestKit.Simulation;

/// <summary>A kind of fault.</summary>
public enum SimFault
{
    /// <summary>A process dies; another starts at its place up to 15 s later.</summary>
    Kill,

    /// <summary>A process dies between two effects of one step.</summary>
    KillBetweenEffects,

    /// <summary>A process stands still for 10 ms to 60 s.</summary>
    Pause,

    /// <summary>Two sets of nodes do not reach each other; with value 1, which is not drawn, by a firewall that rejects.</summary>
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

    /// <summary>Packets are lost: TCP sends them again after 0.2 s and more, and what follows waits.</summary>
    Loss,

    /// <summary>Some messages take up to 10 s, and what follows on their link waits.</summary>
    DelaySpikes,

    /// <summary>What is in no numbered stream comes twice, the second copy late and out of order.</summary>
    Duplicates,

    /// <summary>One node is cut off from all others.</summary>
    Isolate,

    /// <summary>Each node reaches its two neighbours only.</summary>
    Ring,

    /// <summary>Two halves, and one node that reaches both.</summary>
    Bridge,

    /// <summary>A cut that comes and goes, every 50 ms to 10 s.</summary>
    Flapping,

    /// <summary>A process dies; the next one at its place has the name, but another address.</summary>
    RestartElsewhere,

    /// <summary>A process runs and stands still by turns.</summary>
    SlowNode,

    /// <summary>A machine is suspended; its boot-time clock goes on.</summary>
    Suspend,

    /// <summary>A node's wall clock jumps by an hour, and back.</summary>
    WallJump,

    /// <summary>A node's clocks run at the limit that leases allow for, 0.5 % off.</summary>
    ClockRate,

    /// <summary>The clock of the store's host jumps by an hour, and back.</summary>
    StoreClockJump,

    /// <summary>Store calls fail before they take effect.</summary>
    StoreErrors,

    /// <summary>Two nodes leave at once.</summary>
    LeaveTwo,

    /// <summary>All clients are in one room.</summary>
    HotRoom,

    /// <summary>Clients repeat a command at another gateway after 0.2 s.</summary>
    Impatience,

    /// <summary>The store forgets what has committed since the fault began, as one that was restored, or failed over to a standby that was behind. The run ends with it, in alarm.</summary>
    StoreLosesCommits,

    /// <summary>One end of two nodes' links is gone; the other hears nothing of it for 2 s and sends into nothing.</summary>
    HalfOpen,

    /// <summary>A hypervisor stops a machine and all of its clocks; with value 1 the wall clock is set right when it goes on.</summary>
    StandStill,

    /// <summary>The thread pool of a process is behind by the value in ms: what it is to run comes as late, answers of the store among it.</summary>
    PoolHang,

    /// <summary>A user asks one node for the singleton to be given to another.</summary>
    Switch,
}
