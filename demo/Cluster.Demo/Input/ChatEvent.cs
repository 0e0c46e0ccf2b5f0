namespace ActorCluster.Demo.Input;

/// <summary>What a line of the input says happened.</summary>
internal enum ChatKind : byte
{
    Join,
    Part,
    Quit,
    Say,
}

/// <summary>One line of the input; names are numbers of its <see cref="ChatLog"/>.</summary>
/// <param name="Time">Unix seconds, precise to the minute.</param>
/// <param name="Kind">What happened.</param>
/// <param name="User">Number of the user.</param>
/// <param name="Room">Number of the room, -1 for a quit.</param>
/// <param name="Length">Characters of the message, 0 unless it is a say.</param>
internal readonly record struct ChatEvent(long Time, ChatKind Kind, int User, int Room, int Length);
