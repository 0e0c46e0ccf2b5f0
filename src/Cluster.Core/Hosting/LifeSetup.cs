using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Entities;
using ActorCluster.Links;
using ActorCluster.Persistence;
using ActorCluster.Placement;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Hosting;

/// <summary>What a life is made from; the options have the cluster's shared settings, of that version, in them.</summary>
internal sealed record LifeSetup(
    MemberRow Draft,
    ClusterRow Cluster,
    ClusterOptions Options,
    long SettingsVersion,
    SplitBrainResolver Resolver,
    IClusterStore Store,
    ImmutableArray<EntityType> Types,
    ImmutableSortedDictionary<string, SingletonRule> Singletons,
    ImmutableArray<ShardRow> Rows,
    ImmutableArray<LinkListener> Listeners,
    ImmutableArray<IFanoutListener> FanoutListeners,
    IServiceProvider Services,
    ILogger Log);
