using System.Text.Json;
using ActorCluster.Cli;
using ActorCluster.Cli.Explain;
using ActorCluster.Cli.Verbs;
using ActorCluster.Downing;

namespace ActorCluster.Tests.Cli;

public class ExplainVerbTests
{
    [Fact]
    public async Task Each_cut_says_who_lives_and_how_soon()
    {
        using var json = JsonDocument.Parse((await Run("explain", "--nodes", "3", "--json")).Output);
        var cuts = json.RootElement.GetProperty("cuts").EnumerateArray().Select(c => $"{Names(c, "groups", '|')}: {Names(c, "lives", ' ')} {c.GetProperty("flag").GetString()}".TrimEnd()).ToList();
        Assert.Equal(["n1 n2|n3: n1 n2", "n1 n3|n2: n1 n3", "n1|n2 n3: n2 n3", "n1|n2|n3: n1 a minority serves, waits"], cuts);
    }

    [Fact]
    public async Task The_shape_for_programs_stays()
    {
        var (code, output, _) = await Run("explain", "--nodes", "2", "--json");
        Assert.Equal(0, code);
        using var json = JsonDocument.Parse(output);
        Assert.Equal(["cuts", "recommendation"], json.RootElement.EnumerateObject().Select(p => p.Name));
        var cut = Assert.Single(json.RootElement.GetProperty("cuts").EnumerateArray());
        Assert.Equal(
            ["groups Array", "store Array", "witness Array", "lives Array", "stops Array", "seconds Number", "flag String"],
            cut.EnumerateObject().Select(p => $"{p.Name} {p.Value.ValueKind}"));
        Assert.Equal(("n1|n2", "n1|n2", "n1", "n2", 1.0), (Names(cut, "groups", '|'), Names(cut, "store", '|'), Names(cut, "lives", '|'), Names(cut, "stops", '|'), cut.GetProperty("seconds").GetDouble()));
    }

    [Theory]
    [InlineData("keep-majority")]
    [InlineData("static-quorum")]
    [InlineData("down-all")]
    public async Task A_cut_in_which_nobody_reaches_the_store_is_held_against_no_strategy(string strategy)
    {
        using var json = JsonDocument.Parse((await Run("explain", "--nodes", "3", "--stores", "--json", "--resolver", strategy)).Output);
        var without = json.RootElement.GetProperty("cuts").EnumerateArray().Where(c => Names(c, "store", '|').Length == 0).ToList();
        Assert.Equal(4, without.Count);
        Assert.All(without, c => Assert.Equal("", c.GetProperty("flag").GetString()));
    }

