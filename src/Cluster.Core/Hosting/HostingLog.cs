using ActorCluster.Downing;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Hosting;

/// <summary>Log lines of a node's life, ids 1000 to 1099.</summary>
internal static partial class HostingLog
{
    [LoggerMessage(1001, LogLevel.Information, "Node {Name}{Inc} starts on {Store}, links at {Link}")]
    public static partial void NodeStarts(this ILogger log, string name, Incarnation inc, string store, string link);

    [LoggerMessage(1002, LogLevel.Information, "View {View}: {Members}")]
    public static partial void ViewChanged(this ILogger log, long view, string members);

    [LoggerMessage(1003, LogLevel.Information, "Mode {From} to {To}")]
    public static partial void ModeChanged(this ILogger log, NodeMode from, NodeMode to);

    [LoggerMessage(1004, LogLevel.Information, "{Shards} shards started on {Inc}")]
    public static partial void ShardsStarted(this ILogger log, int shards, Incarnation inc);

    [LoggerMessage(1005, LogLevel.Information, "{Shards} shards stopped on {Inc}")]
    public static partial void ShardsStopped(this ILogger log, int shards, Incarnation inc);

    [LoggerMessage(1006, LogLevel.Warning, "Store call {Call} ended {Verdict}: {Reason}")]
    public static partial void StoreCallEnded(this ILogger log, string call, StoreVerdict verdict, string? reason);

    [LoggerMessage(1033, LogLevel.Warning, "The start waits: {Reason}")]
    public static partial void StartWaits(this ILogger log, string reason);

    [LoggerMessage(1007, LogLevel.Information, "Decided {What}")]
    public static partial void Decided(this ILogger log, string what);

    [LoggerMessage(1008, LogLevel.Warning, "This life ends with code {ExitCode}: {Reason}")]
    public static partial void LifeEnds(this ILogger log, int exitCode, string reason);

    [LoggerMessage(1009, LogLevel.Critical, "The node's core failed; the node stops")]
    public static partial void CoreFailed(this ILogger log, Exception cause);

    [LoggerMessage(1010, LogLevel.Debug, "{Input} came after the life's end")]
    public static partial void InputAfterEnd(this ILogger log, string input);

    [LoggerMessage(1011, LogLevel.Critical, "{Reason}")]
    public static partial void StartRefused(this ILogger log, string reason);

    [LoggerMessage(1013, LogLevel.Critical, "A node on another store was refused. {Reason}")]
    public static partial void StoreMismatch(this ILogger log, string reason);

    [LoggerMessage(1019, LogLevel.Critical, "The node stands still. {Reason}")]
    public static partial void StoreRegressed(this ILogger log, string reason);

    [LoggerMessage(1030, LogLevel.Critical, "The last {Rows} rows that this node has acknowledged, which the store may have forgotten, are in {File}")]
    public static partial void AckedExported(this ILogger log, int rows, string file);

    [LoggerMessage(1031, LogLevel.Critical, "The last rows that this node has acknowledged could not be written to its data folder")]
    public static partial void AckedNotExported(this ILogger log, Exception cause);

    [LoggerMessage(1014, LogLevel.Error, "The node did not leave within {Limit}; the others notice by its lease")]
    public static partial void LeaveTooLong(this ILogger log, TimeSpan limit);

    [LoggerMessage(1015, LogLevel.Warning, "{Peer} could not be probed: {Reason}")]
    public static partial void ProbeFailed(this ILogger log, Incarnation peer, string reason);

    [LoggerMessage(1016, LogLevel.Debug, "Nobody listens at the link of {Peer} any more")]
    public static partial void LinkGone(this ILogger log, Incarnation peer);

    [LoggerMessage(1017, LogLevel.Debug, "The lock file of {Peer} is free")]
    public static partial void LockFree(this ILogger log, Incarnation peer);

    [LoggerMessage(1026, LogLevel.Debug, "The store has lost the session of {Peer}")]
    public static partial void SessionGone(this ILogger log, Incarnation peer);

    [LoggerMessage(1018, LogLevel.Debug, "Asks for a view change: {Reason}")]
    public static partial void AsksForView(this ILogger log, string reason);

    [LoggerMessage(1023, LogLevel.Information, "Witness {Witness} is {State}: {Answer}")]
    public static partial void WitnessChanged(this ILogger log, Witness witness, string state, string answer);

    [LoggerMessage(1021, LogLevel.Warning, "{One} and {Other} do not reach each other, only others reach both: look at the network between them")]
    public static partial void EdgeBroken(this ILogger log, Incarnation one, Incarnation other);

    [LoggerMessage(1022, LogLevel.Information, "{One} and {Other} reach each other again, or one of them is gone")]
    public static partial void EdgeMended(this ILogger log, Incarnation one, Incarnation other);

    [LoggerMessage(1024, LogLevel.Warning, "{Key} is '{Here}' here, but '{Cluster}' in the cluster, which counts. Give this node the cluster's value, or change the cluster's: actorcluster settings set")]
    public static partial void SettingDiffers(this ILogger log, string key, string here, string cluster);

    [LoggerMessage(1040, LogLevel.Warning, "{Doubt}")]
    public static partial void SettingDoubted(this ILogger log, string doubt);

    [LoggerMessage(1028, LogLevel.Information, "No link reaches {Peer}: its frames go through {Relay}")]
    public static partial void Relayed(this ILogger log, Incarnation peer, Incarnation relay);

    [LoggerMessage(1029, LogLevel.Information, "Frames for {Peer} go through nobody any more")]
    public static partial void RelayedNoMore(this ILogger log, Incarnation peer);

    [LoggerMessage(1041, LogLevel.Warning, "The store does not answer here, but elsewhere: {Shards} shards were stopped, and {Helper} is asked to release them")]
    public static partial void AsksForRelease(this ILogger log, int shards, Incarnation helper);

    [LoggerMessage(1043, LogLevel.Error, "The policy {Policy} failed instead of deciding: this side waits, and evicts only members whose leases are stale. It is told once in a life; mend the policy")]
    public static partial void PolicyFailed(this ILogger log, string policy, Exception cause);

    [LoggerMessage(1044, LogLevel.Critical, "The node has ended with code {ExitCode}, and its host has not stopped within {Within} (Cluster:Node:ExitWithin): the process ends. Look for code that blocks its thread, and for services that do not stop")]
    public static partial void HostDoesNotStop(this ILogger log, int exitCode, TimeSpan within);

    [LoggerMessage(1034, LogLevel.Warning, "This node is sick: its thread pool is {Delay} behind. While fewer than half of the members are, its shards are handed off to others; it goes on as a gateway. Look for turns and handlers that block their thread")]
    public static partial void IsSick(this ILogger log, TimeSpan delay);

    [LoggerMessage(1035, LogLevel.Information, "This node is well again: its thread pool keeps up, and it is given shards")]
    public static partial void IsWell(this ILogger log);

    [LoggerMessage(1012, LogLevel.Information, "Rejoining as a new incarnation in {Wait}")]
    public static partial void Rejoining(this ILogger log, TimeSpan wait);

    [LoggerMessage(1032, LogLevel.Warning, "No member reaches the store, and all say so: reads go on from memory, and effects of types that are registered so; writes wait")]
    public static partial void FailsafeBegins(this ILogger log);

    [LoggerMessage(1042, LogLevel.Warning, "The word of all members that none reaches the store does not count any more, in mode {Mode}; missing: [{Members}]")]
    public static partial void FailsafeEnds(this ILogger log, NodeMode mode, string members);
}
