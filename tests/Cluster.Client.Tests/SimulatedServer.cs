using System.Text.Json.Nodes;

namespace ActorCluster.Client.Tests;

/// <summary>
/// A cluster as one client sees it, by the protocol's page: rooms with logs, commands that take effect once, refusals for the moment.
/// What it does wrong (late, twice, with holes) it draws from <paramref name="random"/>.
/// </summary>
internal sealed class SimulatedServer(Random random)
{
    private readonly Dictionary<string, List<JsonObject>> _logs = [];
    private readonly Dictionary<string, long> _memberSince = [];
    private readonly Dictionary<long, JsonObject> _answers = [];
    private readonly List<JsonObject> _late = [];
    private readonly Queue<JsonObject> _in = new();
    private readonly Queue<JsonObject> _out = new();
    private readonly Dictionary<string, long> _streamedTo = [];
    private bool _welcomed;

    /// <summary>Percent of the steps that go wrong; 0 lets everything come to an end.</summary>
    public int FaultPercent { get; set; } = 15;

    public IReadOnlyList<JsonObject> LogOf(string room) => Log(room);

    public void Connect() => _welcomed = false;

    /// <summary>The connection is gone. What was on its way to the server may still arrive, much later; the answers will not.</summary>
    public void Disconnect()
    {
        foreach (var frame in _in)
            if (random.Next(2) == 0) _late.Add(frame);
        _in.Clear();
        _out.Clear();
        _streamedTo.Clear();
    }

    public void Take(byte[] frame) => _in.Enqueue(JsonNode.Parse(frame)!.AsObject());

    public JsonObject? NextFrame() => _out.TryDequeue(out var frame) ? frame : null;

    /// <summary>Somebody else says something or comes, one of the frames is read, or some of a stream is sent.</summary>
    public void Step()
    {
        switch (random.Next(4))
        {
            case 0 when FaultPercent > 0: Append("x", random.Next(3) == 0 ? "joined" : "message", "other", "noise"); break;
            case 1 when _late.Count > 0: ExecuteLate(); break;
            case 2: Stream(); break;
            default: ReadOne(); break;
        }
    }

    public void Append(string room, string kind, string user, string text)
    {
        var log = Log(room);
        var item = new JsonObject { ["seq"] = log.Count + 1L, ["kind"] = kind, ["user"] = user, ["at"] = 5 };
        if (kind == "message") item["text"] = text;
        log.Add(item);
    }

    private List<JsonObject> Log(string room) => _logs.TryGetValue(room, out var log) ? log : _logs[room] = [];

    private bool Fault() => random.Next(100) < FaultPercent;

    private void ExecuteLate()
    {
        var command = _late[random.Next(_late.Count)];
        _late.Remove(command);
        if (command["id"] is not null) Execute(command);
    }

    private void ReadOne()
    {
        if (!_in.TryDequeue(out var frame)) return;
        if ((string)frame["op"]! == "hello")
        {
            Welcome(frame);
            return;
        }
        var answer = Execute(frame).DeepClone().AsObject();
        _out.Enqueue(answer);
        if (Fault()) _out.Enqueue(answer.DeepClone().AsObject());
        var room = (string?)frame["room"] ?? "";
        if ((string)answer["op"]! != "ok") return;
        if ((string)frame["cmd"]! == "join") _streamedTo.TryAdd(room, (long)answer["seq"]!);
        if ((string)frame["cmd"]! == "leave" && !_memberSince.ContainsKey(room)) _streamedTo.Remove(room);
    }

    private void Welcome(JsonObject hello)
    {
        _welcomed = true;
        _out.Enqueue(new JsonObject { ["op"] = "welcome", ["client"] = "c1", ["token"] = "t", ["resumed"] = hello["token"] is not null, ["node"] = "n" });
        foreach (var room in hello["rooms"]!.AsArray())
        {
            var name = (string)room!["room"]!;
            if (_memberSince.ContainsKey(name)) _streamedTo[name] = (long)room["after"]!;
            else _out.Enqueue(new JsonObject { ["op"] = "left", ["room"] = name, ["code"] = "NotInRoom", ["message"] = "" });
        }
    }

