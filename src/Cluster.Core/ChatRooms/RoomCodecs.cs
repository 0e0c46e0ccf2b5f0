using System.Buffers;
using ActorCluster.Entities;
using ActorCluster.Primitives;
using Google.Protobuf;

namespace ActorCluster.ChatRooms;

/// <summary>Bytes of what rooms record and say, by <c>rooms.proto</c>.</summary>
internal sealed class RoomEventCodec : IEventCodec<RoomEvent>
{
    public const string Created = "room.created.v1";
    public const string Joined = "room.joined.v1";
    public const string Left = "room.left.v1";
    public const string Message = "room.message.v1";

    public static readonly RoomEventCodec Instance = new();

    public string Encode(RoomEvent happened, IBufferWriter<byte> into)
    {
        ToWire(happened, 0).WriteTo(into);
        return KindOf(happened);
    }

    public RoomEvent Decode(string kind, ReadOnlySpan<byte> bytes) => FromWire(kind, Wire.RoomEvent.Parser.ParseFrom(bytes));

    public static string KindOf(RoomEvent happened) => happened switch
    {
        RoomEvent.Created => Created,
        RoomEvent.Joined => Joined,
        RoomEvent.Left => Left,
        _ => Message,
    };

    public static Wire.RoomEvent ToWire(RoomEvent happened, long at) =>
        new() { User = happened.User, Text = happened is RoomEvent.Said said ? said.Text : "", AtUnixMs = at };

    public static RoomEvent FromWire(string kind, Wire.RoomEvent wire) => kind switch
    {
        Created => new RoomEvent.Created(wire.User),
        Joined => new RoomEvent.Joined(wire.User),
        Left => new RoomEvent.Left(wire.User),
        Message => new RoomEvent.Said(wire.User, wire.Text),
        _ => throw new InvalidDataException($"A room knows no event '{kind}'; update this node."),
    };
}

/// <summary>Asks a room whether a user is a member, or to be told of what commits from now on.</summary>
internal sealed record RoomQuestion(string User, Incarnation? Listener) : IReadRequest;

/// <summary>What a room says of itself.</summary>
/// <param name="JoinedSeq">Sequence of the user's join, 0 for no member.</param>
/// <param name="Head">Newest committed sequence.</param>
/// <param name="Members">How many there are, to a listener after <paramref name="Head"/>.</param>
/// <param name="Epoch">Epoch of the owner that answers.</param>
internal sealed record RoomAnswer(long JoinedSeq, long Head, int Members, Epoch Epoch);

/// <summary>One committed event of a room, shared by all who follow it on this node.</summary>
internal sealed record RoomItem(long Seq, RoomEvent Event, long AtUnixMs)
{
    /// <summary>What the gateway sends for it, encoded by whoever needs it first; two who race write the same.</summary>
    public byte[]? Encoded { get; set; }

    /// <summary>Members of the room after it, set by the stream that it came through; null where it was read from the journal alone.</summary>
    public int? MembersAfter { get; set; }
}

/// <summary>Committed events, without a gap.</summary>
/// <param name="Items">At least one, in order.</param>
/// <param name="Members">Members after the last.</param>
internal sealed record RoomNews(IReadOnlyList<RoomItem> Items, int Members);

internal static class RoomCodecs
{
    public static readonly IMessageCodec Reply = new WireCodec<RoomReply>(
        r => new Wire.RoomReply { Refusal = (int)r.Refusal, Seq = r.Seq, Members = r.Members },
        b => From(Wire.RoomReply.Parser.ParseFrom(b.Span)));

    public static readonly IMessageCodec Question = new WireCodec<RoomQuestion>(
        q => new Wire.RoomQuestion { User = q.User, Listener = q.Listener?.Value ?? 0 },
        b => From(Wire.RoomQuestion.Parser.ParseFrom(b.Span)));

    public static readonly IMessageCodec Answer = new WireCodec<RoomAnswer>(
        a => new Wire.RoomAnswer { JoinedSeq = a.JoinedSeq, Head = a.Head, Members = a.Members, Epoch = a.Epoch.Value },
        b => From(Wire.RoomAnswer.Parser.ParseFrom(b.Span)));

    public static readonly IMessageCodec News = new WireCodec<RoomNews>(ToWire, b => From(Wire.RoomNews.Parser.ParseFrom(b.Span)));

    public static void Register(MessageCatalog messages)
    {
        messages.Add(typeof(RoomCommand.Create), "room.create.v1", Command(u => new RoomCommand.Create(u), Wire.RoomCommand.Types.Kind.Create), Reply);
        messages.Add(typeof(RoomCommand.Join), "room.join.v1", Command(u => new RoomCommand.Join(u), Wire.RoomCommand.Types.Kind.Join), Reply);
        messages.Add(typeof(RoomCommand.Leave), "room.leave.v1", Command(u => new RoomCommand.Leave(u), Wire.RoomCommand.Types.Kind.Leave), Reply);
        messages.Add(typeof(RoomCommand.Say), "room.say.v1", new WireCodec<RoomCommand.Say>(
            s => new Wire.RoomCommand { Kind = Wire.RoomCommand.Types.Kind.Say, User = s.User, Text = s.Text },
            b => SayFrom(Wire.RoomCommand.Parser.ParseFrom(b.Span))), Reply);
        messages.Add(typeof(RoomQuestion), "room.question.v1", Question, Answer);
    }

    private static RoomReply From(Wire.RoomReply wire) => new((RoomRefusal)wire.Refusal, wire.Seq, wire.Members);

    private static RoomQuestion From(Wire.RoomQuestion wire) => new(wire.User, wire.Listener == 0 ? null : new Incarnation(wire.Listener));

    private static RoomAnswer From(Wire.RoomAnswer wire) => new(wire.JoinedSeq, wire.Head, wire.Members, new Epoch(wire.Epoch));

    private static RoomCommand.Say SayFrom(Wire.RoomCommand wire) => new(wire.User, wire.Text);

    private static WireCodec<T> Command<T>(Func<string, T> make, Wire.RoomCommand.Types.Kind kind)
        where T : RoomCommand => new(c => new Wire.RoomCommand { Kind = kind, User = c.User }, b => make(Wire.RoomCommand.Parser.ParseFrom(b.Span).User));

    private static Wire.RoomNews ToWire(RoomNews news)
    {
        var wire = new Wire.RoomNews { First = news.Items[0].Seq, Members = news.Members };
        foreach (var item in news.Items)
            wire.Items.Add(new Wire.RoomNews.Types.Item { Kind = RoomEventCodec.KindOf(item.Event), Event = RoomEventCodec.ToWire(item.Event, item.AtUnixMs) });
        return wire;
    }

    private static RoomNews From(Wire.RoomNews wire)
    {
        if (wire.Items.Count == 0) throw new InvalidDataException("News without an item.");
        var items = new RoomItem[wire.Items.Count];
        for (var i = 0; i < items.Length; i++)
            items[i] = new RoomItem(wire.First + i, RoomEventCodec.FromWire(wire.Items[i].Kind, wire.Items[i].Event), wire.Items[i].Event.AtUnixMs);
        return new RoomNews(items, wire.Members);
    }
}
