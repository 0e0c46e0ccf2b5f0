namespace ActorCluster.Demo.Replay;

/// <summary>What happens to the nodes while the events are issued.</summary>
internal interface IFaultPlan
{
    /// <summary>Called before each event is issued; what it awaits holds the traffic back.</summary>
    /// <param name="index">Events issued so far.</param>
    /// <param name="count">Events in all.</param>
    /// <param name="stopping">Ends the waiting.</param>
    ValueTask BeforeEventAsync(int index, int count, CancellationToken stopping);

    /// <summary>Called after the last event; ends when all nodes that should be up are up.</summary>
    Task FinishAsync(CancellationToken stopping);
}
