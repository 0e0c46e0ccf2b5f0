namespace ActorCluster.TestKit;

/// <summary>What a test expected of a cluster did not come about; the message says what was expected and, node by node, what is.</summary>
/// <param name="message">Expectation and state.</param>
/// <param name="inner">What the condition met last, if it met anything.</param>
public sealed class TestClusterException(string message, Exception? inner = null) : Exception(message, inner);
