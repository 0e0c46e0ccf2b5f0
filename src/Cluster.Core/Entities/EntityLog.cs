using ActorCluster.Persistence;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Entities;

/// <summary>Log lines of the entities' room, ids 2000 to 2099.</summary>
internal static partial class EntityLog
{
    [LoggerMessage(2001, LogLevel.Error, "Entity {Entity} threw; its sender was told")]
    public static partial void EntityFaulted(this ILogger log, Exception cause, string entity);

    [LoggerMessage(2002, LogLevel.Warning, "Append of {Batches} batches ended {Verdict}: {Reason}")]
    public static partial void AppendFailed(this ILogger log, int batches, StoreVerdict verdict, string? reason);

    [LoggerMessage(2003, LogLevel.Warning, "Snapshot of {Entity} was not written, {Verdict}: {Reason}")]
    public static partial void SnapshotFailed(this ILogger log, string entity, StoreVerdict verdict, string? reason);
}
