namespace ActorCluster.Client;

internal enum CommandKind
{
    Create,
    Join,
    Leave,
    Say,
    History,
    Presence,

    /// <summary>The session's own history question, which fills a gap. It ends with the connection: the next hello asks the same.</summary>
    Fill,
}

/// <summary>How a command ended: with <see cref="Code"/> null as asked for, else refused.</summary>
internal readonly record struct Answer(string? Code, string? Message = null, long Seq = 0, long Head = 0, int Members = 0,
    IReadOnlyList<RoomItem>? Items = null, IReadOnlySet<string>? Online = null, bool IsStale = false);

/// <summary>
/// A command from its call to its answer. It is its own completion source, which saves an object per message; the session never
/// completes it, the driver does (<see cref="ClientEffect.Complete"/>).
/// </summary>
internal sealed class PendingCommand(CommandKind kind, string room, byte[] body)
    : TaskCompletionSource<Answer>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    private volatile bool _abandoned;

    public CommandKind Kind { get; } = kind;

    /// <summary>Empty for presence.</summary>
    public string Room { get; } = room;

    /// <summary>The frame without op, id and prev: these are put before it at each sending.</summary>
    public byte[] Body { get; } = body;

    /// <summary>0 until the command enters the window of unanswered ones.</summary>
    public long Id { get; set; }

    /// <summary>True once a frame with this id may have reached a server.</summary>
    public bool Sent { get; set; }

    /// <summary>Retryable refusals so far; for reads, which are retried one by one.</summary>
    public int Refusals { get; set; }

    public bool IsRead => Kind is CommandKind.History or CommandKind.Presence or CommandKind.Fill;

    public bool OpensRoom => Kind is CommandKind.Create or CommandKind.Join;

    /// <summary>Its caller has stopped waiting: not worth a first sending any more.</summary>
    public bool Abandoned { get => _abandoned; set => _abandoned = value; }
}
