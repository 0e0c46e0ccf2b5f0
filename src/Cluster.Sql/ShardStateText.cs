using System.Diagnostics;
using ActorCluster.Persistence;

namespace ActorCluster.Sql;

/// <summary>The words that the shard table uses.</summary>
internal static class ShardStateText
{
    public static ShardState Parse(string text, long shardNo) => text switch
    {
        "free" => ShardState.Free,
        "owned" => ShardState.Owned,
        "handoff" => ShardState.Handoff,
        "ended" => ShardState.Ended,
        _ => throw new UnreachableException($"Shard {shardNo} has the state '{text}', which this build does not know."),
    };
}
