using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ActorCluster.Demo.Histories;

namespace ActorCluster.Demo.Checking;

/// <summary>Which rows of the store the clients' commands account for.</summary>
internal sealed class RowClaims
{
    private readonly Dictionary<string, HashSet<long>> _claimed = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Room, ulong Hash), int> _allowed = [];

    /// <summary>A command was acknowledged with this row.</summary>
    /// <returns>False if an earlier one was as well.</returns>
    public bool Claim(string room, long seq)
    {
        ref var rows = ref CollectionsMarshal.GetValueRefOrAddDefault(_claimed, room, out _);
        return (rows ??= []).Add(seq);
    }

    /// <summary>A command has no answer: one row like this may be its effect.</summary>
    public void Allow(string room, ulong hash) => CollectionsMarshal.GetValueRefOrAddDefault(_allowed, (room, hash), out _)++;

    /// <summary>Whether a row belongs to a command; asked once of each row, as it uses up what was allowed.</summary>
    public bool Explains(string room, long seq, ulong hash)
    {
        if (_claimed.TryGetValue(room, out var rows) && rows.Contains(seq)) return true;
        ref var open = ref CollectionsMarshal.GetValueRefOrNullRef(_allowed, (room, hash));
        return !Unsafe.IsNullRef(ref open) && open-- > 0;
    }
}

/// <summary>Who joined or left, told from the hash of the row.</summary>
internal sealed class RowUsers
{
    private readonly Dictionary<ulong, string> _users = [];

    public RowUsers(IEnumerable<ClientHistory> histories)
    {
        foreach (var history in histories)
            foreach (var kind in (ReadOnlySpan<RowKind>)[RowKind.Created, RowKind.Joined, RowKind.Left]) _users[RowHash.Of(kind, history.User, "")] = history.User;
    }

    /// <summary>The user, null for one who is no client of the run.</summary>
    public string? Of(ulong hash) => _users.GetValueOrDefault(hash);
}
