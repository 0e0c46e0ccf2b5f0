using System.IO.Compression;
using System.Text;
using ActorCluster.Demo;
using ActorCluster.Demo.Input;
using ActorCluster.Demo.Replay;

namespace ActorCluster.MultiNode.Tests.Demo;

public class ChatInputTests
{
    private const string Lines =
        """
        {"t":60,"room":"a","user":"u1","kind":"join"}
        {"t":60,"room":"b","user":"u1","kind":"join"}

        {"t":60,"room":"a","user":"u1","kind":"join"}
        {"t":120,"room":"a","user":"u2","kind":"say","len":0}
        {"t":120,"room":"b","user":"u1","kind":"part"}
        {"t":180,"user":"u3","kind":"quit"}
        {"t":180,"room":"b","user":"u3","kind":"say","len":7}
        {"t":240,"user":"u2","kind":"quit"}
        """;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_file_is_read_plain_and_as_gzip(bool gzip)
    {
        var path = Path.GetTempFileName();
        try
        {
            var bytes = Encoding.UTF8.GetBytes(Lines);
            using (var file = File.Create(path))
            using (Stream to = gzip ? new GZipStream(file, CompressionLevel.Fastest) : file)
                to.Write(bytes);
            var log = ChatFile.Read(path);

            Assert.Equal(["a", "b"], log.Rooms);
            Assert.Equal(["u1", "u2", "u3"], log.Users);
            Assert.Equal(8, log.Events.Count);
            Assert.Equal(new ChatEvent(180, ChatKind.Say, 2, 1, 7), log.Events[6]);
            Assert.Equal(new ChatEvent(180, ChatKind.Quit, 2, -1, 0), log.Events[5]);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("""{"t":60,"room":"a","user":"u1","kind":"shout"}""", "shout")]
    [InlineData("""{"t":60,"room":"a","user":"u1","kind":"say","len":8001}""", "8001")]
    [InlineData("""{"t":60,"room":"","user":"u1","kind":"join"}""", "room is empty")]
    [InlineData("""{"t":60,""", "f, line 2")]
    public void A_bad_line_is_named_with_its_number(string line, string named)
    {
        var fault = Assert.Throws<CouldNotRunException>(() => ChatFile.Read(new StringReader(Lines.Split('\n')[0] + "\n" + line), "f"));

        Assert.Contains("f, line 2", fault.Message, StringComparison.Ordinal);
        Assert.Contains(named, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "")]
    [InlineData(3, "u1:ab")] // Joined twice, there once.
    [InlineData(4, "u1:ab u2:a")] // Spoke without having joined.
    [InlineData(5, "u1:a u2:a")]
    [InlineData(7, "u1:a u2:a u3:b")]
    [InlineData(8, "u1:a u3:b")]
    public void Members_at_the_start_are_those_that_the_skipped_lines_leave(int skip, string members)
    {
        var log = ChatFile.Read(new StringReader(Lines), "f");
        var found = new ChatWindow(log, skip, 1).MembersAtStart()
            .Select(m => $"{log.Users[m.Key]}:{string.Concat(m.Value.Select(r => log.Rooms[r]))}");

        Assert.Equal(members, string.Join(' ', found));
    }

    [Fact]
    public void Windows_are_spread_from_the_skipped_lines_to_the_very_end()
    {
        var log = TrafficGenerator.Generate(1, 1_000);

        Assert.Equal([(100, 200), (450, 200), (800, 200)], ChatWindow.Spread(log, 100, 200, 3).Select(w => (w.First, w.Count)));
        Assert.Equal((900, 100), ChatWindow.Single(log, 900, 200) is var w ? (w.First, w.Count) : default);
        Assert.Equal(1_000, ChatWindow.Single(log, 0, 0).Count);
        Assert.Throws<CouldNotRunException>(() => ChatWindow.Spread(log, 0, 1_000, 2));
        Assert.Throws<CouldNotRunException>(() => ChatWindow.Single(log, 1_000, 1));
    }

    [Fact]
    public void The_same_seed_gives_the_same_traffic_and_another_seed_another()
    {
        Assert.Equal(TrafficGenerator.Generate(3, 5_000).Events, TrafficGenerator.Generate(3, 5_000).Events);
        Assert.NotEqual(TrafficGenerator.Generate(3, 5_000).Events, TrafficGenerator.Generate(4, 5_000).Events);
    }

    [Fact]
    public void Generated_traffic_has_the_shape_of_the_real_log()
    {
        var log = TrafficGenerator.Generate(1, 100_000);
        double Share(ChatKind kind) => log.Events.Count(e => e.Kind == kind) / 100_000.0;
        var lengths = log.Events.Where(e => e.Kind == ChatKind.Say).Select(e => e.Length).Order().ToList();

        Assert.Equal(100_000, log.Events.Count);
        Assert.InRange(Share(ChatKind.Say), 0.38, 0.52);
        Assert.InRange(Share(ChatKind.Join), 0.30, 0.44);
        Assert.InRange(Share(ChatKind.Part), 0.04, 0.13);
        Assert.InRange(Share(ChatKind.Quit), 0.06, 0.14);
        Assert.InRange(lengths[lengths.Count / 2], 55, 67);
        Assert.InRange(lengths[lengths.Count * 99 / 100], 250, 320);
        Assert.Equal(467, Math.Max(467, lengths[^1]));
        Assert.All(log.Events, e => Assert.Equal(0, e.Time % 60));
        Assert.Equal(log.Events.Select(e => e.Time).Order(), log.Events.Select(e => e.Time));
        Assert.InRange(new ChatWindow(log, 100_000, 0).MembersAtStart().Count, 30, 250);
    }

    [Theory]
    [InlineData(0, "")]
    [InlineData(2, "45")]
    [InlineData(5, "12345")]
    public void A_short_text_is_the_end_of_its_number(int length, string text) => Assert.Equal(text, MessageText.Of(12_345, length));

    [Fact]
    public void A_long_text_begins_with_its_number_and_has_exactly_its_length()
    {
        var text = MessageText.Of(12_345, 467);

        Assert.Equal(467, text.Length);
        Assert.StartsWith("12345 – ", text, StringComparison.Ordinal);
        Assert.Equal(467, text.EnumerateRunes().Count()); // As many characters as UTF-16 units.
    }

    [Theory]
    [InlineData("--nodes 3 --kill 4", "--kill is 4")]
    [InlineData("--events -1", "--events is '-1'")]
    [InlineData("--rolling --kill 1", "exclude each other")]
    [InlineData("--events all", "needs an --input")]
    [InlineData("--windows 0", "--windows is '0'")]
    [InlineData("--speed", "needs a value")]
    [InlineData("--fast", "--fast is not an option")]
    public void A_bad_command_line_says_what_is_wrong(string line, string says) =>
        Assert.Contains(says, Assert.Throws<CouldNotRunException>(() => DemoOptions.Parse(line.Split(' '))).Message, StringComparison.Ordinal);

    [Fact]
    public void A_rolling_restart_kills_nobody() => Assert.Equal(0, DemoOptions.Parse(["--rolling"]).Kill);
}
