namespace ActorCluster.Demo;

/// <summary>The demo could not be run at all, which says nothing of the cluster; ends as one line and exit code 2.</summary>
internal sealed class CouldNotRunException(string message) : Exception(message);
