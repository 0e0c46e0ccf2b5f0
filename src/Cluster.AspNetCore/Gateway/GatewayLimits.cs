namespace ActorCluster.AspNetCore.Gateway;

/// <summary>Bounds of one client connection (docs/client-protocol.md).</summary>
internal static class GatewayLimits
{
    public const int FrameBytes = 64 * 1024;
    public const int HelloBytes = 1024 * 1024;
    public const int Unanswered = 128;
    public const int BadFrames = 10;
    public const int RoomNameCharacters = 64;
    public const int RoomsPerSession = 1000;
    public const int ListMax = 500;
    public const int UnsentBytes = 1024 * 1024;
    public const int DigestAbove = 50;

    public static readonly TimeSpan HelloWithin = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan UnsentFor = TimeSpan.FromSeconds(30);
    public static readonly TimeSpan PingEvery = TimeSpan.FromSeconds(15);
    public static readonly TimeSpan SilenceAfterPing = TimeSpan.FromSeconds(30);
    public static readonly TimeSpan DigestEvery = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan TokenEvery = TimeSpan.FromMinutes(20);

    public static bool IsRoomName(string? room) => room is { Length: >= 1 and <= RoomNameCharacters } && !room.Any(char.IsControl);
}
