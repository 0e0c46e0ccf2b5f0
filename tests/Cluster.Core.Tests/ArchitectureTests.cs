using System.Text.RegularExpressions;

namespace ActorCluster.Tests;

/// <summary>A room uses only the rooms on floors below it, and on its own floor those to its left.</summary>
public partial class ArchitectureTests
{
    private static readonly string[][] Floors =
    [
        ["Primitives"],
        ["Links", "Persistence"],
        ["Entities"],
        ["Downing", "Membership"],
        ["Placement", "Sharding"],
        ["Presence", "ChatRooms"],
        ["Hosting"],
    ];

    private static readonly List<string> Order = [.. Floors.SelectMany(f => f)];

    [Fact]
    public void No_room_uses_a_room_above_it_or_right_of_it()
    {
        var violations = Sources().SelectMany(source => Names(source.Text)
            .Where(used => Order.IndexOf(used) > Order.IndexOf(source.Room))
            .Select(used => $"{source.Room}/{source.File} uses {used}"));
        Assert.Empty(violations.Distinct());
    }

    [Fact]
    public void Every_room_has_its_place_on_a_floor() =>
        Assert.Empty(Directory.GetDirectories(CorePath()).Select(d => Path.GetFileName(d)!).Except(Order).Except(["bin", "obj"]));

    [Theory]
    [InlineData("using ActorCluster.Hosting;", "Hosting")]
    [InlineData("using Members = ActorCluster.Membership.Membership;", "Membership")]
    [InlineData("var x = new Sharding.Slot();", "Sharding")]
    [InlineData("/// <see cref=\"Hosting.Node\"/> // Sharding.Slot", "")]
    [InlineData("Drive(Membership.View); options.Downing.Strategy", "")]
    public void The_scan_sees_usings_and_qualified_names_but_neither_comments_nor_members(string line, string room) =>
        Assert.Equal(room, string.Join(' ', Names(line).Except(line.Contains("Membership.View", StringComparison.Ordinal) ? ["Membership"] : [])));

    [Fact]
    public void No_two_lines_of_the_log_share_a_number() =>
        Assert.Empty(Sources().SelectMany(source => LogNumber().Matches(source.Text).Select(m => m.Groups[1].Value)).GroupBy(number => number).Where(g => g.Count() > 1).Select(g => g.Key));

    [Fact]
    public void Every_section_of_the_protocol_that_a_comment_cites_has_its_place_in_the_page()
    {
        var root = Path.Combine(CorePath(), "..", "..");
        var places = Place().Matches(File.ReadAllText(Path.Combine(root, "docs", "protocol.md"))).Select(m => m.Groups["no"].Value).ToHashSet();
        Assert.Contains("6", places);
        var cited = from file in Directory.GetFiles(Path.Combine(root, "src"), "*.cs", SearchOption.AllDirectories)
                    where !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
                    from match in Citation().Matches(File.ReadAllText(file))
                    from no in match.Groups["no"].Captures
                    where !places.Contains(no.Value)
                    select $"{Path.GetFileName(file)} cites {no.Value}";
        Assert.Empty(cited.Distinct());
    }

    private static IEnumerable<(string Room, string File, string Text)> Sources() =>
        from room in Order
        from file in Directory.GetFiles(Path.Combine(CorePath(), room), "*.cs", SearchOption.AllDirectories)
        select (room, Path.GetFileName(file), File.ReadAllText(file));

    private static IEnumerable<string> Names(string text) =>
        Name().Matches(Comment().Replace(text, "")).Select(m => m.Groups["room"].Value).Where(Order.Contains).Distinct();

    private static string CorePath()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "ActorCluster.sln"))) return Path.Combine(folder.FullName, "src", "Cluster.Core");
        throw new DirectoryNotFoundException($"No ActorCluster.sln above {AppContext.BaseDirectory}; run the tests inside the repository.");
    }

    [GeneratedRegex(@"LoggerMessage\((\d+)")]
    private static partial Regex LogNumber();

    [GeneratedRegex("""^## (?<no>\d+)\.|\*\*(?<no>\d+\.\d+)\b""", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Place();

    [GeneratedRegex("""\b[Pp]rotocol(,? sections?)? (?<no>\d+(\.\d+)?)((, | and | to )(?<no>\d+\.\d+))*\b""", RegexOptions.ExplicitCapture)]
    private static partial Regex Citation();

    [GeneratedRegex("//.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();

    /// <summary>ActorCluster.Room wherever it stands, or Room.Type at the start of a name.</summary>
    [GeneratedRegex(@"\bActorCluster\.(?<room>[A-Z]\w+)|(?<![\w.])(?<room>[A-Z]\w+)\.(?=[A-Z])")]
    private static partial Regex Name();
}
