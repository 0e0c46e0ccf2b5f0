using System.Text;
using System.Text.Json.Nodes;

namespace ActorCluster.Client.Tests;

/// <summary>One session and one <see cref="SimulatedServer"/>, a clock, and connections that break; checked after every step.</summary>
internal sealed class SessionSimulation
{
    private readonly Random _random;
    private readonly SimulatedServer _server;
    private readonly ClientSession _session = new([new Uri("http://a"), new Uri("http://b")], unansweredMax: 8, heldItemsMax: 4);
    private readonly List<ClientEffect> _effects = [];
    private readonly PriorityQueue<RetryTimer, TimeSpan> _timers = new();
    private readonly Dictionary<PendingCommand, string> _said = [];
    private readonly Dictionary<string, long> _shownTo = [];
    private readonly HashSet<string> _rejoined = [];
    private readonly Queue<string> _trace = new();
    private TimeSpan _now;
    private bool _connected;
    private int _open;

    public SessionSimulation(int seed)
    {
        _random = new Random(seed);
        _server = new SimulatedServer(_random);
    }

    /// <summary>The last steps, oldest first.</summary>
    public string Trace => string.Join('\n', _trace);

    public void Run(int steps)
    {
        Give(CommandKind.Join, "x");
        Give(CommandKind.Join, "y");
        for (var i = 0; i < steps; i++) Step(faults: true);
        _server.FaultPercent = 0;
        for (var i = 0; i < 20_000 && !Settled(); i++) Step(faults: false);
        _server.Append("x", "message", "other", "the end"); // A hole at the very end shows only when something follows.
        for (var i = 0; i < 20_000 && !AllShown(); i++) Step(faults: false);
        Check(_open == 0, $"{_open} commands were never answered");
        Check(AllShown(), $"room x is shown to {_shownTo.GetValueOrDefault("x")} of {_server.LogOf("x").Count}");
        CheckOrderOfOwnMessages("x");
        CheckOrderOfOwnMessages("y");
    }

    private bool Settled() => _open == 0;

    private bool AllShown() => _shownTo.GetValueOrDefault("x") == _server.LogOf("x").Count;

    private void Step(bool faults)
    {
        _now += TimeSpan.FromMilliseconds(_random.Next(3));
        if (!_connected) Connect();
        else if (faults && _random.Next(60) == 0) Break();
        else if (faults && _random.Next(5) == 0) GiveAny();
        else if (_timers.TryPeek(out _, out var at) && at <= _now) _session.Due(_timers.Dequeue(), _effects);
        else if (_random.Next(2) == 0) _server.Step();
        else if (_server.NextFrame() is { } frame) Feed(frame);
        Perform();
    }

    private void Connect()
    {
        _session.NextHost();
        _connected = true;
        _server.Connect();
        Note("connect");
        _session.Opened(_effects);
    }

    private void Break()
    {
        _connected = false;
        _server.Disconnect();
        Note("break");
        _session.Lost("broken", _now, _effects);
    }

    private void Feed(JsonObject frame)
    {
        Note("<- " + frame.ToJsonString());
        _session.Received(Encoding.UTF8.GetBytes(frame.ToJsonString()), _now, _effects);
    }

    private void GiveAny()
    {
        switch (_random.Next(12))
        {
            case 0:
                _rejoined.Add("y");
                Give(CommandKind.Leave, "y");
                Give(CommandKind.Join, "y");
                break;
            case < 4: Give(CommandKind.Say, "y"); break;
            default: Give(CommandKind.Say, "x"); break;
        }
    }

    private void Give(CommandKind kind, string room)
    {
        var text = $"{_said.Count}";
        var body = kind == CommandKind.Say ? ClientFrames.SayBody(room, text) : ClientFrames.RoomBody(kind == CommandKind.Join ? "join" : "leave", room);
        var command = new PendingCommand(kind, room, body);
        _said.Add(command, text);
        _open++;
        _session.Submit(command, _effects);
    }

    private void Perform()
    {
        foreach (var effect in _effects)
        {
            switch (effect)
            {
                case ClientEffect.Send(var frame):
                    Note("-> " + Encoding.UTF8.GetString(frame));
                    _server.Take(frame);
                    break;
                case ClientEffect.SetTimer(var after, var timer): _timers.Enqueue(timer, _now + after); break;
                case ClientEffect.Deliver(var items): Shown(items); break;
                case ClientEffect.Complete(var command, var answer): Completed(command, answer); break;
                case ClientEffect.Tell or ClientEffect.EndRoom: break;
                default: Check(false, $"unexpected {effect}"); break;
            }
        }
        _effects.Clear();
        Check(_session.UnansweredCount <= 8, $"{_session.UnansweredCount} commands are unanswered");
    }

    private void Shown(RoomItems items)
    {
        foreach (var item in items.Items)
        {
            var shown = _shownTo.GetValueOrDefault(items.Room);
            Check(item.Seq >= item.From && item.From > shown, $"{items.Room} {item.From} to {item.Seq} was shown again after {shown}");
            if (shown > 0 && !_rejoined.Contains(items.Room)) Check(item.From == shown + 1, $"{items.Room} has a gap from {shown} to {item.From}");
            if (item.Kind == RoomItemKind.Message)
                Check((string)_server.LogOf(items.Room)[(int)item.Seq - 1]["text"]! == item.Text, $"{items.Room} {item.Seq} has another text");
            _shownTo[items.Room] = item.Seq;
        }
    }

    private void Completed(PendingCommand command, Answer answer)
    {
        _open--;
        Check(answer.Code is null, $"{command.Kind} was refused: {answer.Code}");
        if (command.Kind == CommandKind.Join && !_rejoined.Contains(command.Room)) _shownTo.TryAdd(command.Room, answer.Seq);
        if (command.Kind == CommandKind.Say)
            Check((string?)_server.LogOf(command.Room)[(int)answer.Seq - 1]["text"] == _said[command], $"say {command.Id} is not at its sequence {answer.Seq}");
    }

    private void CheckOrderOfOwnMessages(string room)
    {
        var said = _said.Where(s => s.Key.Kind == CommandKind.Say && s.Key.Room == room).Select(s => s.Value);
        var kept = _server.LogOf(room).Where(i => (string)i["user"]! == "me" && (string)i["kind"]! == "message").Select(i => (string)i["text"]!);
        Check(said.SequenceEqual(kept), $"room {room} keeps [{string.Join(' ', kept)}], said was [{string.Join(' ', said)}]");
    }

    private void Note(string step)
    {
        _trace.Enqueue($"{_now.TotalMilliseconds,6} {step}");
        if (_trace.Count > 60) _trace.Dequeue();
    }

    private static void Check(bool holds, string what)
    {
        if (!holds) throw new InvalidOperationException(what);
    }
}
