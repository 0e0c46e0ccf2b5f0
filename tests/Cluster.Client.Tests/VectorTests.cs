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
        var lines = await NodeScript.RunAsync("vectors.mjs", Repository.Vectors, NodeScript.Browser("actor-cluster-session.js"));
        Assert.Equal(Scripts().Count, lines.Length);
    }

    [Fact]
    public async Task The_browser_client_does_what_its_session_decides_and_survives_its_page() =>
        Assert.NotEmpty(await NodeScript.RunAsync("browser.mjs", NodeScript.Browser("actor-cluster-client.js")));

    [Fact]
    public void Every_server_frame_has_a_name_of_its_own_and_an_expected_code()
    {
        var frames = JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Vectors, "server-frames.json")))!.AsArray();
        Assert.Equal(frames.Count, frames.Select(f => (string)f!["name"]!).Distinct().Count());
        Assert.All(frames, f => Assert.False(f!["send"] is null || string.IsNullOrEmpty((string?)f["expect"]!["code"])));
    }

    private static JsonArray ScriptsOf(string file) => JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Vectors, file)))!["scripts"]!.AsArray();
}
