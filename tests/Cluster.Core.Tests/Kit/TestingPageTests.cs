using System.Text.RegularExpressions;

namespace ActorCluster.Tests.Kit;

/// <summary>docs/testing.md shows what is compiled and run here.</summary>
public partial class TestingPageTests
{
    [Fact]
    public void The_examples_of_the_page_are_those_that_are_run()
    {
        var root = Root();
        var shown = Blocks().Matches(File.ReadAllText(Path.Combine(root, "docs", "testing.md"))).Select(m => m.Groups[1].Value).ToList();
        Assert.Equal(19, shown.Count);
        // Internal is what only friends of the library must write.
        var run = new[] { "AccountTests.cs", "SimulatedAccountTests.cs" }
            .SelectMany(file => Lines(File.ReadAllText(Path.Combine(root, "tests", "Cluster.Core.Tests", "Kit", file)).Replace("protected internal", "protected", StringComparison.Ordinal))).ToList();
        foreach (var block in shown)
        {
            var lines = Lines(block).ToList();
            Assert.True(
                Enumerable.Range(0, run.Count - lines.Count + 1).Any(at => run.Skip(at).Take(lines.Count).SequenceEqual(lines)),
                $"docs/testing.md shows what neither AccountTests.cs nor SimulatedAccountTests.cs has: {block}");
        }
    }

    private static IEnumerable<string> Lines(string text) => text.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0);

    private static string Root()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "ActorCluster.sln"))) return folder.FullName;
        throw new DirectoryNotFoundException($"No ActorCluster.sln above {AppContext.BaseDirectory}; run the tests inside the repository.");
    }

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Blocks();
}
