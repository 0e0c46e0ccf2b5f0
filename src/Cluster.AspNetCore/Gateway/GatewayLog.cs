using Microsoft.Extensions.Logging;

namespace ActorCluster.AspNetCore.Gateway;

/// <summary>Log lines of the gateway, ids 3000 to 3099.</summary>
internal static partial class GatewayLog
{
    [LoggerMessage(3001, LogLevel.Debug, "Connection of {User} broke: {Reason}")]
    public static partial void ConnectionBroke(this ILogger log, string user, string reason);

    [LoggerMessage(3002, LogLevel.Error, "Session of {User} failed")]
    public static partial void SessionFailed(this ILogger log, Exception cause, string user);

    [LoggerMessage(3003, LogLevel.Warning, "Connection of {User} takes data too slowly and is closed")]
    public static partial void TooSlow(this ILogger log, string user);

    [LoggerMessage(3004, LogLevel.Error, "{Reason}")]
    public static partial void RoomUnreadable(this ILogger log, string reason);
}
