namespace ActorCluster.Demo.Input;

/// <summary>The part of an input that one run replays, and who is in which room when it begins.</summary>
/// <param name="Log">The whole input.</param>
/// <param name="First">Index of the first event.</param>
/// <param name="Count">Events to replay.</param>
internal sealed record ChatWindow(ChatLog Log, int First, int Count)
{
    /// <summary>Cuts one window out of an input.</summary>
    /// <param name="log">The input.</param>
    /// <param name="skip">Events to leave out; they only decide who is present.</param>
    /// <param name="events">Events to replay; 0, or more than there are: to the end.</param>
    /// <exception cref="CouldNotRunException">Nothing is left after <paramref name="skip"/>.</exception>
    public static ChatWindow Single(ChatLog log, int skip, int events)
    {
        var left = log.Events.Count - skip;
        if (left <= 0)
            throw new CouldNotRunException($"--skip is {skip}, but the input has {log.Events.Count} events; give a smaller --skip.");
        return new(log, skip, events == 0 ? left : Math.Min(events, left));
    }

    /// <summary>Cuts windows of equal size, spread evenly from <paramref name="skip"/> to the end of the input.</summary>
    /// <exception cref="CouldNotRunException">There are not so many different windows.</exception>
    public static IReadOnlyList<ChatWindow> Spread(ChatLog log, int skip, int events, int windows)
    {
        var first = Single(log, skip, events);
        var room = log.Events.Count - skip - first.Count;
        if (windows > 1 && room < windows - 1)
            throw new CouldNotRunException(
                $"--windows is {windows}, but {log.Events.Count - skip} events hold only {room + 1} different windows of {first.Count}; give fewer --events.");
        var cut = new List<ChatWindow>(windows);
        for (var i = 0; i < windows; i++)
            cut.Add(first with { First = skip + (windows == 1 ? 0 : (int)((long)room * i / (windows - 1))) });
        return cut;
    }

    /// <summary>Who is in which room before the first event: users in order of number, their rooms in order of joining.</summary>
    /// <remarks>A user that speaks without having joined was there all along (flaws of the data), so a say counts as a join.</remarks>
    public SortedDictionary<int, List<int>> MembersAtStart()
    {
        var members = new SortedDictionary<int, List<int>>();
        for (var i = 0; i < First; i++)
        {
            var e = Log.Events[i];
            if (e.Kind == ChatKind.Quit)
            {
                members.Remove(e.User);
                continue;
            }
            if (!members.TryGetValue(e.User, out var rooms)) members[e.User] = rooms = [];
            if (e.Kind == ChatKind.Part) rooms.Remove(e.Room);
            else if (!rooms.Contains(e.Room)) rooms.Add(e.Room);
            if (rooms.Count == 0) members.Remove(e.User);
        }
        return members;
    }
}
