using System.Net.Http.Headers;
using System.Security.Claims;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.TestKit;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ActorCluster.AspNetCore.Tests;

public sealed record Hold;

/// <summary>The user switch of a singleton over HTTP (protocol 6.2).</summary>
public sealed class SwitchEndpointTests : IAsyncLifetime
{
    private readonly ModelDatabase _database = new(Guid.NewGuid());
    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("actorcluster-switch-");
    private readonly List<TestNode> _nodes = [];
    private readonly HttpClient _http = new();
    private volatile string _retryAfter = "";

    public async ValueTask InitializeAsync()
    {
        for (var i = 1; i <= 2; i++) await AddAsync($"node{i}");
        foreach (var node in _nodes) await node.UntilItSeesAsync(2);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Task.WhenAll(_nodes.Select(n => n.StopAsync()));
        _data.Delete(recursive: true);
    }

    [Fact]
    public async Task An_operator_moves_a_singleton_and_a_repeat_says_that_it_is_there()
    {
        var now = Now();
        Assert.Equal("node1", now.Holder);
        // A node that has just come up may not have been heard yet; an order may be repeated.
        (int, bool, long, string) done = default;
        await Eventually.IsAsync("node1 hears node2 and hands over", async () => (done = await SwitchAsync("operator", "controller", Order("node2", now.Term))).Item1 == 200, () => done.ToString());
        Assert.Equal((200, true, now.Term + 1, ""), done);
        Assert.Equal((200, true, now.Term + 1, ""), await SwitchAsync("operator", "controller", Order("node2", now.Term), node: 1));
        await Eventually.IsAsync("node2 holds it", () => Now().Holder == "node2", () => Now().ToString());
        Assert.Equal((409, false, now.Term + 1, $"The term of controller is {now.Term + 1}, held by node2; {now.Term} is over."), await SwitchAsync("operator", "controller", Order("node1", now.Term)));
    }

    [Theory] // user | singleton | body | status | what the reason says
    [InlineData("", "controller", """{"to":"node2","term":1}""", 401, "")]
    [InlineData("guest", "controller", """{"to":"node2","term":1}""", 403, "")]
    [InlineData("operator", "controler", """{"to":"node2","term":1}""", 404, "'singletons' of /cluster/status names")]
    [InlineData("operator", "controller", """{"to":"node2"}""", 400, "its term in 'singletons' of /cluster/status")]
    [InlineData("operator", "controller", """{"to":"node2","term":1,"force":true}""", 400, "Send {")]
    [InlineData("operator", "controller", "node2", 400, "Send {")]
    [InlineData("operator", "controller", """{"to":"node3","term":1}""", 409, "members are node1, node2")]
    public async Task What_is_not_allowed_or_not_possible_changes_nothing_and_says_what_to_do(string user, string name, string body, int status, string reason)
    {
        var before = Now();
        var answer = await SwitchAsync(user, name, body);
        Assert.Equal((status, false), (answer.Status, answer.Done));
        Assert.Contains(reason, answer.Reason, StringComparison.Ordinal);
        Assert.Equal((before.Holder, before.Term), (Now().Holder, Now().Term));
    }

    [Fact]
    public async Task What_a_foreign_page_can_send_is_refused()
    {
        Assert.Equal(415, (await SwitchAsync("operator", "controller", Order("node2", Now().Term), "text/plain")).Status);
        Assert.Equal(400, (await SwitchAsync("operator", "controller", $"{{\"to\":\"{new string('x', 5_000)}\",\"term\":1}}")).Status);
    }

