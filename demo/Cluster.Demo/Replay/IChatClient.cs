namespace ActorCluster.Demo.Replay;

/// <summary>One connection of one user, as the replay needs it; tests put a cluster of their own behind it.</summary>
internal interface IChatClient : IAsyncDisposable
{
    /// <summary>The node that welcomed the client last, empty before the first.</summary>
    string Node { get; }

    /// <summary>Welcomes so far: another number means another connection.</summary>
    int Welcomes { get; }

    /// <summary>Whether a later welcome came from another node than the first.</summary>
    bool MovedNode { get; }

    /// <summary>When a connection broke, in Unix milliseconds; 0 if it has not.</summary>
    /// <param name="welcome">Which one, by its welcome, counted from 1.</param>
    long BrokeAtMs(int welcome);

    Task ConnectAsync(CancellationToken stopping);

    /// <summary>Joins a room; answers the sequence of the join.</summary>
    Task<long> JoinAsync(string room, CancellationToken stopping);

    /// <summary>Leaves a room; answers the sequence of the leave.</summary>
    Task<long> LeaveAsync(string room, CancellationToken stopping);

    /// <summary>Says something; answers the message's sequence. Calls take their place in the room's order when they are made.</summary>
    Task<long> SayAsync(string room, string text, CancellationToken stopping);
}
