using System.Globalization;

namespace ActorCluster.Demo.Input;

/// <summary>Makes chat of the shape of a real network's log, for runs without an input file. The same seed gives the same lines.</summary>
/// <remarks>
/// Its figures are those of three years of 14 public rooms: 45 % says, 37 % joins, 8 % parts, 10 % quits; lengths by the quantiles below; mostly
/// 3 rooms a user; half of all messages in one room; now and then a network split, in which many leave in one minute and return in the next.
/// </remarks>
internal sealed class TrafficGenerator
{
    private const int UserCount = 600;
    private const int PresentMin = 60;
    private const int PresentMax = 200;
    private const int EventsBetweenSplits = 4_000;
    private const long Start = 1_640_995_200; // 2022-01-01, where the real log begins.

    /// <summary>Share of messages at most so long.</summary>
    private static readonly (double Share, int Length)[] s_lengths =
    [
        (0, 0), (.01, 2), (.05, 8), (.1, 14), (.2, 29), (.3, 39), (.4, 50), (.5, 61), (.6, 72), (.7, 83), (.8, 101), (.9, 138), (.95, 181),
        (.99, 284), (.999, 414), (1, 467),
    ];

    /// <summary>Weights of the rooms' messages, in thousandths of all.</summary>
    private static readonly int[] s_roomWeights = [505, 378, 74, 15, 8, 7, 6, 3, 2, 1, 1];

    private readonly Random _random;
    private readonly int _count;
    private readonly ChatLog _log = new();
    private readonly SortedDictionary<int, List<int>> _present = [];
    private long _time = Start;
    private int _nextSplit = EventsBetweenSplits;

    private TrafficGenerator(int seed, int count) => (_random, _count) = (new Random(seed), count);

    /// <summary>Lines that stand before the interesting ones, so that the rooms are not empty at the first.</summary>
    public const int Warmup = 2_000;

    /// <summary>Makes exactly <paramref name="count"/> lines.</summary>
    public static ChatLog Generate(int seed, int count) => new TrafficGenerator(seed, count).Run();

    private ChatLog Run()
    {
        while (_log.Events.Count < _count)
        {
            if (_random.NextDouble() < 0.3) _time += 60 * _random.Next(1, 20);
            if (_log.Events.Count >= _nextSplit) Split();
            else Step();
        }
        _log.Events.RemoveRange(_count, _log.Events.Count - _count);
        return _log;
    }

    private void Step()
    {
        // Weights of actions, not of lines: one arrival is about three joins.
        var action = _random.NextDouble();
        if (_present.Count < PresentMin || (action < 0.19 && _present.Count < PresentMax)) Arrive(_random.Next(UserCount));
        else if (action < 0.31) Quit(AnyPresent());
        else if (action < 0.42) Part(AnyPresent());
        else Say(AnyPresent());
    }

    private void Arrive(int user)
    {
        var rooms = _random.NextDouble() switch { < 0.2 => 1, < 0.3 => 2, < 0.85 => 3, < 0.95 => 4, _ => _random.Next(5, s_roomWeights.Length) };
        if (_present.TryGetValue(user, out var known))
        {
            Line(ChatKind.Join, user, known[0]); // Joins of users already there are in real logs too.
            return;
        }
        var joined = _present[user] = [];
        while (joined.Count < rooms)
        {
            var room = _random.NextDouble() < 0.7 ? WeightedRoom() : _random.Next(s_roomWeights.Length);
            if (joined.Contains(room)) continue;
            joined.Add(room);
            Line(ChatKind.Join, user, room);
        }
    }

    private void Quit(int user)
    {
        _present.Remove(user);
        Line(ChatKind.Quit, user, -1);
    }

    private void Part(int user)
    {
        var rooms = _present[user];
        var room = rooms[_random.Next(rooms.Count)];
        rooms.Remove(room);
        if (rooms.Count == 0) _present.Remove(user);
        Line(ChatKind.Part, user, room);
    }

    private void Say(int user)
    {
        var rooms = _present[user];
        var best = rooms[0];
        var wanted = WeightedRoom();
        if (rooms.Contains(wanted)) best = wanted;
        Line(ChatKind.Say, user, best, Length());
    }

    private void Split()
    {
        _nextSplit = _log.Events.Count + EventsBetweenSplits;
        _time += 60;
        var gone = new List<int>();
        foreach (var user in _present.Keys)
            if (_random.NextDouble() < 0.6) gone.Add(user);
        foreach (var user in gone) Quit(user);
        _time += 60;
        foreach (var user in gone) Arrive(user);
        _time += 60;
    }

    private int AnyPresent()
    {
        var at = _random.Next(_present.Count);
        foreach (var user in _present.Keys)
            if (at-- == 0) return user;
        throw new InvalidOperationException("Nobody is present.");
    }

    private int WeightedRoom()
    {
        var at = _random.Next(1_000);
        for (var room = 0; room < s_roomWeights.Length; room++)
            if ((at -= s_roomWeights[room]) < 0) return room;
        return 0;
    }

    private int Length()
    {
        var share = _random.NextDouble();
        var above = 1;
        while (s_lengths[above].Share < share) above++;
        var (low, high) = (s_lengths[above - 1], s_lengths[above]);
        return (int)Math.Round(low.Length + (high.Length - low.Length) * (share - low.Share) / (high.Share - low.Share));
    }

    private void Line(ChatKind kind, int user, int room, int length = 0) => _log.Add(
        _time, kind, string.Create(CultureInfo.InvariantCulture, $"g{user:0000}"),
        room < 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"room-{room + 1}"), length);
}