    [Fact]
    public async Task Of_more_than_sixteen_at_once_the_others_are_told_to_come_again()
    {
        await Eventually.IsAsync("node1 hears node2", () => _nodes[0].Node.Life!.Latest.Fit.Length == 2, () => Now().ToString());
        _nodes[0].Node.Singleton<Controller>().Tell(new Hold());
        await Controller.Held.Task.WaitAsync(TimeSpan.FromSeconds(10));
        var term = Now().Term;
        // The first writes the plan; the others find it, and wait for the same hand-off.
        var waiting = new List<Task<(int, bool, long, string)>> { SwitchAsync("operator", "controller", Order("node2", term)) };
        await Eventually.IsAsync("the plan is seen", () => _nodes[0].Node.Life!.Latest.Rows.Any(r => r is { Type: "controller", State: ShardState.Handoff }), () => Now().ToString());
        waiting.AddRange(Enumerable.Range(0, 15).Select(_ => SwitchAsync("operator", "controller", Order("node2", term))));
        (int Status, bool Done, long Term, string Reason) more = default;
        await Eventually.IsAsync("all places are taken", async () => (more = await SwitchAsync("operator", "controller", Order("node3", term))).Status == 503, () => more.ToString());
        Assert.Contains("16 switches wait at this node already; nothing was begun. Ask again in 10 s", more.Reason, StringComparison.Ordinal);
        Assert.Equal("10", _retryAfter);
        Controller.Go.SetResult();
        Assert.All(await Task.WhenAll(waiting), w => Assert.Equal((200, true, term + 1, ""), w));
        Assert.Equal(409, (await SwitchAsync("operator", "controller", Order("node3", term + 1))).Status); // The places are free again.
    }

    [Fact]
    public async Task Without_authorization_the_route_is_not_mapped()
    {
        await using var app = Build("node9", "http://127.0.0.1:1", withAuthorization: false);
        Assert.Contains("AddAuthorization", Assert.Throws<InvalidOperationException>(() => app.MapClusterSwitch()).Message, StringComparison.Ordinal);
    }

    private static string Order(string to, long term) => $$"""{"to":"{{to}}","term":{{term}}}""";

    private SingletonStatus Now() => _nodes[0].Node.Status().Singletons.Single();

    private async Task<(int Status, bool Done, long Term, string Reason)> SwitchAsync(string user, string name, string body, string type = "application/json", int node = 0)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_nodes[node].Url, $"/cluster/singletons/{name}/switch")) { Content = new StringContent(body, Encoding.UTF8, type) };
        if (user.Length > 0) request.Headers.Authorization = new AuthenticationHeaderValue("Test", user);
        using var answer = await _http.SendAsync(request);
        _retryAfter = answer.Headers.RetryAfter?.ToString() ?? _retryAfter;
        var text = await answer.Content.ReadAsStringAsync();
        if (text.Length == 0) return ((int)answer.StatusCode, false, 0, "");
        var json = JsonNode.Parse(text)!;
        return ((int)answer.StatusCode, (bool)json["done"]!, (long)json["term"]!, (string)json["reason"]!);
    }

    private async Task AddAsync(string name)
    {
        var url = $"http://127.0.0.1:{TestCluster.FreePort()}";
        var app = Build(name, url);
        app.MapClusterSwitch("operators");
        var node = new TestNode(name, new Uri(url), app);
        _nodes.Add(node);
        await app.StartAsync();
        await node.UntilReadyAsync();
    }

    private WebApplication Build(string name, string url, bool withAuthorization = true)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls(url);
        builder.Logging.ClearProviders();
        if (withAuthorization)
        {
            builder.Services.AddAuthentication("Test").AddScheme<AuthenticationSchemeOptions, HeaderSignIn>("Test", null);
            builder.Services.AddAuthorization(options => options.AddPolicy("operators", policy => policy.RequireRole("operator")));
        }
        builder.Services.AddActorCluster(cluster => cluster
            .WithNode(name, "127.0.0.1:0", url)
            .WithStore((_, _) => new ModelStore(_database))
            .Configure(o => (o.Data, o.Secret) = (Path.Combine(_data.FullName, name), TestCluster.Secret))
            .WithSingleton<Controller>("controller", static m => m.Add<Hold>("hold.v1"), new SingletonOptions { ExternalEffects = false }));
        return builder.Build();
    }

    /// <summary>Keeps its turn once it is told to hold, until it may go.</summary>
    private sealed class Controller : Entity
    {
        public static readonly TaskCompletionSource Held = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public static readonly TaskCompletionSource Go = new(TaskCreationOptions.RunContinuationsAsynchronously);

        protected internal override async ValueTask ReceiveAsync(object message)
        {
            Held.TrySetResult();
            await Go.Task;
        }
    }

    /// <summary>Whoever names a role has it.</summary>
    private sealed class HeaderSignIn(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logs, UrlEncoder encoder) : AuthenticationHandler<AuthenticationSchemeOptions>(options, logs, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(
            AuthenticationHeaderValue.TryParse(Request.Headers.Authorization, out var header) && header.Parameter is { } role
                ? AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Role, role)], "Test")), "Test"))
                : AuthenticateResult.NoResult());
    }
}
