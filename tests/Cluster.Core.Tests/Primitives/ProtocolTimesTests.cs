using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using ActorCluster.Hosting;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Primitives;

public partial class ProtocolTimesTests
{
    private static readonly IEnumerable<PropertyInfo> All = typeof(ProtocolTimes).GetProperties().Where(p => p.PropertyType == typeof(TimeSpan));

    [Fact]
    public void Every_time_has_one_range_that_its_default_lies_in()
    {
        Assert.Equal(All.Select(p => p.Name).Order(StringComparer.Ordinal), ProtocolTimes.Ranges.Select(r => r.Name).Order(StringComparer.Ordinal));
        Assert.All(ProtocolTimes.Ranges, r => Assert.True(r.Least > TimeSpan.Zero && r.Least < r.Most && r.Holds(new ProtocolTimes()), r.Name));
        Assert.Empty(new ProtocolTimes().Faults());
    }

    public static TheoryData<string> Names => [.. All.Select(p => p.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_time_beyond_its_range_is_one_fault_with_key_value_range_and_example(string name)
    {
        var range = ProtocolTimes.Ranges.Single(r => r.Name == name);
        foreach (var wrong in new[] { TimeSpan.MinValue, TimeSpan.FromSeconds(-2), TimeSpan.Zero, range.Least - TimeSpan.FromTicks(1), range.Most + TimeSpan.FromTicks(1), TimeSpan.MaxValue })
        {
            var fault = Assert.Single(With(name, wrong).Faults());
            Assert.StartsWith($"Cluster:Times:{name} is {wrong}; give {TimeRange.InWords(range.Least)} to {TimeRange.InWords(range.Most)} as [days.]hours:minutes:seconds, for example {range.Value(new ProtocolTimes())}.", fault, StringComparison.Ordinal);
        }
        foreach (var bound in new[] { range.Least, range.Most })
            Assert.DoesNotContain(With(name, bound).Faults(), f => f.Contains("[days.]", StringComparison.Ordinal)); // A rule between two times may still be broken.
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(0.9)]
    [InlineData(16.1)]
    public void A_suspicion_that_no_peer_or_every_peer_exceeds_is_refused(double phi) =>
        Assert.Equal([$"Cluster:Times:PhiDown is {phi.ToString(CultureInfo.InvariantCulture)}; give 1 to 16, for example 8."], new ProtocolTimes { PhiDown = phi }.Faults());

    [Fact]
    public void A_time_out_of_range_does_not_hide_a_broken_rule_between_others() => Assert.Equal(
        ["Cluster:Times:Tie is -00:00:05; give 100 ms to 10 min as [days.]hours:minutes:seconds, for example 00:00:01.", "Cluster:Times:RowFresh is 00:00:00.3000000; give at least 2 × Heartbeat (00:00:00.4000000), so that a peer's row counts until the next one."],
        new ProtocolTimes { Tie = TimeSpan.FromSeconds(-5), RowFresh = TimeSpan.FromMilliseconds(300) }.Faults());

    [Fact]
    public void A_cluster_is_not_given_a_deadline_below_two_renewals_by_a_negative_one()
    {
        var stored = SharedSettings.Of(new ClusterOptions()).SetItem("Cluster:Times:Renew", "-00:00:02").SetItem("Cluster:Times:ServeLimit", "00:00:00");
        Assert.Equal(["Renew", "ServeLimit"], SharedSettings.Faults(SharedSettings.Apply(new ClusterOptions(), stored, out _), []).Select(f => f.Split(' ')[0].Split(':')[2]));
    }

    [Theory] // As of TestClusterOptions.TimeScale, which takes effects what cancelling needs.
    [InlineData(0.5, 0.3)]
    [InlineData(10, 10)]
    public void At_every_scale_of_the_test_kit_the_times_are_ones_that_a_node_takes(double scale, double effectSeconds)
    {
        var times = new ProtocolTimes();
        foreach (var time in All) time.SetValue(times, (TimeSpan)time.GetValue(times)! * scale);
        Assert.Empty((times with { EffectLimit = TimeSpan.FromSeconds(effectSeconds) }).Faults());
    }

    [Fact]
    public void The_comments_say_range_and_default()
    {
        var source = File.ReadAllText(Path.Combine(Root(), "src", "Cluster.Core", "Primitives", "ProtocolTimes.cs"));
        Assert.All(ProtocolTimes.Ranges, range => Assert.Contains($"{range.Words}.</summary>\n    public TimeSpan {range.Name} ", source, StringComparison.Ordinal));
        Assert.Contains("1 to 16; 8 by default.</summary>\n    public double PhiDown ", source, StringComparison.Ordinal);
    }

    [Fact]
    public void The_operators_page_has_the_table()
    {
        var source = File.ReadAllText(Path.Combine(Root(), "src", "Cluster.Core", "Primitives", "ProtocolTimes.cs"));
        var table = new StringBuilder("| `Cluster:Times:` | default | range | what |\n|---|---|---|---|\n");
        foreach (var time in Property().Matches(source).Select(m => (Name: m.Groups["name"].Value, What: See().Replace(m.Groups["what"].Value, "`$1`"))))
        {
            var words = time.Name == "PhiDown" ? "1 to 16; 8 by default" : ProtocolTimes.Ranges.Single(r => r.Name == time.Name).Words;
            table.Append(CultureInfo.InvariantCulture, $"| `{time.Name}` | {words.Split("; ")[1].Replace(" by default", "", StringComparison.Ordinal)} | {words.Split("; ")[0]} | {time.What[..time.What.LastIndexOf(words, StringComparison.Ordinal)].TrimEnd(' ', '.')} |\n");
        }
        var page = File.ReadAllText(Path.Combine(Root(), "docs", "operations.md"));
        Assert.True(page.Contains(table.ToString(), StringComparison.Ordinal), $"docs/operations.md lacks this table of times:\n{table}");
    }

    private static ProtocolTimes With(string name, TimeSpan value)
    {
        var times = new ProtocolTimes();
        All.Single(p => p.Name == name).SetValue(times, value);
        return times;
    }

    private static string Root()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "ActorCluster.sln"))) return folder.FullName;
        throw new DirectoryNotFoundException($"No ActorCluster.sln above {AppContext.BaseDirectory}; run the tests inside the repository.");
    }

    [GeneratedRegex(@"/// <summary>(?<what>.*)</summary>\n    public (TimeSpan|double) (?<name>\w+) \{", RegexOptions.ExplicitCapture)]
    private static partial Regex Property();

    [GeneratedRegex("""<see cref="(\w+)"/>""")]
    private static partial Regex See();
}
