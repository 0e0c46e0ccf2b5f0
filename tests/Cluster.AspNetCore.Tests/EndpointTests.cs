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

    [Theory] // Origin of the page | Host of the request, empty for the node's own | whether it may connect
    [InlineData(null, "", true)] // A program, no page.
    [InlineData("http://NODE", "", true)]
    [InlineData("http://localhost:PORT", "", true)] // As the page was opened by another name of the same machine.
    [InlineData("https://chat.example.com", "chat.example.com", true)] // The page of a proxy that ends TLS.
    [InlineData("https://pages.example.com", "", true)] // Configured.
    [InlineData("http://evil.example", "", false)]
    [InlineData("http://localhost:1", "", false)]
    [InlineData("http://evil.example", "chat.example.com", false)]
    [InlineData("https://pages.example.com:444", "", false)]
    [InlineData("null", "", false)] // A page from a file or out of a sandbox.
    public async Task A_page_of_a_foreign_origin_may_not_connect(string? origin, string host, bool mayConnect)
    {
        origin = origin?.Replace("NODE", shared.Url.Authority, StringComparison.Ordinal).Replace("PORT", $"{shared.Url.Port}", StringComparison.Ordinal);
        var (status, reason) = await UpgradeAsync(shared.Url, origin, host);
        if (mayConnect) Assert.Equal(101, status);
        else Assert.Equal((403, $"Pages of {origin} may not connect here; serve them from a node, or add their origin to Cluster:Origins.\n"), (status, reason));
    }

    [Fact]
    public async Task A_page_of_one_node_may_connect_to_another_when_its_own_has_stopped()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var (gone, left) = (cluster.Nodes[0], cluster.Nodes[1]);
        await gone.StopAsync();
        await left.UntilItSeesAsync(1);
        Assert.Equal(101, (await UpgradeAsync(left.Url, gone.Url.ToString().TrimEnd('/'))).Status);
    }

    [Fact]
    public async Task One_connection_more_than_the_limit_is_refused_until_one_ends()
    {
        await using var cluster = await TestCluster.StartAsync(1, configure: o => o.Limits.Connections = 2);
        var url = cluster.Nodes[0].Url;
        await using var first = await RawClient.GreetAsync(url, "ada");
        await using (await RawClient.GreetAsync(url, "bob"))
        {
            Assert.Equal((503, "Node node1 has 2 connections, as many as it takes (Cluster:Limits:Connections); try the next host.\n"), await UpgradeAsync(url, null));
        }
        await Eventually.IsAsync("there is a place again", async () => (await UpgradeAsync(url, null)).Status == 101, () => "503");
    }

    /// <summary>Asks for a WebSocket as a browser would; what is said when it is refused.</summary>
    private static async Task<(int Status, string Reason)> UpgradeAsync(Uri url, string? origin, string host = "")
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(url, "/ws?user=ada"));
        foreach (var (name, value) in new[] { ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==") })
            request.Headers.TryAddWithoutValidation(name, value);
        if (origin is not null) request.Headers.TryAddWithoutValidation("Origin", origin);
        if (host.Length > 0) request.Headers.Host = host;
        using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var status = (int)answer.StatusCode;
        return (status, status == 101 ? "" : await answer.Content.ReadAsStringAsync());
    }

    private static async Task<(int Status, string Reason)> HealthAsync(HttpClient http, Uri url, string path)
    {
        using var answer = await http.GetAsync(new Uri(url, path));
        var report = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.Equal((int)answer.StatusCode, (int)report["status"]!);
        return ((int)answer.StatusCode, (string)report["reason"]!);
    }
}
