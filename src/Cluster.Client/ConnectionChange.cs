namespace ActorCluster.Client;

/// <summary>What happened to the connection, told in order by <see cref="ClusterClient.ConnectionChanged"/>.</summary>
public abstract record ConnectionChange
{
    private ConnectionChange()
    {
    }

    /// <summary>A node welcomed the client; commands flow.</summary>
    /// <param name="Node">The node's name.</param>
    /// <param name="Resumed">False on the first welcome, and when the server issued a new client id (see <see cref="ClientResetException"/>).</param>
    public sealed record Connected(string Node, bool Resumed) : ConnectionChange;

    /// <summary>The connection is gone; the next host is tried at once.</summary>
    /// <param name="Reason">Why, for people.</param>
    public sealed record Lost(string Reason) : ConnectionChange;

    /// <summary>A host could not be reached or did not welcome the client; the next one is tried.</summary>
    /// <param name="Host">The address that was tried.</param>
    /// <param name="Reason">Why, for people.</param>
    public sealed record AttemptFailed(Uri Host, string Reason) : ConnectionChange;

    /// <summary>The node asked its clients to go to the next host. <see cref="Lost"/> follows.</summary>
    /// <param name="Reason">Why, for people.</param>
    public sealed record GoAway(string Reason) : ConnectionChange;

    /// <summary>The server did not understand a frame of this client: a difference in versions, worth a report.</summary>
    /// <param name="Code">The server's code, <see cref="ErrorCodes.BadFrame"/> as a rule.</param>
    /// <param name="Message">The server's words.</param>
    public sealed record FrameRefused(string Code, string Message) : ConnectionChange;
}
