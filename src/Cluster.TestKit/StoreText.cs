using System.Collections;
using System.Globalization;
using ActorCluster.Persistence;

namespace ActorCluster.TestKit;

/// <summary>Writes answers of stores out, contents of lists and byte arrays included, so that two of them can be compared as text.</summary>
internal static class StoreText
{
    /// <summary>The verdict, and the value when Ok; reasons are for people and differ between stores.</summary>
    public static string Of<T>(StoreResult<T> result) => result.IsOk ? $"Ok {Of((object?)result.Value)}" : result.Verdict.ToString();

    public static string Of(object? value) => value switch
    {
        null => "null",
        string text => text,
        JournalRow row => string.Create(
            CultureInfo.InvariantCulture,
            $"{row.Entity}@{row.EntitySeq} {row.Command} {row.Kind} {Convert.ToHexString(row.Payload.Span)} {(row.Result is { } result ? Convert.ToHexString(result.Span) : "none")} {row.AtUnixMs}"),
        TimerRow timer => string.Create(
            CultureInfo.InvariantCulture,
            $"{timer.Shard} {timer.Entity} {timer.Timer.Key} {timer.Timer.No} at {timer.Timer.DueUnixMs} {timer.Timer.Message} {Convert.ToHexString(timer.Timer.Payload.Span)}"),
        TimerPage page => Of(page.Timers), // Each store has its own clock.
        EntitySnapshot snapshot => string.Create(
            CultureInfo.InvariantCulture, $"{snapshot.Entity}@{snapshot.EntitySeq} {snapshot.Schema} {Convert.ToHexString(snapshot.Payload.Span)}"),
        MemberRow member => $"{member with { Roles = [], Types = null }} lease {member.LeaseSeq} down {member.DownView} {member.DownReason} {member.DownBy} {member.DeadProof} up {member.UpView} roles {Of(member.Roles)} types {Of(member.Types)}",
        ClusterSnapshot cluster => $"view {cluster.Cluster.View} members {Of(cluster.Members)}",
        IEnumerable list => $"[{string.Join("; ", list.Cast<object?>().Select(Of))}]",
        _ => value.ToString() ?? "",
    };
}
