using System.Collections.Immutable;
using ActorCluster.ChatRooms;
using ActorCluster.Downing;
using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Placement;
using ActorCluster.Presence;
using Microsoft.Extensions.DependencyInjection;

namespace ActorCluster.Hosting;

/// <summary>Says what a node is and hosts; used inside <see cref="ActorClusterServices.AddActorCluster"/>.</summary>
/// <remarks>What is said here is the default; the configuration section <c>Cluster</c> wins over it.</remarks>
public sealed class ActorClusterBuilder
{
    private readonly List<EntityType> _types = [];
    private bool _hasPolicy;

    internal ActorClusterBuilder(IServiceCollection services) => Services = services;

    /// <summary>The host's services, for extensions of this builder.</summary>
    public IServiceCollection Services { get; }

    internal IReadOnlyList<EntityType> Types => _types;

    internal ImmutableSortedDictionary<string, SingletonRule> Singletons { get; private set; } = ImmutableSortedDictionary<string, SingletonRule>.Empty;

    internal Dictionary<Type, string> TypeNames { get; } = [];

    internal List<Action<ClusterOptions>> Defaults { get; } = [];

    internal Func<IServiceProvider, ClusterOptions, IClusterStore?>? Store { get; private set; }

    /// <summary>Names this node and its addresses.</summary>
    /// <param name="name">Unique name, 1 to 64 letters, digits, '-', '_' and '.', the first a letter or digit.</param>
    /// <param name="link"><c>host:port</c> at which other nodes reach it; port 0 takes a free one.</param>
    /// <param name="clients">URL at which clients reach it, http or https; empty: clients are told of other nodes only.</param>
    /// <param name="roles">Roles; where <c>Cluster:Downing:Role</c> names one, only those who have it vote. None of them with a comma; none by default.</param>
    /// <param name="zone">Zone, any text; empty, as by default, for none. Kept with the member; nothing depends on it yet.</param>
    /// <remarks>Checked when the host starts, with the configuration's values in them: a fault ends the process with 64 and a line that names the key.</remarks>
    public ActorClusterBuilder WithNode(string name, string link, string clients, IEnumerable<string>? roles = null, string zone = "")
    {
        Defaults.Add(o => (o.Node.Name, o.Node.Link, o.Node.Clients, o.Node.Roles, o.Node.Zone) = (name, link, clients, string.Join(',', roles ?? []), zone));
        return this;
    }

    /// <summary>The clients' fail-over order by node name; nodes find each other through the store.</summary>
    /// <param name="names">Each once, as in <c>Cluster:Node:Name</c>, none of them with a comma; none: by age, as by default. A node that is not named may join all the same.</param>
    /// <remarks>Where names are given, a quorum or a referee that does not go with them is refused at start.</remarks>
    public ActorClusterBuilder WithHosts(params string[] names)
    {
        Defaults.Add(o => o.Hosts = string.Join(',', names));
        return this;
    }

    /// <summary>Any other setting, as a default that configuration may override.</summary>
    public ActorClusterBuilder Configure(Action<ClusterOptions> change)
    {
        Defaults.Add(change);
        return this;
    }

    /// <summary>Chooses the store; the last choice counts.</summary>
    /// <param name="factory">Called once, after the host has started, with checked options; it must not block, and opens nothing: the node does that, and waits for a store that is away. The node
    /// disposes what it returns when the host is disposed. Null says that its setting is absent: 64, with a line that says which to give. A <see cref="ClusterStartException"/> ends the process
    /// with its code and its message as the one line; any other exception is a broken invariant (70, with its stack).</param>
    public ActorClusterBuilder WithStore(Func<IServiceProvider, ClusterOptions, IClusterStore?> factory)
    {
        Store = factory;
        return this;
    }

