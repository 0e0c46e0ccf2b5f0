using ActorCluster.Demo.Checking;
using ActorCluster.Demo.Histories;

namespace ActorCluster.MultiNode.Tests.Demo;

/// <summary>A room's journal and its clients' histories, written by hand.</summary>
internal sealed class Scene
{
    public const string Room = "raku";
    private readonly List<ClientHistory> _clients = [];
    private ulong _command;

    public ObservedRows Observed { get; } = new(TimeProvider.System);
    public RoomJournal Journal { get; } = new();

    /// <summary>Two members that say something in a room of a third; the first leaves and comes back. Nothing is wrong with it.</summary>
    public static Scene Clean(Action<ClientHistory, Scene>? ann = null, bool annSees = true)
    {
        var scene = new Scene();
        scene.Store(RowKind.Created, "zoe");
        scene.Store(RowKind.Joined, "ann");
        scene.Store(RowKind.Joined, "bob");
        scene.Store(RowKind.Message, "bob", "hi");
        scene.Store(RowKind.Message, "ann", "hello");
        scene.Store(RowKind.Left, "ann");
        scene.Store(RowKind.Message, "bob", "");
        scene.Store(RowKind.Joined, "ann");
        scene.Store(RowKind.Message, "bob", "again");
        scene.Store(RowKind.Message, "ann", "yes");

        scene.Client("zoe").JoinUnanswered(Room); // She never heard that she is a member, so nothing is due to her.
        var a = scene.Client("ann");
        a.Join(Room, 2);
        a.Acknowledge(a.Send(Room, "hello"), 5);
        a.Leave(Room, 6, tailKnown: true);
        a.Join(Room, 8);
        a.Acknowledge(a.Send(Room, "yes"), 10);
        if (annSees) scene.Deliver(a, 3, 4, 5, 6, 9, 10);
        ann?.Invoke(a, scene);

        var b = scene.Client("bob");
        b.Join(Room, 3);
        b.Acknowledge(b.Send(Room, "hi"), 4);
        b.Acknowledge(b.Send(Room, ""), 7);
        b.Acknowledge(b.Send(Room, "again"), 9);
        scene.Deliver(b, 4, 5, 6, 7, 8, 9, 10);
        return scene;
    }

    public ClientHistory Client(string user)
    {
        var client = new ClientHistory(user, Observed);
        _clients.Add(client);
        return client;
    }

    public void Store(RowKind kind, string user, string text = "", ulong? command = null, long atMs = 0)
    {
        var seq = Journal.Head + 1;
        _texts[seq] = (kind, user, text);
        Journal.Add(seq, kind, RowHash.Of(kind, user, text), 7, (long)(command ?? ++_command), atMs);
    }

    /// <summary>Delivers rows as they are stored.</summary>
    public void Deliver(ClientHistory client, params ReadOnlySpan<long> seqs)
    {
        foreach (var seq in seqs)
        {
            var (kind, user, text) = _texts[seq];
            client.DeliverItem(Room, kind, seq, user, text);
        }
    }

    public CheckResult Check() =>
        HistoryChecker.Check(_clients, Observed, new Dictionary<string, RoomJournal> { [Room] = Journal });

    private readonly Dictionary<long, (RowKind, string, string)> _texts = [];
}
