using System.Runtime.InteropServices;

namespace ActorCluster.Demo.Input;

/// <summary>A whole input in memory: its events in order and the names that their numbers stand for.</summary>
internal sealed class ChatLog
{
    private readonly NameTable _rooms = new();
    private readonly NameTable _users = new();

    public List<ChatEvent> Events { get; } = [];

    public IReadOnlyList<string> Rooms => _rooms.Names;

    public IReadOnlyList<string> Users => _users.Names;

    /// <summary>Appends a line.</summary>
    /// <param name="time">Unix seconds.</param>
    /// <param name="kind">What happened.</param>
    /// <param name="user">Name of the user.</param>
    /// <param name="room">Name of the room; empty for a quit, which is of all rooms.</param>
    /// <param name="length">Characters of the message.</param>
    public void Add(long time, ChatKind kind, ReadOnlySpan<char> user, ReadOnlySpan<char> room, int length) =>
        Events.Add(new(time, kind, _users.NumberOf(user), room.IsEmpty ? -1 : _rooms.NumberOf(room), length));

    private sealed class NameTable
    {
        private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);

        public List<string> Names { get; } = [];

        public int NumberOf(ReadOnlySpan<char> name)
        {
            var lookup = _numbers.GetAlternateLookup<ReadOnlySpan<char>>();
            ref var number = ref CollectionsMarshal.GetValueRefOrAddDefault(lookup, name, out var known);
            if (known) return number;
            number = Names.Count;
            Names.Add(name.ToString());
            return number;
        }
    }
}