    private JsonObject Execute(JsonObject command)
    {
        var (id, room, cmd) = ((long)command["id"]!, (string)command["room"]!, (string)command["cmd"]!);
        if (cmd == "history") return History(id, room, (long)command["after"]!);
        if (_answers.TryGetValue(id, out var known)) return known;
        if ((long?)command["prev"] is { } prev && !_answers.ContainsKey(prev)) return Refusal(id, "OutOfOrder");
        if (Fault()) return Refusal(id, "Busy");
        return _answers[id] = Run(id, room, cmd, (string?)command["text"] ?? "");
    }

    private JsonObject Run(long id, string room, string cmd, string text)
    {
        switch (cmd)
        {
            case "join":
                if (_memberSince.TryAdd(room, Log(room).Count + 1)) Append(room, "joined", "me", "");
                return new() { ["op"] = "ok", ["id"] = id, ["seq"] = _memberSince[room], ["members"] = 1 };
            case "leave":
                if (_memberSince.Remove(room)) Append(room, "left", "me", "");
                return new() { ["op"] = "ok", ["id"] = id, ["seq"] = (long)Log(room).Count };
            default:
                if (!_memberSince.ContainsKey(room)) return new() { ["op"] = "err", ["id"] = id, ["code"] = "NotInRoom", ["message"] = "", ["retry"] = false };
                Append(room, "message", "me", text);
                return new() { ["op"] = "ok", ["id"] = id, ["seq"] = (long)Log(room).Count };
        }
    }

    private JsonObject History(long id, string room, long after)
    {
        if (!_memberSince.ContainsKey(room)) return new() { ["op"] = "err", ["id"] = id, ["code"] = "NotInRoom", ["message"] = "", ["retry"] = false };
        if (Fault()) return Refusal(id, "Unavailable");
        var items = Log(room).Skip((int)after).Take(random.Next(1, 6)).Select(i => i.DeepClone());
        return new() { ["op"] = "ok", ["id"] = id, ["items"] = new JsonArray([.. items]), ["head"] = (long)Log(room).Count };
    }

    private JsonObject Refusal(long id, string code)
    {
        var refusal = new JsonObject { ["op"] = "err", ["id"] = id, ["code"] = code, ["message"] = "", ["retry"] = true };
        if (random.Next(2) == 0) refusal["afterMs"] = random.Next(5);
        return refusal;
    }

    private void Stream()
    {
        if (!_welcomed || _streamedTo.Count == 0) return;
        var (room, sent) = _streamedTo.OrderBy(r => r.Key, StringComparer.Ordinal).ElementAt(random.Next(_streamedTo.Count));
        var from = Fault() ? Math.Max(0, sent - random.Next(4)) : Fault() ? Math.Min(Log(room).Count, sent + 1) : sent; // Again, or with a hole.
        var batch = Log(room).Skip((int)from).Take(random.Next(1, 5)).ToList();
        if (batch.Count == 0) return;
        _streamedTo[room] = Math.Max(sent, (long)batch[^1]["seq"]!);
        _out.Enqueue(new JsonObject { ["op"] = "items", ["room"] = room, ["items"] = new JsonArray([.. Folded(batch)]) });
    }

    /// <summary>Runs of joins are told as digests now and then.</summary>
    private IEnumerable<JsonNode> Folded(List<JsonObject> batch)
    {
        for (var i = 0; i < batch.Count; i++)
        {
            var first = i;
            while (i + 1 < batch.Count && (string)batch[i]["kind"]! == "joined" && (string)batch[i + 1]["kind"]! == "joined") i++;
            yield return i == first
                ? batch[i].DeepClone()
                : new JsonObject { ["from"] = (long)batch[first]["seq"]!, ["seq"] = (long)batch[i]["seq"]!, ["kind"] = "digest", ["joined"] = i - first + 1, ["left"] = 0, ["members"] = 60, ["at"] = 5 };
        }
    }
}
