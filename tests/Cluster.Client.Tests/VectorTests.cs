using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace ActorCluster.Client.Tests;

public class VectorTests
{
    public static TheoryData<string, string> Scripts()
    {
        var scripts = new TheoryData<string, string>();
        foreach (var file in Directory.GetFiles(Repository.Vectors, "*.json").Order(StringComparer.Ordinal).Where(f => !f.EndsWith("server-frames.json", StringComparison.Ordinal)))
            foreach (var script in ScriptsOf(Path.GetFileName(file)))
                scripts.Add(Path.GetFileName(file), (string)script!["name"]!);
        return scripts;
    }

    [Theory]
    [MemberData(nameof(Scripts))]
    public void The_session_follows_the_script(string file, string name) =>
        new VectorRun(ScriptsOf(file).Single(s => (string)s!["name"]! == name)!.AsObject()).Play();

    [Fact]
    public async Task The_browser_clients_session_follows_every_script()
    {
        var start = new ProcessStartInfo("node") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Path.Combine(Repository.Root, "tests", "Cluster.Client.Tests", "vectors.mjs"));
        start.ArgumentList.Add(Repository.Vectors);
        start.ArgumentList.Add(Path.Combine(Repository.Root, "src", "Cluster.Sample", "wwwroot", "actor-cluster-session.js"));
        using var node = Start(start);
        var (output, errors) = (node.StandardOutput.ReadToEndAsync(), node.StandardError.ReadToEndAsync());
        await node.WaitForExitAsync(TestContext.Current.CancellationToken);
        var lines = (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(node.ExitCode == 0, string.Join('\n', lines.Where(l => !l.StartsWith("ok ", StringComparison.Ordinal))) + await errors);
        Assert.Equal(Scripts().Count, lines.Length);
    }

    [Fact]
    public void Every_server_frame_has_a_name_of_its_own_and_an_expected_code()
    {
        var frames = JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Vectors, "server-frames.json")))!.AsArray();
        Assert.Equal(frames.Count, frames.Select(f => (string)f!["name"]!).Distinct().Count());
        Assert.All(frames, f => Assert.False(f!["send"] is null || string.IsNullOrEmpty((string?)f["expect"]!["code"])));
    }

    private static JsonArray ScriptsOf(string file) => JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Vectors, file)))!["scripts"]!.AsArray();

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException("There is no 'node' on the PATH; install Node.js 20 or newer (package nodejs) to check the browser client.", e);
        }
    }
}
