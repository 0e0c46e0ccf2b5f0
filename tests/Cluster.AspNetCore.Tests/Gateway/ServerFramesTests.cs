using System.Text;
using System.Text.Json.Nodes;
using ActorCluster.AspNetCore.Gateway;
using ActorCluster.ChatRooms;

namespace ActorCluster.AspNetCore.Tests.Gateway;

public class ServerFramesTests
{
    public static TheoryData<string> Texts =>
        ["", "plain", "\"quoted\" \\ back", "line\nbreak\r\ttab", "\0\u0007\u001f\u007f", "愛 🦊 \u2028\u2029", "</script><!--", "]}", "{\"op\":\"bye\"}"];

    [Theory]
    [MemberData(nameof(Texts))]
    public void Whatever_people_write_comes_back_from_an_items_frame_unchanged(string text)
    {
        var item = new RoomItem(7, new RoomEvent.Said("u" + text, text), 1234);
        byte[] frame = [.. ServerFrames.ItemsPrefix("r" + text), .. ServerFrames.Item(item), .. "]}"u8];
        var read = JsonNode.Parse(frame)!;
        Assert.Equal(("items", "r" + text), ((string)read["op"]!, (string)read["room"]!));
        var shown = read["items"]!.AsArray().Single()!;
        Assert.Equal((7L, "message", "u" + text, text, 1234L), ((long)shown["seq"]!, (string)shown["kind"]!, (string)shown["user"]!, (string)shown["text"]!, (long)shown["at"]!));
    }

    [Theory]
    [MemberData(nameof(Texts))]
    public void Whatever_a_refusal_quotes_stays_inside_its_message(string text)
    {
        var read = JsonNode.Parse(ServerFrames.Error(3, "NotInRoom", text, retry: false))!;
        Assert.Equal((3L, "NotInRoom", text, false), ((long)read["id"]!, (string)read["code"]!, (string)read["message"]!, (bool)read["retry"]!));
        Assert.Equal(text, (string)JsonNode.Parse(ServerFrames.Left(text, "NotInRoom", text))!["room"]!);
        Assert.Equal(text, (string)JsonNode.Parse(ServerFrames.GoAway(text, [new HostEntry(text, text)]))!["hosts"]![0]!["name"]!);
    }

    [Fact]
    public void A_digest_of_one_item_has_no_from()
    {
        Assert.DoesNotContain("from", Encoding.UTF8.GetString(ServerFrames.Digest(4, 4, 1, 0, 51, 0)), StringComparison.Ordinal);
        Assert.Equal(4, (long)JsonNode.Parse(ServerFrames.Digest(4, 9, 6, 0, 57, 0))!["from"]!);
    }
}
