namespace ActorCluster.Client;

/// <summary>The codes of the client protocol (docs/client-protocol.md), and below them the client's own.</summary>
public static class ErrorCodes
{
    /// <summary>The user is not a member of the room; join it first.</summary>
    public const string NotInRoom = "NotInRoom";

    /// <summary>A room cannot be streamed: the server hosts no chat rooms. Comes with <see cref="RoomEnded"/>, never as the refusal of a command.</summary>
    public const string NoSuchRoom = "NoSuchRoom";

    /// <summary>A room to be created exists.</summary>
    public const string RoomExists = "RoomExists";

    /// <summary>A text has more than 8,000 characters.</summary>
    public const string TextTooLong = "TextTooLong";

    /// <summary>A room's name is not 1 to 64 characters without control characters.</summary>
    public const string BadRoomName = "BadRoomName";

    /// <summary>A command is unknown or lacks a field.</summary>
    public const string BadCommand = "BadCommand";

    /// <summary>A command's id is below the window in which the server recognises repeats: this sending took no effect, an earlier one may have.</summary>
    public const string TooOld = "TooOld";

    /// <summary>A room has as many members as it may have.</summary>
    public const string RoomFull = "RoomFull";

    /// <summary>One connection follows as many rooms as it may. The user is a member all the same.</summary>
    public const string TooManyRooms = "TooManyRooms";

    /// <summary>The room failed at the command; whether it took effect is unknown.</summary>
    public const string Faulted = "Faulted";

    /// <summary>More commands are unanswered than the server allows.</summary>
    public const string TooManyUnanswered = "TooManyUnanswered";

    /// <summary>A frame was not understood.</summary>
    public const string BadFrame = "BadFrame";

    /// <summary>The token was forged, has expired or is another user's.</summary>
    public const string BadToken = "BadToken";

    /// <summary>The server speaks another version of the protocol.</summary>
    public const string BadVersion = "BadVersion";

    /// <summary>The request does not say who the user is.</summary>
    public const string NoUser = "NoUser";

    /// <summary>The node cannot serve now.</summary>
    public const string NotServing = "NotServing";

    /// <summary>A frame of the client is longer than the server accepts.</summary>
    public const string FrameTooLong = "FrameTooLong";

    /// <summary>The client's own: no host welcomed the client.</summary>
    public const string Unreachable = "Unreachable";

    /// <summary>The client's own: the server issued a new client id; see <see cref="ClientResetException"/>.</summary>
    public const string ClientReset = "ClientReset";

    /// <summary>The client's own: <see cref="ClusterClientOptions.WaitingMax"/> commands wait for a connection already; nothing was sent.</summary>
    public const string TooManyWaiting = "TooManyWaiting";

    /// <summary>The client's own: an event handler threw, which ended the client.</summary>
    public const string HandlerFailed = "HandlerFailed";

    /// <summary>The client's own: the client was disposed before the answer came.</summary>
    public const string Disposed = "Disposed";
}