    [Fact]
    public async Task A_majority_that_lives_on_without_the_store_does_not_serve()
    {
        var (_, output, _) = await Run("explain", "--nodes", "3", "--stores", "--resolver", "static-quorum");
        Assert.Contains("n1 n2 | n3   store: n3   lives: n1 n2   stops: n3   1.0 s   ! nobody serves", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Keep_majority_is_recommended_where_no_other_is_better(int nodes)
    {
        var scores = CutTable.Compare(nodes);
        Assert.Equal(("keep-majority", 0), (scores[0].Strategy, scores[0].Bad));
        Assert.All(scores, s => Assert.True(s.Bad > 0 || s.Minority >= scores[0].Minority, s.ToString()));
        Assert.StartsWith("keep-majority: in every cut exactly one side that has the store serves", CutTable.Recommend(scores), StringComparison.Ordinal);
        Assert.Equal(scores[^1].Cuts, scores[^1].Bad); // down-all: nobody, always.
        Assert.True(scores.Single(s => s.Strategy.StartsWith("static-quorum", StringComparison.Ordinal)).Bad > 0);
    }

    [Fact]
    public void A_better_one_is_recommended_with_its_reason()
    {
        var why = CutTable.Recommend([new Score("better", 10, 0, 1, 1.5, 4), new Score("sooner", 10, 0, 1, 2, 3), new Score("worse", 10, 1, 0, 1, 1)]);
        Assert.Equal(
            "better: in every cut exactly one side that has the store serves, a minority only where no majority can (1 of 10), an ordinary cut takes 1.5 s; "
            + "sooner is sooner in the others (3.0 s on average, not 4.0), at the price of a majority that loses when it is merely slow.",
            why);
    }

    [Fact]
    public async Task The_page_needs_no_other_file_and_shows_every_cut()
    {
        var file = Path.Combine(Path.GetTempPath(), $"explain-{Guid.NewGuid():N}.html");
        try
        {
            var (code, output, _) = await Run("explain", "--nodes", "3", "--stores", "--html", file);
            var page = await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken);
            Assert.Equal((0, ""), (code, output));
            Assert.StartsWith("<!doctype html>", page, StringComparison.Ordinal);
            foreach (var foreign in new[] { "http", "src=", "url(", "@import", "<script", "<link" }) Assert.DoesNotContain(foreign, page, StringComparison.OrdinalIgnoreCase);
            Assert.Equal(CutWalk.All(new KeepMajority(), 3, varyStore: true).Length, page.Split("<span class=\"cut\">|</span>").Length - 1 - 8); // Eight of them are cut in three.
            Assert.Contains("Recommended", page, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact] // The table of two nodes in protocol 3.4: keep-referee by witness, lax and strict.
    public async Task A_witness_varies_over_the_groups_and_is_compared()
    {
        var (_, lax, _) = await Run("explain", "--nodes", "2", "--resolver", "keep-referee", "--witness", "http://router/");
        Assert.Contains("n1 | n2   store: all   witness: all   lives: n1   stops: n2   1.0 s", lax, StringComparison.Ordinal);
        Assert.Contains("n1 | n2   store: all   witness: n2   lives: n2   stops: n1   2.0 s", lax, StringComparison.Ordinal);
        Assert.Contains("n1 | n2   store: all   witness: nobody   lives: n1   stops: n2   13.0 s   ! waits", lax, StringComparison.Ordinal);
        Assert.Contains("keep-referee by witness, strict", lax, StringComparison.Ordinal);
        var (_, strict, _) = await Run("explain", "--nodes", "2", "--resolver", "keep-referee", "--witness", "http://router/", "--strict");
        Assert.Contains("n1 | n2   store: all   witness: nobody   lives: nobody   stops: n1 n2   1.0 s   ! nobody serves", strict, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("url")]
    [InlineData("tcp")]
    [InlineData("file")]
    [InlineData("store")]
    [InlineData("url,tcp")]
    public async Task A_kind_of_witness_stands_for_one(string kind)
    {
        var (code, output, _) = await Run("explain", "--nodes", "2", "--resolver", "keep-referee", "--witness", kind);
        Assert.Equal(0, code);
        Assert.Contains("n1 | n2   store: all   witness: n2   lives: n2   stops: n1   2.0 s", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_strategy_that_asks_no_witness_says_so_and_shows_its_cuts()
    {
        var (code, output, _) = await Run("explain", "--nodes", "2", "--resolver", "keep-majority", "--witness", "url");
        Assert.Equal(0, code);
        Assert.StartsWith("keep-majority asks no witness: it decides alike, whoever sees one. --resolver keep-referee asks.\n\nn1 | n2   store: all   lives: n1   stops: n2   1.0 s\n", output, StringComparison.Ordinal);
        Assert.Contains("keep-referee by witness", output, StringComparison.Ordinal); // Compared, since there is one to ask.
        using var json = JsonDocument.Parse((await Run("explain", "--nodes", "2", "--witness", "url", "--json")).Output);
        Assert.Equal(["cuts", "recommendation"], json.RootElement.EnumerateObject().Select(p => p.Name));
    }

    [Theory]
    [InlineData("Cluster:Downing:Witnesses has 'router'", "--resolver", "keep-referee", "--witness", "router")]
    [InlineData("Cluster:Downing:QuorumSize is 4", "--resolver", "static-quorum", "--quorum", "4")]
    [InlineData("--resolver is 'keep-all', which is none of keep-majority", "--resolver", "keep-all")]
    [InlineData("A policy that a program brings itself is in that program, not in this one: walk its cuts from a test, CutWalk.All(policy, nodes: 3)", "--resolver", "own:zone-first")]
    [InlineData("--json and --html", "--json", "--html", "x.html")]
    [InlineData("--html is '/no/such/folder/x.html'", "--html", "/no/such/folder/x.html")]
    public async Task What_cannot_be_is_refused_in_one_line(string named, params string[] options)
    {
        var (code, _, error) = await Run(["explain", "--nodes", "3", .. options]);
        Assert.Equal(64, code);
        Assert.Contains(named, Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    private static string Names(JsonElement cut, string property, char separator) => string.Join(separator, cut.GetProperty(property).EnumerateArray());

    private static async Task<(int Code, string Output, string Error)> Run(params string[] words)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await new CommandLine([new ExplainVerb()]).RunAsync(words, output, error, CancellationToken.None);
        return (code, output.ToString(), error.ToString());
    }
}
