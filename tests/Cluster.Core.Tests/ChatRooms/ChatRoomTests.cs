using ActorCluster.ChatRooms;

namespace ActorCluster.Tests.ChatRooms;

public class ChatRoomTests
{
    [Theory] // Commands that went before | the command | what comes of it
    [InlineData("", "create ann", "Created ann")]
    [InlineData("", "join ann", "Created ann")]              // Whoever comes first makes the room.
    [InlineData("", "leave ann", "nothing")]
    [InlineData("", "say ann hi", "NotInRoom")]           // Of a room that nobody made, one is no member.
    [InlineData("create ann", "create ann", "RoomExists")]
    [InlineData("create ann", "create bob", "RoomExists")]
    [InlineData("create ann", "join ann", "known 1")]         // Joining again answers the first join.
    [InlineData("create ann", "join bob", "Joined bob")]
    [InlineData("create ann; join bob", "join bob", "known 2")]
    [InlineData("create ann", "leave ann", "Left ann")]
    [InlineData("create ann; leave ann", "leave ann", "nothing")]
    [InlineData("create ann; leave ann", "create bob", "RoomExists")] // Empty, but made.
    [InlineData("create ann; leave ann", "join bob", "Joined bob")]
    [InlineData("create ann", "say ann hi", "Said ann: hi")]
    [InlineData("create ann", "say ann ", "Said ann: ")]      // The empty text is legal.
    [InlineData("create ann", "say bob hi", "NotInRoom")]
    [InlineData("create ann; leave ann", "say ann hi", "NotInRoom")]
    [InlineData("create ann; join Ann", "leave Ann", "Left Ann")] // Names are compared by their characters.
    public void A_command_is_decided_by_what_happened_before(string before, string command, string outcome) =>
        Assert.Equal(outcome, Tell(After(before).Decide(Parse(command))));

    [Fact]
    public void A_text_of_the_longest_length_is_said_and_one_more_character_is_refused()
    {
        var room = After("create ann");
        Assert.NotNull(room.Decide(new RoomCommand.Say("ann", new string('x', ChatRoom.TextCharactersMax))).Event);
        Assert.Equal(RoomRefusal.TextTooLong, room.Decide(new RoomCommand.Say("ann", new string('x', ChatRoom.TextCharactersMax + 1))).Refusal);
    }

    [Fact]
    public void A_full_room_takes_nobody_but_those_who_are_in_it()
    {
        var room = new ChatRoom();
        for (var i = 1; i <= ChatRoom.MembersMax; i++) room.Apply(room.Decide(new RoomCommand.Join($"u{i}")).Event!, i);
        Assert.Equal(RoomRefusal.RoomFull, room.Decide(new RoomCommand.Join("late")).Refusal);
        Assert.Equal(5, room.Decide(new RoomCommand.Join("u5")).KnownSeq);
        room.Apply(room.Decide(new RoomCommand.Leave("u5")).Event!, ChatRoom.MembersMax + 1);
        Assert.NotNull(room.Decide(new RoomCommand.Join("late")).Event);
    }

    [Fact]
    public void A_restored_room_decides_like_the_one_that_was_saved()
    {
        var room = new ChatRoom();
        room.Restore("ann", [KeyValuePair.Create("ann", 1L), KeyValuePair.Create("bob", 2L)]);
        Assert.Equal("known 2", Tell(room.Decide(Parse("join bob"))));
        Assert.Equal("RoomExists", Tell(room.Decide(Parse("create cid"))));
        var unmade = new ChatRoom();
        unmade.Restore(null, []);
        Assert.Equal("Created ann", Tell(unmade.Decide(Parse("create ann"))));
    }

    private static ChatRoom After(string commands)
    {
        var (room, seq) = (new ChatRoom(), 0L);
        foreach (var command in commands.Split("; ", StringSplitOptions.RemoveEmptyEntries))
            if (room.Decide(Parse(command)).Event is { } happened) room.Apply(happened, ++seq);
        return room;
    }

    private static RoomCommand Parse(string command) => command.Split(' ', 3) switch
    {
        ["create", var user] => new RoomCommand.Create(user),
        ["join", var user] => new RoomCommand.Join(user),
        ["leave", var user] => new RoomCommand.Leave(user),
        ["say", var user, var text] => new RoomCommand.Say(user, text),
        _ => throw new ArgumentException(command),
    };

    private static string Tell(RoomDecision decision) => decision switch
    {
        { Event: RoomEvent.Said said } => $"Said {said.User}: {said.Text}",
        { Event: { } happened } => $"{happened.GetType().Name} {happened.User}",
        { Refusal: not RoomRefusal.None } => decision.Refusal.ToString(),
        { KnownSeq: > 0 } => $"known {decision.KnownSeq}",
        _ => "nothing",
    };
}
