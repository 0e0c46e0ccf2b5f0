namespace ActorCluster.MultiNode.Tests.Nodes;

/// <summary>All tests that start processes: one after another, since they share two cores and a range of ports.</summary>
[CollectionDefinition(nameof(NodeProcesses), DisableParallelization = true)]
public sealed class NodeProcesses;
