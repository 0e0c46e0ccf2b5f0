using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Entities;
using ActorCluster.Links;
using ActorCluster.Persistence;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Hosting;

/// <summary>What a life is made from.</summary>
internal sealed record LifeSetup(
    MemberRow Draft,
    ClusterRow Cluster,
    ClusterOptions Options,
    SplitBrainResolver Resolver,
    IClusterStore Store,
    ImmutableArray<EntityType> Types,
    ImmutableArray<ShardRow> Rows,
    LinkListener Listener,
    ImmutableArray<IFanoutListener> Listeners,
    IServiceProvider Services,
    ILogger Log,
    NodeFaults? Faults);
