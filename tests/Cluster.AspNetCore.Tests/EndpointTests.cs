using System.Text.Json.Nodes;

namespace ActorCluster.AspNetCore.Tests;

public class EndpointTests(SharedNode shared)
{
    [Fact]
    public async Task A_serving_node_is_live_and_ready()
    {
        using var http = new HttpClient();
        Assert.Equal((200, "live"), await HealthAsync(http, shared.Url, "/health/live"));
        Assert.Equal((200, "ready"), await HealthAsync(http, shared.Url, "/health/ready"));
    }

    [Fact]
    public async Task The_status_names_the_members_and_who_owns_what()
    {
        using var http = new HttpClient();
        var status = JsonNode.Parse(await http.GetStringAsync(new Uri(shared.Url, "/cluster/status")))!;
        Assert.Equal(("node1", "serving"), ((string)status["node"]!, (string)status["mode"]!));
        var member = Assert.Single(status["members"]!.AsArray())!;
        Assert.Equal(("node1", "up", true, shared.Url.ToString().TrimEnd('/')), ((string)member["name"]!, (string)member["status"]!, (bool)member["reachable"]!, (string)member["clients"]!));
        Assert.Equal(["presence", "room"], status["shards"]!.AsArray().Select(s => (string)s!["type"]!).Order(StringComparer.Ordinal));
        Assert.All(status["shards"]!.AsArray(), s => Assert.Equal(("node1", 256), ((string)s!["owner"]!, (int)s["count"]!)));
    }

    [Fact]
    public async Task A_node_that_stops_is_live_but_not_ready_and_sends_clients_elsewhere()
    {
        var gate = new StoreGate();
        await using var cluster = await TestCluster.StartAsync(1, gate.Wrap);
        var (node, url) = (cluster.Nodes[0], cluster.Nodes[0].Url);
        using var http = new HttpClient();
        await using var client = await RawClient.GreetAsync(url, "ada");
        // Rows that wait for their commit keep the node from handing its shards off: it goes on answering while it stops.
        await client.AskAsync(1, "\"cmd\":\"join\",\"room\":\"r\"");
        gate.Close();
        await client.SendAsync("""{"op":"cmd","id":2,"cmd":"say","room":"r","text":"hi"}""");
        await Eventually.IsAsync("a row waits for its commit", () => node.Node.Status().UncommittedRows > 0, () => node.Node.Status().ToString());
        var stopping = node.StopAsync();
        Assert.Equal("The node stops.", (string?)(await client.NextAsync("goaway"))["reason"]);
        Assert.Empty(await client.RestAsync());
        Assert.Equal((503, "the node is stopping"), await HealthAsync(http, url, "/health/ready"));
        Assert.Equal((200, "live"), await HealthAsync(http, url, "/health/live"));
        await using var late = await RawClient.OpenAsync(url, "bob");
        var bye = Assert.Single(await late.RestAsync());
        Assert.Equal(("bye", "NotServing"), ((string)bye["op"]!, (string)bye["code"]!));
        gate.Open();
        await stopping;
        Assert.Equal(2, (await cluster.JournalAsync("r")).Count); // What was under way was not lost.
    }

    private static async Task<(int Status, string Reason)> HealthAsync(HttpClient http, Uri url, string path)
    {
        using var answer = await http.GetAsync(new Uri(url, path));
        var report = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.Equal((int)answer.StatusCode, (int)report["status"]!);
        return ((int)answer.StatusCode, (string)report["reason"]!);
    }
}
