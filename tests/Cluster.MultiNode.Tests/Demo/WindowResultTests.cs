using System.Text.Json;
using ActorCluster.Demo;
using ActorCluster.Demo.Checking;
using ActorCluster.Demo.Replay;

namespace ActorCluster.MultiNode.Tests.Demo;

/// <summary>A bar that is breached makes the run not clean and is named among its faults.</summary>
public class WindowResultTests
{
    [Fact]
    public void Nothing_breached_is_clean()
    {
        Assert.True(Quiet.Clean);
        Assert.Empty(Quiet.Faults);
    }

    [Fact]
    public void A_command_that_waited_longer_than_the_bar_is_a_fault_though_no_node_was_taken_away() =>
        Breaches(Quiet with { LongestWait = new(5_001, 3, "say of ann in raku, sent at noon") }, "3 commands waited longer than 5000 ms for their answer, the longest 5001 ms: say of ann in raku");

    [Fact]
    public void A_kill_that_moved_none_of_the_clients_it_met_is_a_fault() =>
        Breaches(Quiet with { KilledNode = "node2", Struck = 9 }, "node2 was killed while 9 clients were connected to it");

    [Fact]
    public void A_kill_that_met_no_client_moves_none() => Assert.True((Quiet with { KilledNode = "node2" }).Clean);

    [Fact]
    public void More_stale_rows_excused_than_a_thousandth_of_the_deliveries_are_a_fault()
    {
        Assert.True((Quiet with { Check = new() { Delivered = 5_000, RowsExcused = 90, RowsStale = 5 } }).Clean);
        Breaches(Quiet with { Check = new() { Delivered = 5_000, RowsExcused = 90, RowsStale = 6 } }, "6 stale rows are excused");
    }

    [Fact]
    public void The_report_tells_the_longest_of_all_windows_and_the_excused_rows_of_all()
    {
        var report = new Report(
        [
            Quiet with { LongestWait = new(900, 0, ""), LongestBehindMs = 70, Check = new() { Delivered = 9_000, RowsExcused = 2, TailsCut = 1 } },
            Quiet with { LongestWait = new(6_000, 1, "x"), LongestBehindMs = 40, Check = new() { Delivered = 9_000, RowsExcused = 3, TailsCut = 1 } },
        ]);
        using var json = JsonDocument.Parse(report.Json());
        var root = json.RootElement;

        Assert.Equal((6_000, 70, 5), (root.GetProperty("longestWaitMs").GetInt32(), root.GetProperty("longestBehindMs").GetInt32(), root.GetProperty("rowsExcused").GetInt32()));
        Assert.Contains("rows excused 5", report.Text(), StringComparison.Ordinal);
        Assert.Contains("longest wait of any command 6000 ms", report.Text(), StringComparison.Ordinal);
        Assert.Equal(1, root.GetProperty("faults").GetArrayLength());
        Assert.False(report.Clean);
    }

    private static WindowResult Quiet => new()
    {
        Check = new CheckResult(),
        Users = 1,
        Rooms = 1,
        FailedOver = 0,
        ImpliedJoins = 0,
        Ignored = 0,
        ClientErrors = 0,
        RecoveryMs = 0,
        FeltMs = [],
        LongestWait = new LongestWait(0, 0, ""),
        LongestBehindMs = 0,
        KilledNode = null,
        Struck = 0,
        Seconds = 1,
        Faults = [],
    };

    private static void Breaches(WindowResult result, string fault)
    {
        Assert.Contains(fault, Assert.Single(result.Faults), StringComparison.Ordinal);
        Assert.False(result.Clean);
    }
}
