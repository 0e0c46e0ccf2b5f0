using System.Globalization;
using System.Text.Json;
using ActorCluster.MultiNode.Tests.Nodes;

namespace ActorCluster.MultiNode.Tests;

/// <summary>Nodes that are killed, paused and stopped while users talk: nothing that was acknowledged is lost, and the talk goes on in time.</summary>
[Collection(nameof(NodeProcesses))]
public sealed class FailureTests(ITestOutputHelper output)
{
    private static readonly TimeSpan SpreadLimit = TimeSpan.FromSeconds(40);

    [Fact]
    public async Task All_nodes_killed_at_once_serve_again_whatever_the_order_of_their_return()
    {
        await using var cluster = new SampleCluster(3);
        await cluster.StartAsync();
        await using var talk = await Talk.BeginAsync(cluster, 6);
        await cluster.SpreadAsync(SpreadLimit);
        await talk.GoesOnAsync("before the kill", TimeSpan.FromSeconds(10), 20);
        output.WriteLine($"before: {talk.TakeLongestWait()}");

        await Task.WhenAll(cluster.Nodes.Select(n => n.KillAsync()));
        foreach (var index in new[] { 1, 2, 0 }) await cluster[index].StartAsync();
        // From the start of the first process, the start of the runtime included.
        var first = await Task.WhenAny(cluster.Nodes.Select(n => n.ReadyAsync(TimeSpan.FromSeconds(10))));
        output.WriteLine($"first node ready after {(await first).TotalMilliseconds:0} ms");
        var served = await talk.GoesOnAsync("after all nodes were killed", TimeSpan.FromSeconds(10), 5);
        output.WriteLine($"all users served after another {served.TotalMilliseconds:0} ms, {talk.TakeLongestWait()}");
        await cluster.SpreadAsync(SpreadLimit);

        output.WriteLine($"until the end {talk.TakeLongestWait()}");
        await talk.EndAsync();
        Assert.Equal("", await cluster.StopAsync());
        Assert.Equal("", talk.Judge(cluster.Store));
    }

    [Fact]
    public async Task Two_of_three_killed_leave_one_that_serves_all()
    {
        await using var cluster = new SampleCluster(3);
        await cluster.StartAsync();
        await using var talk = await Talk.BeginAsync(cluster, 6);
        await cluster.SpreadAsync(SpreadLimit);
        await talk.GoesOnAsync("before the kill", TimeSpan.FromSeconds(10), 20);
        output.WriteLine($"before: {talk.TakeLongestWait()}");

        await Task.WhenAll(cluster[0].KillAsync(), cluster[1].KillAsync());
        var served = await talk.GoesOnAsync("after two of three were killed", TimeSpan.FromSeconds(8), 5);
        output.WriteLine($"all users served after {served.TotalMilliseconds:0} ms, {talk.TakeLongestWait()}");
        Assert.Equal("node3", await cluster[2].MembersUpAsync());

        foreach (var index in new[] { 1, 0 }) await cluster[index].StartAsync();
        await cluster.SpreadAsync(SpreadLimit);
        output.WriteLine($"until the end {talk.TakeLongestWait()}");
        await talk.EndAsync();
        Assert.Equal("", await cluster.StopAsync());
        Assert.Equal("", talk.Judge(cluster.Store));
    }

    [Fact]
    public async Task A_node_paused_for_20_s_is_evicted_and_rejoins_as_a_new_incarnation_of_the_same_process()
    {
        await using var cluster = new SampleCluster(3);
        await cluster.StartAsync();
        await using var talk = await Talk.BeginAsync(cluster, 6);
        await cluster.SpreadAsync(SpreadLimit);
        var (before, held) = (await cluster[1].IncarnationAsync(), cluster[1].Holdings());

        await cluster.PauseAsync(cluster[1]);
        var paused = TimeProvider.System.GetTimestamp();
        var evicted = await Await.UntilAsync("node2 evicted", TimeSpan.FromSeconds(10), async () => await cluster[0].MembersUpAsync() == "node1 node3", cluster[0].DescribeAsync);
        output.WriteLine($"evicted after {evicted.TotalMilliseconds:0} ms");
        // Users of the paused node hear nothing of it: their client gives it up after its silence limit, so they are not waited for.
        await Await.UntilAsync("20 s of pause", TimeSpan.FromSeconds(25), () => Task.FromResult(TimeProvider.System.GetElapsedTime(paused) >= TimeSpan.FromSeconds(20)), cluster[0].DescribeAsync);
        cluster[1].Resume();

        await Await.UntilAsync("node2 is a new incarnation", TimeSpan.FromSeconds(10), async () => await cluster[1].IncarnationAsync() > before, cluster[1].DescribeAsync);
        await cluster[1].ReadyAsync(TimeSpan.FromSeconds(10));
        output.WriteLine($"woken and back after {(TimeProvider.System.GetElapsedTime(paused) - TimeSpan.FromSeconds(20)).TotalMilliseconds:0} ms");
        await cluster.SpreadAsync(SpreadLimit);
        await talk.GoesOnAsync("after the pause", TimeSpan.FromSeconds(15), 5);
        Assert.False(cluster[1].Process.HasExited);

        // A life that ended holds nothing: neither threads nor files pile up.
        await Await.UntilAsync(
            $"node2 holds about what it held before ({held})", TimeSpan.FromSeconds(30),
            () => Task.FromResult(cluster[1].Holdings() is var now && now.Threads <= held.Threads + 12 && now.Files <= held.Files + 12), () => Task.FromResult(cluster[1].Holdings().ToString()));
        output.WriteLine($"until the end {talk.TakeLongestWait()}");
        await talk.EndAsync();
        Assert.Equal("", await cluster.StopAsync());
        Assert.Equal("", talk.Judge(cluster.Store));
    }