    /// <summary>Decides partitions by a policy of your own, instead of one of those that <c>Cluster:Downing:Strategy</c> names.</summary>
    /// <param name="policy">Its <see cref="SplitBrainResolver.Role"/>, <see cref="SplitBrainResolver.DownAllWhenUnstable"/> and <see cref="SplitBrainResolver.BrokenEdges"/> are the defaults of
    /// <c>Role</c>, <c>Unstable</c> and <c>BrokenEdges</c> in <c>Cluster:Downing</c>.</param>
    /// <remarks>The same on all nodes: the setting <c>Cluster:Downing:Strategy</c> becomes <c>own:name(parameters)</c>, and whoever has another policy, other parameters or none is refused (64), with
    /// both values. Nobody sees that one of the same name and parameters decides otherwise: when you change its code, change a version in <see cref="SplitBrainResolver.Parameters"/>, with all nodes stopped. It says how soon a side may claim; when that is asked, who carries it out and that only one side wins stays the node's and the store's. A policy that throws, or answers what is
    /// no <see cref="DowningClass"/>, counts as <see cref="DowningClass.Late"/>; the log says so once and <see cref="ClusterStatus.PolicyFault"/> for the rest of that life.</remarks>
    /// <exception cref="ArgumentException">Its name or parameters are outside their bounds, the name is that of a strategy that is there already, or a policy was given before.</exception>
    public ActorClusterBuilder WithResolver(SplitBrainResolver policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        if (OwnPolicy.FaultOf(policy) is { } fault) throw new ArgumentException(fault, nameof(policy));
        if (ResolverChoice.Knows(policy.Name)) throw new ArgumentException($"{policy.Name} is there already: choose it by Cluster:Downing:Strategy, or give your policy another name.", nameof(policy));
        if (_hasPolicy) throw new ArgumentException($"A policy was given before {policy.Name}; a node decides by one.", nameof(policy));
        _hasPolicy = true;
        Defaults.Add(o => ResolverChoice.Adopt(o.Downing, policy));
        Services.PostConfigure<ClusterOptions>(o => (o.Downing.Policy, o.Downing.Strategy) = (policy, o.Downing.Strategy == policy.Name ? OwnPolicy.TextOf(policy) : o.Downing.Strategy));
        return this;
    }

    /// <summary>Hosts presence: who is connected, anywhere.</summary>
    public ActorClusterBuilder WithPresence() => WithEntity<PresenceEntity>(PresenceEntity.TypeName, PresenceEntity.Register, PresenceEntity.Buckets);

    /// <summary>Hosts chat rooms.</summary>
    public ActorClusterBuilder WithChatRooms()
    {
        Services.AddSingleton<RoomNewsListener>();
        Services.AddSingleton<IFanoutListener>(provider => provider.GetRequiredService<RoomNewsListener>());
        return WithEntity<RoomEntity>(RoomEntity.TypeName, RoomCodecs.Register);
    }

    /// <summary>Hosts an entity type.</summary>
    /// <param name="name">Stable name, 1 to 64 of a-z, 0-9, '-' and '.': part of every entity's address.</param>
    /// <param name="messages">Registers the messages it takes.</param>
    /// <param name="shards">Number of shards, 1 to 65,536, 256 by default; fixed for life by the first node that registers the type.</param>
    /// <param name="externalEffects">Its entities act outside the store, by <see cref="EntityContext.TryBeginEffect"/>: a node that takes their shards over waits until the former owner
    /// has stopped, is proved dead or can act no more (8 to 9 s, where others take 2). Fixed for life like the count.</param>
    /// <param name="onCrashEvidence">With external effects: as <see cref="SingletonOptions.TakeOverOnCrashEvidence"/>, with the risk that it names. Alike on all nodes. Default false.</param>
    /// <exception cref="ArgumentException">A name or count outside these bounds, registered twice, or on crash evidence without external effects.</exception>
    public ActorClusterBuilder WithEntity<T>(string name, Action<MessageCatalog> messages, int shards = 256, bool externalEffects = false, bool onCrashEvidence = false)
        where T : Entity, new() => WithEntity(name, static () => new T(), messages, shards, externalEffects, onCrashEvidence);

    /// <summary>Hosts an entity type whose entities are placed individually, each in a shard of its own: by load instead of by a hash of their ids. For few and heavy ones, such as
    /// conferences; each costs a row of the store, which its first message makes.</summary>
    /// <param name="name">Stable name, as of an entity type; it may not become a hashed one later.</param>
    /// <param name="messages">Registers the messages it takes.</param>
    /// <param name="externalEffects">As of an entity type.</param>
    /// <param name="onCrashEvidence">As of an entity type.</param>
    /// <remarks>An entity ends by <see cref="EntityContext.End"/>. Its id is never to be used again.</remarks>
    /// <exception cref="ArgumentException">A name outside the bounds, or registered twice.</exception>
    public ActorClusterBuilder WithPlacedEntity<T>(string name, Action<MessageCatalog> messages, bool externalEffects = false, bool onCrashEvidence = false)
        where T : Entity, new()
    {
        WithEntity(name, static () => new T(), messages, shards: 1, externalEffects, onCrashEvidence);
        _types[^1] = _types[^1] with { ShardCount = 0 };
        return this;
    }

