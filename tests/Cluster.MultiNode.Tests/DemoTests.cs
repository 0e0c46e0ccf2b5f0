using System.Text.Json;
using ActorCluster.Demo.Nodes;
using ActorCluster.MultiNode.Tests.Nodes;

namespace ActorCluster.MultiNode.Tests;

/// <summary>The demo as an operator runs it: generated chat against real nodes, with faults; it exits with 0 only when every figure is clean.</summary>
[Collection(nameof(NodeProcesses))]
public sealed class DemoTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(150);

    [Fact]
    public async Task Three_windows_each_with_another_node_killed_are_clean()
    {
        var report = await RunAsync("--windows", "3", "--kill", "1", "--events", "1500");
        Assert.Equal(["node1", "node2", "node3"], report.GetProperty("killedNodes").EnumerateArray().Select(n => n.GetString()));
        Assert.True(report.GetProperty("struck").GetInt64() > 0, "The kills met no client.");
    }

    [Fact]
    public async Task Restarting_all_nodes_in_turn_is_not_noticed() => await RunAsync("--rolling", "--events", "1500");

    private async Task<JsonElement> RunAsync(params string[] arguments)
    {
        using var folder = new TestFolder();
        var log = folder.At("demo.log");
        string[] all = [Path.Combine(AppContext.BaseDirectory, "Cluster.Demo.dll"), "--sample", SampleNode.Assembly, "--json", .. arguments];
        await using var demo = NodeProcess.Start(all, log);
        if (await demo.WaitAsync(Limit) is not { } code)
        {
            await demo.StopAsync(TimeSpan.FromSeconds(30)); // It stops its nodes when it is stopped.
            throw new TimeoutException($"The demo did not end within {Limit.TotalSeconds} s: {await File.ReadAllTextAsync(log)}");
        }
        var text = await File.ReadAllTextAsync(log);
        Assert.True(code == 0, $"The demo exited with {code}: {text}");
        using var report = JsonDocument.Parse(text.Split('\n').Single(l => l.StartsWith('{')));
        output.WriteLine(report.RootElement.ToString());
        foreach (var figure in new[] { "lost", "duplicated", "outOfOrder", "noticesMissing", "strays", "unasked", "digestsWrong", "clientErrors" }) Assert.Equal(0, report.RootElement.GetProperty(figure).GetInt64());
        Assert.True(report.RootElement.GetProperty("acknowledged").GetInt64() > 100, "Too little was said to tell anything.");
        return report.RootElement.Clone();
    }
}
