namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>Which of a node's traffic.</summary>
[Flags]
internal enum Traffic
{
    Links = 1,
    Store = 2,
    Clients = 4,
    All = Links | Store | Clients,
}

/// <summary>Which way, seen from the node.</summary>
[Flags]
internal enum Way
{
    In = 1,
    Out = 2,
    Both = In | Out,
}

/// <summary>Something that keeps a node's packets from arriving.</summary>
/// <param name="Of">Which traffic.</param>
/// <param name="Way">Which way.</param>
/// <param name="Reset">Refused with a reset instead of dropped in silence.</param>
/// <param name="Share">Share of the packets, 0 to 1.</param>
/// <param name="Peers">The nodes whose links are meant; null: all.</param>
internal sealed record Cut(Traffic Of, Way Way = Way.Both, bool Reset = false, double Share = 1, IReadOnlyList<int>? Peers = null);

/// <summary>Where a node is.</summary>
/// <param name="Link">Its link address.</param>
/// <param name="Listen">The URL that it listens on for clients.</param>
/// <param name="Clients">The URL that clients use.</param>
/// <param name="StoreHost">Where it finds the store.</param>
/// <param name="StorePort">The store's port there.</param>
/// <param name="Within">The command that starts a process there.</param>
internal sealed record NodePlace(string Link, Uri Listen, Uri Clients, string StoreHost, int StorePort, IReadOnlyList<string> Within);

/// <summary>The network between nodes, store and clients, and what can be done to it. Each injection returns what heals it.</summary>
internal abstract class NemesisNetwork : IAsyncDisposable
{
    /// <summary>What it is made of, in a word.</summary>
    public abstract string Kind { get; }

    /// <summary>Kinds of faults that cannot be injected here, with the reason.</summary>
    public abstract IReadOnlyDictionary<string, string> NotInjected { get; }

    /// <summary>Gives nodes wall clocks of their own; null where that cannot be.</summary>
    public WallClock? WallClock { get; protected set; }

    public abstract string StoreHost { get; }

    public abstract int StorePort { get; }

    public abstract IReadOnlyList<string> WithinStore { get; }

    public abstract NodePlace this[int node] { get; }

    /// <summary>Told of each process that is started, so that it can be ended should this one be killed.</summary>
    public virtual void Started(int process)
    {
    }

    public abstract Task<Func<Task>> CutAsync(int node, Cut cut);

    /// <summary>The node's cable is out.</summary>
    public virtual Task<Func<Task>> LinkDownAsync(int node) => throw Unable("link-down");

    /// <summary>All that the node sends and receives goes through so many kbit/s.</summary>
    public virtual Task<Func<Task>> RateAsync(int node, int kbit) => throw Unable("rate");

    /// <summary>The node has no route: its own sends fail.</summary>
    public virtual Task<Func<Task>> BlackholeAsync(int node, Traffic traffic) => throw Unable("blackhole");

    /// <summary>One of the connections between two nodes is dropped in silence, the others live.</summary>
    public virtual Task<Func<Task>> ChannelDropAsync(int node, int peer, Random random) => throw Unable("channel-drop");

    public abstract ValueTask DisposeAsync();

    private InvalidOperationException Unable(string what) => new($"{what} cannot be injected over {Kind}; NotInjected says so, and no plan contains it.");
}