    [Fact]
    public async Task A_node_paused_for_3_s_costs_one_failover_at_most()
    {
        await using var cluster = new SampleCluster(3);
        await cluster.StartAsync();
        await using var talk = await Talk.BeginAsync(cluster, 6);
        await cluster.SpreadAsync(SpreadLimit);
        var before = await cluster[0].IncarnationAsync();

        await cluster.PauseAsync(cluster[0]);
        var paused = TimeProvider.System.GetTimestamp();
        await Await.UntilAsync("3 s of pause", TimeSpan.FromSeconds(8), () => Task.FromResult(TimeProvider.System.GetElapsedTime(paused) >= TimeSpan.FromSeconds(3)), cluster[1].DescribeAsync);
        cluster[0].Resume();
        var served = await talk.GoesOnAsync("after the pause of the oldest", TimeSpan.FromSeconds(10), 5);
        output.WriteLine($"all users served after another {served.TotalMilliseconds:0} ms, {talk.TakeLongestWait()}");
        await cluster.SpreadAsync(SpreadLimit);
        Assert.InRange(await cluster[0].IncarnationAsync(), before, before + 3);

        output.WriteLine($"until the end {talk.TakeLongestWait()}");
        await talk.EndAsync();
        Assert.Equal("", await cluster.StopAsync());
        Assert.Equal("", talk.Judge(cluster.Store));
    }

    [Fact]
    public async Task A_node_stopped_in_the_middle_of_a_write_is_named_by_the_others_who_go_on_once_it_is_killed()
    {
        await using var cluster = new SampleCluster(2);
        await cluster.StartAsync();
        await using var talk = await Talk.BeginAsync(cluster, 6);
        await cluster.SpreadAsync(SpreadLimit);

        await cluster.PauseAsync(cluster[0], inWrite: true);
        var holder = string.Create(CultureInfo.InvariantCulture, $"process {cluster[0].Process.Id} holds");
        var named = await Await.UntilAsync(
            $"node2 says that {holder} the store", TimeSpan.FromSeconds(10),
            async () => await cluster[1].StatusAsync() is { } status && status.GetProperty("storeFault").GetString() is { } fault && fault.Contains(holder, StringComparison.Ordinal), cluster[1].DescribeAsync);
        output.WriteLine($"named after {named.TotalMilliseconds:0} ms");
        // A node that starts now waits and says the same; it neither gives up nor forms a cluster of its own.
        var newcomer = cluster.Add("newcomer");
        await newcomer.StartAsync();
        await Await.UntilAsync(
            $"newcomer says that {holder} the store", TimeSpan.FromSeconds(20),
            async () => await newcomer.StatusAsync() is { } status && status.GetProperty("storeFault").GetString() is { } fault && fault.Contains(holder, StringComparison.Ordinal), newcomer.DescribeAsync);
        Assert.Equal(0, await newcomer.StopAsync());

        await cluster[0].KillAsync();
        var served = await talk.GoesOnAsync("after the kill of the node that stood in a write", TimeSpan.FromSeconds(20), 5);
        output.WriteLine($"all users served {served.TotalMilliseconds:0} ms after the kill, {talk.TakeLongestWait()}");
        await Await.UntilAsync("node2 says that the store answers", TimeSpan.FromSeconds(10), async () => await cluster[1].StatusAsync() is { } status && status.GetProperty("storeFault").ValueKind == JsonValueKind.Null, cluster[1].DescribeAsync);
        await talk.EndAsync();
        Assert.Equal(0, await cluster[1].StopAsync());
        Assert.Equal("", talk.Judge(cluster.Store));
    }

    [Fact]
    public async Task A_node_that_is_told_to_stop_before_it_has_joined_stops_with_0()
    {
        await using var cluster = new SampleCluster(1);
        await cluster.StartAsync();
        await cluster.PauseAsync(cluster[0]); // A newcomer waits for it, being neither connected to it nor sure of its death.
        var newcomer = cluster.Add("newcomer");
        await newcomer.StartAsync();
        await Await.UntilAsync("newcomer waits for node1", TimeSpan.FromSeconds(15), async () => await newcomer.StatusAsync() is { } status && status.GetProperty("joinBlockedBy").GetArrayLength() > 0, newcomer.DescribeAsync);
        Assert.Equal(0, await newcomer.StopAsync());
        cluster[0].Resume();
        await cluster[0].ReadyAsync(TimeSpan.FromSeconds(10));
        Assert.Equal("node1", await cluster[0].MembersUpAsync());
        Assert.Equal("", await cluster.StopAsync());
    }
}
