using System.Globalization;
using System.Text.Json;
using ActorCluster.Demo.Nodes;
using ActorCluster.MultiNode.Tests.Nemesis;
using ActorCluster.MultiNode.Tests.Nodes;

namespace ActorCluster.MultiNode.Tests;

/// <summary>The nemesis as anybody runs it, for a short time; over relays and saying so where no namespaces are allowed.</summary>
[Collection(nameof(NodeProcesses))]
public sealed class NemesisTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Faults_for_45_s_on_three_nodes_lose_and_repeat_nothing()
    {
        var report = await RunAsync("45s", "--seed", "11");
        Assert.True(report.GetProperty("faults").GetInt32() >= 5, "Too few faults to tell anything.");
        Assert.True(report.GetProperty("acknowledged").GetInt64() > 500, "Too little was said to tell anything.");
    }

    [Fact]
    public async Task Without_namespaces_relays_cut_store_and_clients_and_the_report_says_what_they_cannot()
    {
        var report = await RunAsync("12s", "--relay", "--only", "store-drop,clients-reset,kill", "--seed", "3");
        Assert.Equal("relays", report.GetProperty("network").GetString());
        Assert.Contains(report.GetProperty("notInjected").EnumerateArray(), n => n.GetString()!.StartsWith("links-drop: ", StringComparison.Ordinal));
    }

    [Fact]
    public void An_effect_of_an_earlier_term_and_two_hosts_of_one_are_overlaps()
    {
        var order = new EffectOrder();
        foreach (var (term, host) in new[] { (1, 1), (1, 1), (3, 2), (3, 2) }) order.Take(term, host);
        Assert.Equal((4, 2, 0), (order.Effects, order.Terms, order.Overlapping));
        order.Take(1, 1);
        order.Take(3, 1);
        Assert.Equal(2, order.Overlapping);
        Assert.Equal("Effect 5 was of term 1 on #1, after one of term 3 on #2.", order.Finding);
    }

    [Fact]
    public void One_seed_is_one_plan()
    {
        static string Of(int seed)
        {
            var plan = new FaultPlan(seed, 3, FaultKinds.All, TimeSpan.FromSeconds(30));
            return string.Join('\n', Enumerable.Range(0, 60).SelectMany(_ => plan.Next()).Select(e => string.Create(CultureInfo.InvariantCulture, $"{e.After} {e.Fault.What} {e.Fault.For}")));
        }
        Assert.Equal(Of(7), Of(7));
        Assert.NotEqual(Of(7), Of(8));
    }

    [Fact]
    public void Every_kind_comes_before_any_comes_again()
    {
        var plan = new FaultPlan(5, 3, FaultKinds.All, TimeSpan.FromSeconds(30));
        var seen = new HashSet<string>();
        for (var i = 0; i < FaultKinds.All.Length * 2; i++) seen.UnionWith(plan.Next().Select(e => e.Fault.Kind));
        Assert.Empty(FaultKinds.All.Except(seen));
    }

    private async Task<JsonElement> RunAsync(params string[] arguments)
    {
        using var folder = new TestFolder();
        var log = folder.At("nemesis.log");
        await using var nemesis = NodeProcess.Start([typeof(NemesisTests).Assembly.Location, "nemesis", "--json", .. arguments], log);
        var limit = TimeSpan.FromSeconds(240);
        if (await nemesis.WaitAsync(limit) is not { } code)
        {
            await nemesis.StopAsync(TimeSpan.FromSeconds(30)); // The kernel ends its nodes with it.
            throw new TimeoutException($"The nemesis did not end within {limit.TotalSeconds} s: {await File.ReadAllTextAsync(log)}");
        }
        var text = await File.ReadAllTextAsync(log);
        output.WriteLine(text);
        Assert.True(code == 0, $"The nemesis exited with {code}: {text}");
        using var report = JsonDocument.Parse(text.Split('\n').Single(l => l.StartsWith('{')));
        return report.RootElement.Clone();
    }
}
