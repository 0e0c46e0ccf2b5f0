using System.Text.Json;
using ActorCluster.Cli;
using ActorCluster.Cli.Verbs;

namespace ActorCluster.Tests.Cli;

public class ExplainVerbTests
{
    [Fact]
    public async Task Each_cut_says_who_lives_and_how_soon()
    {
        var (code, output, _) = await Run("explain", "--nodes", "3", "--json");
        Assert.Equal(0, code);
        using var json = JsonDocument.Parse(output);
        var cuts = json.RootElement.GetProperty("cuts").EnumerateArray().Select(c =>
            $"{string.Join('|', c.GetProperty("groups").EnumerateArray())}: {string.Join(' ', c.GetProperty("lives").EnumerateArray())} {c.GetProperty("flag").GetString()}".TrimEnd()).ToList();
        Assert.Equal(["n1 n2|n3: n1 n2", "n1 n3|n2: n1 n3", "n1|n2 n3: n2 n3", "n1|n2|n3: n1 all wait"], cuts);
    }

    [Fact]
    public async Task A_cut_that_nobody_survives_is_flagged() =>
        Assert.Contains("! all stop", (await Run("explain", "--nodes", "3", "--resolver", "static-quorum")).Output, StringComparison.Ordinal);

    [Fact]
    public async Task An_impossible_strategy_is_refused_as_a_node_would()
    {
        var (code, _, error) = await Run("explain", "--nodes", "3", "--resolver", "static-quorum", "--quorum", "4");
        Assert.Equal(64, code);
        Assert.Contains("Cluster:Downing:QuorumSize is 4", error, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Error)> Run(params string[] words)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await new CommandLine([new ExplainVerb()]).RunAsync(words, output, error, CancellationToken.None);
        return (code, output.ToString(), error.ToString());
    }
}
