using ActorCluster.Entities;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Entities;

public class CommandWindowTests
{
    private static readonly ClientId Client = new(7);
    private readonly CommandWindow _window = new();

    [Fact]
    public void What_was_executed_is_a_repeat_with_its_row()
    {
        _window.NoteExecuted(Id(1), 41, 0);
        Assert.Equal(CommandKnowledge.Repeat, _window.Find(Id(1), out var seq));
        Assert.Equal(41, seq);
        Assert.Equal(CommandKnowledge.Fresh, _window.Find(Id(2), out _));
    }

    [Fact]
    public void What_fell_out_of_the_window_is_never_executed()
    {
        for (var i = 1; i <= 300; i++) _window.NoteExecuted(Id(i), i, 0);
        Assert.Equal(CommandKnowledge.TooOld, _window.Find(Id(44), out _));
        Assert.Equal(CommandKnowledge.Repeat, _window.Find(Id(45), out _));
        Assert.True(_window.HasHandled(Client, 44));
    }

    [Fact] // Found by the simulator (seeds 1192, 1203, 1665 of its first version): acknowledged says of one client in the wrong order.
    public void A_refused_command_does_not_run_after_a_later_one()
    {
        _window.NoteHandled(Id(1));
        _window.NoteExecuted(Id(2), 1, 0);
        Assert.Equal(CommandKnowledge.Overtaken, _window.Find(Id(1), out _));
    }

    [Fact]
    public void Clients_of_whom_everything_is_refused_take_no_more_than_their_share_and_push_out_nobody_else()
    {
        _window.NoteHandled(new CommandId(new ClientId(1), 1));
        _window.NoteHandled(Id(1));
        _window.NoteExecuted(Id(2), 1, 0);
        for (var i = 0; i < 3 * CommandWindow.RefusedClientsMax; i++) _window.NoteHandled(new CommandId(new ClientId((UInt128)(1_000 + i)), 1));
        Assert.Equal(CommandWindow.RefusedClientsMax + 1, _window.Clients);
        Assert.False(_window.HasHandled(new ClientId(1), 1));
        Assert.Equal(CommandKnowledge.Repeat, _window.Find(Id(2), out _));
    }

    [Fact]
    public void A_refused_command_may_be_tried_again_while_nothing_came_after_it()
    {
        _window.NoteHandled(Id(1));
        Assert.True(_window.HasHandled(Client, 1));
        Assert.Equal(CommandKnowledge.Fresh, _window.Find(Id(1), out _));
    }

    [Fact]
    public void A_restored_window_knows_what_the_old_one_knew()
    {
        for (var i = 1; i <= 300; i++) _window.NoteExecuted(Id(i * 2), i, i);
        var copy = new CommandWindow();
        foreach (var (client, lowWater, last, commands) in _window.Contents) copy.Restore(client, lowWater, last, commands);
        for (var i = 1; i <= 610; i++)
        {
            Assert.Equal(_window.Find(Id(i), out var seq), copy.Find(Id(i), out var copied));
            Assert.Equal(seq, copied);
            Assert.Equal(_window.HasHandled(Client, i), copy.HasHandled(Client, i));
        }
    }

    [Fact]
    public void A_client_silent_for_a_day_is_forgotten()
    {
        _window.NoteExecuted(Id(1), 1, 0);
        _window.Expire((long)CommandWindow.Retention.TotalMilliseconds + 1);
        Assert.Equal(CommandKnowledge.Fresh, _window.Find(Id(1), out _));
    }

    private static CommandId Id(long sequence) => new(Client, sequence);
}
