using ActorCluster.Links.Wire;
using ActorCluster.Primitives;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Links;

/// <summary>Every log line of the room.</summary>
internal static partial class LinkLog
{
    [LoggerMessage(1101, LogLevel.Information, "Link {Channel} with {Peer} is up")]
    public static partial void ChannelUp(this ILogger log, LinkChannel channel, Incarnation peer);

    [LoggerMessage(1102, LogLevel.Information, "Link {Channel} with {Peer} is lost: {How}")]
    public static partial void ChannelLost(this ILogger log, LinkChannel channel, Incarnation peer, ChannelLoss how);

    [LoggerMessage(1103, LogLevel.Error, "The cluster secret of {Peer} at {Address} differs from this node's. Set the same Cluster:Secret on both, or give both values on one node while rotating")]
    public static partial void SecretDiffers(this ILogger log, string peer, string address);

    [LoggerMessage(1104, LogLevel.Warning, "{Address} should be {Peer}{Expected}, but {Found} answers there")]
    public static partial void OtherIncarnation(this ILogger log, string address, string peer, Incarnation expected, Incarnation found);

    [LoggerMessage(1105, LogLevel.Warning, "Link {Channel} to {Peer}{Inc} was refused there: {Reason}")]
    public static partial void RefusedByPeer(this ILogger log, string peer, Incarnation inc, LinkChannel channel, Refused.Types.Reason reason);

    [LoggerMessage(1106, LogLevel.Warning, "Link {Channel} from {Peer}{Inc} is refused: {Reason}")]
    public static partial void RefusesPeer(this ILogger log, string peer, Incarnation inc, LinkChannel channel, Refused.Types.Reason reason);

    [LoggerMessage(1107, LogLevel.Information, "Link {Channel} to {Peer} at {Address} cannot be dialled: {Reason}. Dialling goes on")]
    public static partial void DialFailed(this ILogger log, LinkChannel channel, string peer, string address, string reason);

    [LoggerMessage(1108, LogLevel.Debug, "A connection from {Remote} ended before it proved the cluster secret: {Reason}")]
    public static partial void Unauthenticated(this ILogger log, string remote, string reason);

    [LoggerMessage(1109, LogLevel.Error, "Link {Channel} with {Peer} sent a frame of {Length} bytes, type {Type}; 1 to {Limit} bytes and types 1 to 127 are allowed. It is closed; give every node the same FrameBytesMax")]
    public static partial void FrameBroken(this ILogger log, LinkChannel channel, Incarnation peer, long length, byte type, int limit);

    [LoggerMessage(1110, LogLevel.Critical, "The owner of link {Channel} with {Peer} threw; the link is closed")]
    public static partial void HandlerFailed(this ILogger log, Exception error, LinkChannel channel, Incarnation peer);

    [LoggerMessage(1111, LogLevel.Error, "Accepting links failed ({Reason}); it goes on")]
    public static partial void AcceptFailed(this ILogger log, string reason);

    [LoggerMessage(1112, LogLevel.Error, "{Threads} link threads did not end within {Limit}; a handler of frames is blocked")]
    public static partial void ThreadsLeft(this ILogger log, int threads, TimeSpan limit);

    [LoggerMessage(1113, LogLevel.Critical, "A handshake failed in this node's own code")]
    public static partial void HandshakeBroke(this ILogger log, Exception error);
}
