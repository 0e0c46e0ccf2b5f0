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

    [LoggerMessage(2004, LogLevel.Error, "An answer of {Entity} could not be delivered")]
    public static partial void AnswerFailed(this ILogger log, Exception cause, string entity);

    [LoggerMessage(2005, LogLevel.Error, "{Entity} threw while it took in an event or made its reply; nothing was recorded, and its memory is loaded anew")]
    public static partial void EntityDiverged(this ILogger log, Exception cause, string entity);

    [LoggerMessage(2006, LogLevel.Error, "{Entity} threw when it was told of committed events; they stand")]
    public static partial void ListenerFaulted(this ILogger log, Exception cause, string entity);

    [LoggerMessage(2007, LogLevel.Error, "Snapshot of {Entity} could not be made")]
    public static partial void SnapshotFaulted(this ILogger log, Exception cause, string entity);

    [LoggerMessage(2008, LogLevel.Critical, "The journal's loop failed; nothing can be recorded any more")]
    public static partial void JournalFailed(this ILogger log, Exception cause);

    [LoggerMessage(2009, LogLevel.Warning, "Timer {Key} of {Entity} was due and has failed {Times} times; it is fired again every minute until it takes effect or is cancelled: {Reason}")]
    public static partial void TimerFailed(this ILogger log, string key, string entity, int times, string reason);

    [LoggerMessage(2010, LogLevel.Error, "The store's clock has stepped by {Step}; no timer fires until the new time has stood for {Stands}. Check the clock of the store's machine")]
    public static partial void StoreClockStepped(this ILogger log, TimeSpan step, TimeSpan stands);

    [LoggerMessage(2011, LogLevel.Warning, "Timers could not be read, {Verdict}: {Reason}")]
    public static partial void TimersUnread(this ILogger log, StoreVerdict verdict, string? reason);

    [LoggerMessage(2012, LogLevel.Critical, "The timers' loop failed; nothing would be due any more")]
    public static partial void TimersFailed(this ILogger log, Exception cause);

    [LoggerMessage(2013, LogLevel.Information, "{Rows} rows of the journals of {Entities} entities were older or more than Cluster:Retention lets be kept, and were deleted")]
    public static partial void Truncated(this ILogger log, long rows, int entities);

    [LoggerMessage(2014, LogLevel.Error, "Old rows of journals are deleted no more in this life of the node")]
    public static partial void TruncationFailed(this ILogger log, Exception cause);
}
