using System.Text;
using System.Text.Json.Nodes;
using ActorCluster.AspNetCore.Gateway;

namespace ActorCluster.AspNetCore.Tests.Gateway;

public class ClientFrameTests
{
    [Fact]
    public void A_command_is_read_with_all_its_fields()
    {
        var command = Assert.IsType<ClientFrame.Command>(Parse("""{"op":"cmd","id":17,"cmd":"say","room":"raku","text":"hi","prev":16,"new":{"a":[1]}}"""));
        Assert.Equal((17, "say", "raku", "hi", 16), (command.Id, command.Name, command.Room, command.Text, command.Prev));
    }

    [Fact]
    public void A_hello_is_read_with_its_rooms()
    {
        var hello = Assert.IsType<ClientFrame.Hello>(Parse("""{"op":"hello","v":1,"token":"t","rooms":[{"room":"raku","after":41},{"room":"perl"}]}"""));
        Assert.Equal((1, "t"), (hello.Version, hello.Token));
        Assert.Equal([("raku", 41), ("perl", 0)], hello.Rooms);
    }

    [Fact]
    public void Text_that_is_no_unicode_is_a_bad_frame() => Assert.IsType<ClientFrame.Bad>(Parse("""{"op":"\udc00"}"""));

    [Theory]
    [InlineData("""{"op":"cmd","id":7,"cmd":"say","room":"\ud800","text":"x"}""")] // A lone surrogate is no text.
    [InlineData("""{"op":"cmd","id":7,"cmd":"say","room":"raku","text":"\ud83d"}""")]
    [InlineData("""{"op":"cmd","id":7,"cmd":"presence","users":["\udc00"]}""")]
    public void Text_that_is_no_unicode_in_a_command_is_refused_with_its_id(string frame) => Assert.Equal(7, Assert.IsType<ClientFrame.BadCommand>(Parse(frame)).Id);

    [Fact]
    public void An_unknown_op_is_named_but_not_at_length()
    {
        var bad = Assert.IsType<ClientFrame.Bad>(Parse($$"""{"op":"{{new string('x', 60_000)}}"}"""));
        Assert.InRange(bad.Why.Length, 1, 200);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20260112)]
    public void Random_bytes_and_mutated_frames_are_parsed_without_an_exception(int seed)
    {
        var random = new Random(seed);
        var sound = JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Vectors, "server-frames.json")))!.AsArray()
            .Select(f => Encoding.UTF8.GetBytes((string)f!["send"]!)).Where(f => f.Length is > 0 and < 1000)
            .Append("""{"op":"hello","v":1,"token":"t","rooms":[{"room":"raku","after":41}]}"""u8.ToArray()).ToList();
        for (var run = 0; run < 20_000; run++)
        {
            var frame = run % 4 == 0 ? RandomBytes(random) : Mutated(sound[random.Next(sound.Count)], random);
            try { Assert.NotNull(ClientFrame.Parse(frame)); }
            catch (Exception cause) when (cause is not Xunit.Sdk.XunitException) { Assert.Fail($"Seed {seed}, run {run}: {Convert.ToHexString(frame)} threw {cause}"); }
        }
    }

    private static byte[] RandomBytes(Random random)
    {
        var bytes = new byte[random.Next(200)];
        random.NextBytes(bytes);
        return bytes;
    }

    private static byte[] Mutated(byte[] sound, Random random)
    {
        var frame = sound.ToList();
        for (var change = random.Next(1, 6); change > 0 && frame.Count > 0; change--)
        {
            var at = random.Next(frame.Count);
            switch (random.Next(4))
            {
                case 0:
                    frame[at] = (byte)random.Next(256);
                    break;
                case 1:
                    frame.RemoveAt(at);
                    break;
                case 2:
                    frame.Insert(at, (byte)"{}[]\",:\\09-e.tfn\ud800"[random.Next(16)]);
                    break;
                default:
                    frame.InsertRange(at, frame.GetRange(at, Math.Min(random.Next(20), frame.Count - at)));
                    break;
            }
        }
        return [.. frame];
    }

    private static ClientFrame Parse(string frame) => ClientFrame.Parse(Encoding.UTF8.GetBytes(frame));
}
