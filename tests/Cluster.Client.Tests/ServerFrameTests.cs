using System.Text;
using System.Text.Json;

namespace ActorCluster.Client.Tests;

public class ServerFrameTests
{
    private const string Welcome = """{"op":"welcome","v":1,"client":"c1","token":"t","resumed":true,"node":"a","hosts":[{"name":"a","url":"http://a:1"},{"url":7}],"limits":{"unanswered":5,"frameBytes":9}}""";
    private const string Items = """{"op":"items","room":"raku","items":[{"seq":42,"kind":"message","user":"u1","text":"h\u00efé","at":1641305640000},{"from":43,"seq":50,"kind":"digest","joined":5,"left":2,"members":87,"at":5,"new":{"a":[1]}}]}""";

    [Fact]
    public void Fields_are_read_in_any_order_and_unknown_ones_skipped()
    {
        var frame = new ServerFrame();
        frame.Read("""{"x":{"op":"no"},"seq":9,"id":3,"op":"ok"}"""u8);
        Assert.Equal(("ok", 3, 9), (frame.Op, frame.Id, frame.Seq));
    }

    [Fact]
    public void Items_carry_what_was_written()
    {
        var frame = new ServerFrame();
        frame.Read(Encoding.UTF8.GetBytes(Items));
        var at = DateTimeOffset.FromUnixTimeMilliseconds(1641305640000);
        Assert.Equal(
            [new(42, 42, RoomItemKind.Message, "u1", "hïé", at), new(43, 50, RoomItemKind.Digest, "", "", DateTimeOffset.FromUnixTimeMilliseconds(5), 5, 2, 87)],
            frame.TakeItems());
    }

    [Fact]
    public void The_next_frame_does_not_touch_the_items_taken_before()
    {
        var frame = new ServerFrame();
        frame.Read(Encoding.UTF8.GetBytes(Items));
        var taken = frame.TakeItems();
        frame.Read("{}"u8);
        Assert.Equal((2, 0), (taken.Count, frame.TakeItems().Count));
    }

    [Fact]
    public void Whatever_a_server_sends_is_read_or_refused_as_json()
    {
        var random = new Random(7);
        var frame = new ServerFrame();
        for (var i = 0; i < 50_000; i++)
        {
            var bytes = Encoding.UTF8.GetBytes(random.Next(2) == 0 ? Welcome : Items);
            for (var n = random.Next(1, 4); n > 0; n--) bytes[random.Next(bytes.Length)] = (byte)"{}[]\",:01x-\\e\u0001n"[random.Next(15)];
            try
            {
                frame.Read(bytes.AsSpan(0, random.Next(4) == 0 ? random.Next(bytes.Length) : bytes.Length));
            }
            catch (JsonException)
            {
                // The session gives up the connection; any other exception would end the client.
            }
        }
    }
}
