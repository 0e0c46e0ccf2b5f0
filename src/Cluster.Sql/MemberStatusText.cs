using System.Diagnostics;
using ActorCluster.Persistence;

namespace ActorCluster.Sql;

/// <summary>The words that the member table uses.</summary>
internal static class MemberStatusText
{
    public static MemberStatus Parse(string text) => text switch
    {
        "joining" => MemberStatus.Joining,
        "up" => MemberStatus.Up,
        "leaving" => MemberStatus.Leaving,
        "down" => MemberStatus.Down,
        _ => throw new UnreachableException($"A member has the status '{text}', which this build does not know."),
    };
}
