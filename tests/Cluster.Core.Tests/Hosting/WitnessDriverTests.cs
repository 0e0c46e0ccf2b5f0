using System.Net;
using System.Net.Sockets;
using ActorCluster.Downing;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.TestKit;
using ActorCluster.Tests.Entities;
using Microsoft.Extensions.DependencyInjection;

namespace ActorCluster.Tests.Hosting;

/// <summary>A real HTTP server, a real listener, real files, a real store in memory.</summary>
public sealed class WitnessDriverTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20); // A busy machine is no dead witness.

    private readonly ModelStore _store = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("actorcluster-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("200 OK", true, "status 200")]
    [InlineData("302 Found\r\nLocation: http://192.0.2.1/", true, "status 302")] // Not followed: whoever redirects has answered.
    [InlineData("404 Not Found", true, "status 404")]
    [InlineData("503 Service Unavailable", false, "status 503")]
    public async Task A_url_counts_from_200_to_499(string status, bool ok, string answer)
    {
        using var server = new Server(status);
        Assert.Equal((ok, answer), await Ask($"http://127.0.0.1:{server.Port}/"));
        Assert.StartsWith("GET / HTTP/1.1", server.FirstLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_accepts_but_says_nothing_is_given_up_after_the_limit()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        Assert.Equal((false, "no answer within 0.5 s"), await Ask($"http://127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}/", TimeSpan.FromSeconds(0.5)));
    }

    [Fact]
    public async Task A_tcp_witness_counts_while_it_accepts()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var witness = $"tcp://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
        Assert.Equal((true, "connected"), await Ask(witness));
        listener.Stop();
        var (ok, answer) = await Ask(witness);
        Assert.False(ok);
        Assert.Contains("refused", answer, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_file_counts_while_it_can_be_read()
    {
        var file = Path.Combine(_folder, "alive");
        Assert.False((await Ask($"file://{file}")).Ok);
        await File.WriteAllTextAsync(file, "", TestContext.Current.CancellationToken);
        Assert.Equal((true, "read"), await Ask($"file://{file}"));
        Assert.False((await Ask($"file://{_folder}")).Ok);
    }

    [Fact]
    public async Task The_store_counts_while_it_answers()
    {
        using var driver = new WitnessDriver(_store, Limit);
        await _store.OpenAsync(new StoreSeed("x"), TestContext.Current.CancellationToken);
        Assert.Equal((true, "view 0"), await driver.AskAsync(Witness.Parse("store")!));
    }

    [Fact]
    public async Task A_question_that_hangs_is_not_asked_a_second_time()
    {
        var pipe = Path.Combine(_folder, "pipe"); // Opening it waits for a writer, as a dead share waits for its server.
        using (var made = System.Diagnostics.Process.Start("mkfifo", pipe)) await made.WaitForExitAsync(TestContext.Current.CancellationToken);
        using var driver = new WitnessDriver(_store, TimeSpan.FromSeconds(0.2));
        var witness = Witness.Parse($"file://{pipe}")!;
        Assert.Equal((false, "no answer within 0.2 s"), await driver.AskAsync(witness));
        Assert.Equal((false, "an earlier question still hangs"), await driver.AskAsync(witness));
        await File.WriteAllTextAsync(pipe, "x", TestContext.Current.CancellationToken);
        await Waiting.Until(() => driver.AskAsync(witness).Result.Answer != "an earlier question still hangs", () => "the driver asks again");
    }

    [Fact]
    public async Task A_node_shows_what_its_witnesses_said_and_how_long_ago()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        using var host = PublicApiTests.Build(_folder, () => new ModelStore(), "camserver1", options => options.Downing = new DowningOptions { Strategy = "keep-referee", Witnesses = $"tcp://127.0.0.1:{port},file://{_folder}/alive" });
        await host.StartAsync(TestContext.Current.CancellationToken);
        var cluster = host.Services.GetRequiredService<IActorCluster>();
        await Waiting.Until(() => cluster.Status().Witnesses is [{ Seen: true, Answer: "connected", AgeSeconds: >= 0 }, { Seen: false, Answer.Length: > 0 }], () => Shown());
        listener.Stop();
        await Waiting.Until(() => cluster.Status().Witnesses is [{ Seen: false, AgeSeconds: >= 0 }, _], () => Shown());
        await host.StopAsync(TestContext.Current.CancellationToken);

        string Shown() => $"the first witness alone is seen, then none: {string.Join("; ", cluster.Status().Witnesses)}";
    }

    private async Task<(bool Ok, string Answer)> Ask(string witness, TimeSpan? limit = null)
    {
        using var driver = new WitnessDriver(_store, limit ?? Limit);
        return await driver.AskAsync(Witness.Parse(witness)!);
    }

    /// <summary>Answers one request with a status line.</summary>
    private sealed class Server : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly Task _answered;

        public Server(string status)
        {
            _listener.Start();
            _answered = AnswerAsync(status);
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public string FirstLine { get; private set; } = "";

        public void Dispose()
        {
            _listener.Dispose();
            _answered.Wait(TimeSpan.FromSeconds(20));
        }

        private async Task AnswerAsync(string status)
        {
            using var client = await _listener.AcceptTcpClientAsync();
            using var reader = new StreamReader(client.GetStream());
            FirstLine = await reader.ReadLineAsync() ?? "";
            while (await reader.ReadLineAsync() is { Length: > 0 }) { }
            await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        }
    }
}
