using System.Security.Claims;
using ActorCluster.Client;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Readme;

namespace ActorCluster.AspNetCore.Tests;

public class ReadmeTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public void The_server_of_the_readme_is_the_one_that_is_run_here()
    {
        var readme = File.ReadAllText(Path.Combine(Repository.Root, "README.md"));
        var shown = readme.Split("```csharp\n")[1].Split("```")[0];
        var sample = File.ReadAllText(Path.Combine(Repository.Root, "tests", "Cluster.AspNetCore.Tests", "ReadmeSample.cs"));
        using var run = Lines(sample.Replace("protected internal", "protected", StringComparison.Ordinal)).GetEnumerator(); // Internal is what only friends of the library must write.
        foreach (var line in Lines(shown))
        {
            while (run.MoveNext() && run.Current != line)
            {
                // Lines between are the test's own.
            }
            Assert.True(run.Current == line, $"README.md shows a line that ReadmeSample.cs has not, or not there: {line}");
        }
    }

    [Fact]
    public async Task The_server_of_the_readme_starts_and_serves_whoever_has_signed_in()
    {
        var data = Directory.CreateTempSubdirectory("actorcluster-readme-");
        var built = new TaskCompletionSource<WebApplication>(TaskCreationOptions.RunContinuationsAsynchronously);
        string[] settings =
        [
            "--contentRoot", data.FullName, "--urls", "http://127.0.0.1:0", "--Cluster:Secret", TestCluster.Secret, "--Cluster:Node:Link", "127.0.0.1:0", "--Cluster:Data", data.FullName,
            "--Logging:LogLevel:Default", "None", "--Cluster:Store:Sqlite", Path.Combine(data.FullName, "cluster.db"),
        ];
        var running = Task.Run(() => ReadmeSample.Run(settings, app =>
        {
            app.MapPost("/sign-in/{user}", (HttpContext context, string user) => context.SignInAsync(new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, user)], "test"))));
            app.Lifetime.ApplicationStarted.Register(() => built.SetResult(app));
        }));
        await (await Task.WhenAny(running, built.Task).WaitAsync(Limit)); // Why it ended, should it have ended.
        var app = await built.Task.WaitAsync(Limit);
        var url = new Uri(app.Urls.Single());
        using var http = new HttpClient { BaseAddress = url };
        await Eventually.IsAsync("the server is ready", async () => (await http.GetAsync(new Uri("/health/ready", UriKind.Relative))).IsSuccessStatusCode, () => "not ready");
        await http.PostAsync(new Uri("/count/5", UriKind.Relative), null);
        Assert.Equal("7", await (await http.PostAsync(new Uri("/count/2", UriKind.Relative), null)).Content.ReadAsStringAsync());

        await using var nobody = await RawClient.OpenAsync(url, null);
        Assert.Equal("NoUser", (string?)(await nobody.NextAsync("bye"))["code"]);
        var cookie = (await http.PostAsync(new Uri("/sign-in/ada", UriKind.Relative), null)).Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        await using (var ada = new ClusterClient(new() { Hosts = [url], ConfigureSocket = socket => socket.SetRequestHeader("Cookie", cookie) }))
        {
            await ada.ConnectAsync().WaitAsync(Limit);
            await ada.JoinAsync("raku").WaitAsync(Limit);
            await Eventually.IsAsync("ada is present by her signed-in name", async () => (await ada.PresenceAsync(["ada", "bob"])).SetEquals(["ada"]), () => "absent");
        }
        app.Lifetime.StopApplication();
        await running.WaitAsync(Limit);
        data.Delete(recursive: true);
    }

    private static IEnumerable<string> Lines(string text) => text.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0);
}
