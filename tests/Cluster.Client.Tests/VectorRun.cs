using System.Text;
using System.Text.Json.Nodes;

namespace ActorCluster.Client.Tests;

/// <summary>Plays one script of docs/client-vectors/ (its README says what the steps mean) to a <see cref="ClientSession"/>.</summary>
internal sealed class VectorRun(JsonObject script)
{
    private readonly ClientSession _session = new([.. script["hosts"]!.AsArray().Select(h => new Uri((string)h!))]);
    private readonly Dictionary<PendingCommand, string> _names = [];
    private readonly List<(TimeSpan At, RetryTimer Timer)> _timers = [];
    private readonly List<ClientEffect> _effects = [];
    private TimeSpan _now;

    public void Play()
    {
        var number = 0;
        foreach (var step in script["steps"]!.AsArray())
        {
            number++;
            var found = Perform(step!.AsObject());
            Assert.True(JsonNode.DeepEquals(step["expect"], found),
                $"{script["name"]}, step {number}\n  expected {step["expect"]!.ToJsonString()}\n  found    {found.ToJsonString()}");
        }
    }

    private JsonArray Perform(JsonObject step)
    {
        var found = new JsonArray();
        if (step["open"] is not null)
        {
            found.Add(Dial());
            _session.Opened(_effects);
        }
        else if (step["fail"] is { } failure)
        {
            found.Add(Dial());
            _session.Lost((string)failure!, _now, _effects);
        }
        else if (step["lost"] is { } reason) _session.Lost((string)reason!, _now, _effects);
        else if (step["frame"] is { } frame) _session.Received(Encoding.UTF8.GetBytes(frame.ToJsonString()), _now, _effects);
        else if (step["raw"] is { } raw) _session.Received(Encoding.UTF8.GetBytes((string)raw!), _now, _effects);
        else if (step["advance"] is { } span) Advance(TimeSpan.FromMilliseconds((int)span!));
        else _session.Submit(CommandOf(step), _effects);
        foreach (var effect in _effects) found.Add(Told(effect));
        _effects.Clear();
        return found;
    }

    private JsonObject Dial()
    {
        var (host, pause) = _session.NextHost();
        return new JsonObject { ["dial"] = host.GetLeftPart(UriPartial.Authority), ["pauseMs"] = (int)pause.TotalMilliseconds };
    }

    private void Advance(TimeSpan span)
    {
        var until = _now + span;
        while (_timers.Where(t => t.At <= until).OrderBy(t => t.At).FirstOrDefault() is { Timer: not null } due)
        {
            _timers.Remove(due);
            _now = due.At;
            _session.Due(due.Timer, _effects);
        }
        _now = until;
    }

    private PendingCommand CommandOf(JsonObject step)
    {
        var (cmd, room) = ((string)step["cmd"]!, (string?)step["room"] ?? "");
        var kind = Enum.Parse<CommandKind>(cmd, ignoreCase: true);
        var command = new PendingCommand(kind, room, kind switch
        {
            CommandKind.Say => ClientFrames.SayBody(room, (string)step["text"]!),
            CommandKind.History => ClientFrames.HistoryBody(room, (long)step["after"]!, (int)step["limit"]!),
            CommandKind.Presence => ClientFrames.PresenceBody(step["users"]!.AsArray().Select(u => (string)u!)),
            _ => ClientFrames.RoomBody(cmd, room),
        });
        _names.Add(command, (string)step["command"]!);
        return command;
    }

    private JsonObject Told(ClientEffect effect)
    {
        switch (effect)
        {
            case ClientEffect.Send(var frame): return new() { ["send"] = JsonNode.Parse(frame) };
            case ClientEffect.Reset(var command): return new() { ["done"] = _names[command], ["reset"] = true };
            case ClientEffect.Deliver(var items): return new() { ["items"] = new JsonObject { ["room"] = items.Room, ["items"] = Plain(items.Items) } };
            case ClientEffect.EndRoom(var room): return new() { ["ended"] = new JsonObject { ["room"] = room.Room, ["code"] = room.Code } };
            case ClientEffect.Disconnect: return new() { ["close"] = true };
            case ClientEffect.GiveUp(var code, _): return new() { ["giveUp"] = code };
            case ClientEffect.Tell(ConnectionChange.Connected(var node, var resumed)):
                return new() { ["state"] = "connected", ["node"] = node, ["resumed"] = resumed };
            case ClientEffect.Tell(var change):
                var name = change.GetType().Name;
                return new() { ["state"] = char.ToLowerInvariant(name[0]) + name[1..] };
            case ClientEffect.SetTimer(var after, var timer):
                _timers.Add((_now + after, timer));
                return new() { ["timer"] = (int)after.TotalMilliseconds };
            case ClientEffect.Complete(var command, { Code: { } code }): return new() { ["done"] = _names[command], ["err"] = code };
            case ClientEffect.Complete(var command, var answer): return new() { ["done"] = _names[command], ["ok"] = Plain(command.Kind, answer) };
            default: throw new InvalidOperationException($"No rule for {effect}.");
        }
    }

    private static JsonObject Plain(CommandKind kind, Answer answer) => kind switch
    {
        CommandKind.Join => new() { ["seq"] = answer.Seq, ["members"] = answer.Members },
        CommandKind.History => new() { ["items"] = Plain(answer.Items!), ["head"] = answer.Head, ["stale"] = answer.IsStale },
        CommandKind.Presence => new() { ["online"] = new JsonArray([.. answer.Online!.Order(StringComparer.Ordinal).Select(u => (JsonNode)u)]) },
        _ => new() { ["seq"] = answer.Seq },
    };

    private static JsonArray Plain(IEnumerable<RoomItem> items) => new([.. items.Select(Plain)]);

    private static JsonObject Plain(RoomItem item)
    {
        var plain = new JsonObject { ["from"] = item.From, ["seq"] = item.Seq, ["kind"] = item.Kind.ToString().ToLowerInvariant() };
        if (item.Kind == RoomItemKind.Digest) (plain["joined"], plain["left"], plain["members"]) = (item.JoinedCount, item.LeftCount, item.Members);
        else plain["user"] = item.User;
        if (item.Kind == RoomItemKind.Message) plain["text"] = item.Text;
        plain["at"] = item.At.ToUnixTimeMilliseconds();
        return plain;
    }
}
