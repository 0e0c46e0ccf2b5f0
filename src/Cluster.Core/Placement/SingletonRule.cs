using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Placement;

/// <summary>Who may hold a singleton, and who comes next (protocol 6.1).</summary>
/// <param name="Mode">Which host is wanted.</param>
/// <param name="Hosts">Node names in order of preference; empty: every member that hosts the type, the oldest first.</param>
/// <param name="FailsOverAtShutdown">When its host stops in good order, another takes over at once; else the place is kept for it.</param>
internal sealed record SingletonRule(SingletonMode Mode, ImmutableArray<string> Hosts, bool FailsOverAtShutdown)
{
    /// <summary>Members that may hold it now, the one that should first.</summary>
    public IEnumerable<MemberRow> Succession(string type, IEnumerable<MemberRow> members)
    {
        var eligible = members.Where(m => m.Status == MemberStatus.Up && m.Hosts(type) && (Hosts.IsEmpty || Hosts.Contains(m.Name)));
        return Mode == SingletonMode.LastOnline ? eligible.OrderByDescending(m => m.UpView)
            : Hosts.IsEmpty ? eligible.OrderBy(m => (m.UpView, m.Inc))
            : eligible.OrderBy(m => Hosts.IndexOf(m.Name));
    }

    /// <summary>Whoever held it has left in good order and is expected back; its row is free and names it as the target still.</summary>
    public bool IsVacant(ShardRow row, IEnumerable<MemberRow> members) =>
        !FailsOverAtShutdown && row is { State: ShardState.Free, Owner: null, Previous: null, Target: { } target } && row.Epoch > default(Epoch)
        && members.Any(m => m.Inc == target && (m.Status == MemberStatus.Leaving || m is { Status: MemberStatus.Down, DownReason: Membership.Membership.LeftReason }));
}
