namespace ActorCluster.Client;

/// <summary>The cluster or the connection to it refused something. <see cref="Code"/> says what in one word.</summary>
public class ClusterClientException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="code">One of <see cref="ErrorCodes"/>, or a newer one of the server's.</param>
    /// <param name="message">What, which value, which limit, how to mend it.</param>
    /// <param name="inner">The cause, if another exception is.</param>
    public ClusterClientException(string code, string message, Exception? inner = null)
        : base(message, inner) => Code = code;

    /// <summary>One of <see cref="ErrorCodes"/>, or a newer one of the server's.</summary>
    public string Code { get; }
}

/// <summary>
/// The server refused a command for good: it took no effect, but for <see cref="ErrorCodes.TooOld"/>, where an earlier sending may have, and
/// <see cref="ErrorCodes.Faulted"/>, where that is unknown.
/// </summary>
public sealed class CommandRefusedException : ClusterClientException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="code">One of <see cref="ErrorCodes"/>, or a newer one of the server's.</param>
    /// <param name="message">The server's words.</param>
    public CommandRefusedException(string code, string message)
        : base(code, message)
    {
    }
}

/// <summary>
/// The server no longer knows the client's session and issued a new client id, so an unanswered command cannot be sent again as the same
/// one. Whether it took effect is unknown: look at the room's stream or history before saying it once more.
/// </summary>
public sealed class ClientResetException : ClusterClientException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="message">Which command it was.</param>
    public ClientResetException(string message)
        : base(ErrorCodes.ClientReset, message)
    {
    }
}