    /// <summary>Hosts a singleton: one entity in the whole cluster, active without a message, on one of its hosts at a time.</summary>
    /// <param name="name">Stable name, as of an entity type.</param>
    /// <param name="messages">Registers the messages it takes; reach it by <see cref="IActorCluster.Singleton"/>.</param>
    /// <param name="options">Where it lives. Register it alike on all nodes: whichever node decides goes by its own.</param>
    /// <exception cref="ArgumentException">A name outside the bounds, or registered twice.</exception>
    public ActorClusterBuilder WithSingleton<T>(string name, Action<MessageCatalog> messages, SingletonOptions? options = null)
        where T : Entity, new()
    {
        options ??= new SingletonOptions();
        WithEntity(name, static () => new T(), messages, shards: 1, options.ExternalEffects, options.ExternalEffects && options.TakeOverOnCrashEvidence);
        _types[^1] = _types[^1] with { IsSingleton = true };
        Singletons = Singletons.Add(name, new SingletonRule(options.Mode, [.. options.Hosts], options.FailoverAtShutdown));
        return this;
    }

    /// <summary>Lets a type act outside the store also while no member reaches the store, as long as all of them say so to each other; without it, its effects are refused once the lease has run out.</summary>
    /// <typeparam name="T">Class of an entity type or singleton that is registered already, with external effects.</typeparam>
    /// <remarks>Nothing happens where the cluster does not allow it (<c>Cluster:Downing:Failsafe</c>, off by default). What the effects rest on cannot be recorded meanwhile: writes are refused.</remarks>
    /// <exception cref="ArgumentException">It is not registered yet, or without external effects.</exception>
    public ActorClusterBuilder WithFailsafeEffects<T>()
        where T : Entity
    {
        var at = TypeNames.TryGetValue(typeof(T), out var name) ? _types.FindIndex(t => t.Name == name) : -1;
        if (at < 0 || !_types[at].IsExclusive) throw new ArgumentException($"{typeof(T).Name} is not registered with external effects; register it before, with externalEffects: true.");
        _types[at] = _types[at] with { ActsByAssent = true };
        return this;
    }

    /// <summary>Hosts an entity type whose instances are made by a factory.</summary>
    /// <param name="name">1 to 64 of a-z, 0-9, '-' and '.'; stable for life, stored with the data.</param>
    /// <param name="create">Called for each activation; must be cheap and must not block.</param>
    /// <param name="messages">Registers the messages it takes.</param>
    /// <param name="shards">Number of shards, 1 to 65,536, 256 by default; fixed for life.</param>
    /// <param name="externalEffects">Its entities act outside the store, by <see cref="EntityContext.TryBeginEffect"/>.</param>
    /// <param name="onCrashEvidence">With external effects: as <see cref="SingletonOptions.TakeOverOnCrashEvidence"/>. Default false.</param>
    /// <exception cref="ArgumentException">A name or count outside the bounds, registered twice, or on crash evidence without external effects.</exception>
    public ActorClusterBuilder WithEntity<T>(string name, Func<T> create, Action<MessageCatalog> messages, int shards = 256, bool externalEffects = false, bool onCrashEvidence = false)
        where T : Entity
    {
        if (onCrashEvidence && !externalEffects)
            throw new ArgumentException($"Entity type '{name}' has no external effects, so it waits for nobody: leave onCrashEvidence out, or say externalEffects.", nameof(onCrashEvidence));
        if (name.Length is < 1 or > 64 || name.Any(c => !char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('-' or '.')))
            throw new ArgumentException($"Entity type '{name}': give 1 to 64 of a-z, 0-9, '-' and '.'.", nameof(name));
        if (shards is < 1 or > 65_536)
            throw new ArgumentException($"Entity type '{name}' has {shards} shards; give 1 to 65,536.", nameof(shards));
        if (_types.Any(t => t.Name == name) || !TypeNames.TryAdd(typeof(T), name))
            throw new ArgumentException($"Entity type '{name}' or its class {typeof(T).Name} is registered already.", nameof(name));
        var catalog = new MessageCatalog();
        messages(catalog);
        _types.Add(new EntityType(name, shards, catalog, create, RemembersCommands: typeof(T).IsAssignableTo(typeof(IRowOwner)), externalEffects, onCrashEvidence));
        return this;
    }
}
