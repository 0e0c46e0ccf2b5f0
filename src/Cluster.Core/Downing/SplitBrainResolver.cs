using System.Collections.Immutable;
using ActorCluster.Primitives;

namespace ActorCluster.Downing;

/// <summary>How soon a component may ask the store to evict the others (protocol 3.3). The store's compare-and-set decides.</summary>
public enum DowningClass
{
    /// <summary>At once.</summary>
    Now,

    /// <summary>After the side that comes first had its second.</summary>
    Tie,

    /// <summary>Only those whose lease went stale.</summary>
    Late,

    /// <summary>Not at all: this component stops itself.</summary>
    Stop,

    /// <summary>Nobody stays: all members are evicted, this side included.</summary>
    All,
}

/// <summary>A voter as a resolver sees it.</summary>
/// <param name="Inc">Who.</param>
/// <param name="Weight">Its weight in the vote.</param>
/// <param name="UpView">Smaller is older.</param>
/// <param name="Here">It belongs to the component that asks.</param>
/// <param name="Name">Its node name.</param>
/// <param name="Witness">It reaches the store and sees as many witnesses as are needed.</param>
public readonly record struct Voter(Incarnation Inc, double Weight, long UpView, bool Here, string Name = "", bool Witness = false);

/// <summary>What every resolver answers: a division of the voters in, how soon the asking side may claim out.</summary>
/// <remarks>Without state, so thread-safe. One of your own is given to nodes by <see cref="Hosting.ActorClusterBuilder.WithResolver"/>, tried on every cut by <see cref="CutWalk"/> and under hostile
/// schedules by the simulator of the test kit. It runs on the node's control thread: it must not block, ask a clock or draw a number, since all nodes of a side must get the same answer.</remarks>
public abstract class SplitBrainResolver
{
    /// <summary>Name in configuration, for example <c>keep-majority</c>; of a policy of your own 1 to 64 of a-z, 0-9, '-' and '.'.</summary>
    public abstract string Name { get; }

    /// <summary>Of a policy of your own: everything that its answers depend on beside the voters, as text, at most 200 printable ASCII characters without parentheses and semicolons; empty by default.
    /// A node whose policy has another name or other parameters than the cluster's is refused.</summary>
    public virtual string Parameters => "";

    /// <summary>Only members with this role vote; empty: all do.</summary>
    public string Role { get; init; } = "";

    /// <summary>A division that stays undecided evicts everybody, instead of letting the components claim in turn.</summary>
    public bool DownAllWhenUnstable { get; init; }

    /// <summary>What is done about members that are connected through others only.</summary>
    public BrokenEdgeRule BrokenEdges { get; init; }

    /// <summary>Voters there may be; one more is not let up.</summary>
    public virtual int VotersMax => int.MaxValue;

    /// <summary>Voters, up or still joining, that a newcomer must reach before it becomes up; itself counted if it votes.</summary>
    public virtual int VotersMin => 0;

    /// <summary>Class of the component that asks. Members that are known to have crashed are no voters any more; where nobody may vote, only stale leases speak.</summary>
    public DowningClass Classify(ImmutableArray<Voter> voters) => voters.IsEmpty ? DowningClass.Late : ClassOf(voters);

    /// <summary>The strategy's table (protocol 3.4) for at least one voter.</summary>
    protected abstract DowningClass ClassOf(ImmutableArray<Voter> voters);

    /// <summary>The voter that has been up the longest.</summary>
    protected static Voter Oldest(ImmutableArray<Voter> voters) => voters.MinBy(v => (v.UpView, v.Inc));

    /// <summary>Above 0: this side has more than half of the weight; 0: exactly half.</summary>
    protected static int Majority(ImmutableArray<Voter> voters) => (2 * voters.Where(v => v.Here).Sum(v => v.Weight)).CompareTo(voters.Sum(v => v.Weight));
}
