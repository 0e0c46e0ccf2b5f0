namespace ActorCluster.Client;

/// <summary>What the session wants done, in the order given.</summary>
internal abstract record ClientEffect
{
    /// <summary>Send a text frame on the connection in use.</summary>
    public sealed record Send(byte[] Frame) : ClientEffect;

    /// <summary>Tell the caller of a command how it ended.</summary>
    public sealed record Complete(PendingCommand Command, Answer Answer) : ClientEffect;

    /// <summary>The server has issued a new client id: the fate of this command is unknown.</summary>
    public sealed record Reset(PendingCommand Command) : ClientEffect;

    public sealed record Deliver(RoomItems Items) : ClientEffect;

    public sealed record EndRoom(RoomEnded Room) : ClientEffect;

    public sealed record Tell(ConnectionChange Change) : ClientEffect;

    /// <summary>Call <see cref="ClientSession.Due"/> after a while.</summary>
    public sealed record SetTimer(TimeSpan After, RetryTimer Timer) : ClientEffect;

    /// <summary>Give up the socket, then call <see cref="ClientSession.Lost"/> with this reason.</summary>
    public sealed record Disconnect(string Reason) : ClientEffect;

    /// <summary>No host will have this client: end it.</summary>
    public sealed record GiveUp(string Code, string Message) : ClientEffect;
}

/// <summary>A timer of one connection: when it fires on a later one it is ignored.</summary>
/// <param name="Target">A <see cref="RetryLane"/>, a read's <see cref="PendingCommand"/>, or a <see cref="FollowedRoom"/> with a gap.</param>
/// <param name="Connection">The count of connections when it was set.</param>
internal sealed record RetryTimer(object Target, int Connection);

/// <summary>Go-back-N of one room: after a refusal nothing is sent to it until the pause is over.</summary>
internal sealed class RetryLane(string room)
{
    public string Room { get; } = room;

    /// <summary>The smallest id refused: it and all later ones to the room go out again.</summary>
    public long ResendFrom { get; set; }

    public bool Waiting { get; set; }

    public int Refusals { get; set; }
}
