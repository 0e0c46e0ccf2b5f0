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
}

/// <summary>A voter as a resolver sees it.</summary>
/// <param name="Inc">Who.</param>
/// <param name="Weight">Its weight in the vote.</param>
/// <param name="UpView">Smaller is older.</param>
/// <param name="Here">It belongs to the component that asks.</param>
public readonly record struct Voter(Incarnation Inc, double Weight, long UpView, bool Here);

/// <summary>What every resolver answers: a division of the voters in, how soon the asking side may claim out.</summary>
public abstract class SplitBrainResolver
{
    /// <summary>Name in configuration, for example <c>keep-majority</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Class of the component that asks. Members that are known to have crashed are no voters any more.</summary>
    public abstract DowningClass Classify(ImmutableArray<Voter> voters);
}
