using System.Diagnostics;
using ActorCluster.Persistence;

namespace ActorCluster.Sql;

/// <summary>A view change in words, for the log of views.</summary>
internal static class ViewChangeText
{
    public static string Describe(ViewChange change)
    {
        var steps = change.Members.Select(m => m switch
        {
            MemberChange.Join(var row) => $"join {row.Name}{row.Inc} {row.LinkAddress}",
            MemberChange.Up(var inc) => $"up {inc}",
            MemberChange.Leave(var inc) => $"leave {inc}",
            MemberChange.Down(var inc, var reason, _, var proof) => $"down {inc} ({reason}){(proof ? " with proof" : "")}",
            _ => throw new UnreachableException($"No words for {m}."),
        });
        return string.Join("; ", steps.Concat(change.Releases.Select(r => $"release {r.Inc}")).Concat(change.Settings is { } settings ? [$"settings {settings.BasedOn + 1}"] : []));
    }
}
