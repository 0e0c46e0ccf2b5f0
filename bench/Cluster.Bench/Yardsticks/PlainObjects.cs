namespace ActorCluster.Bench.Yardsticks;

/// <summary>What the same state costs without an engine: a dictionary of plain objects by id. No mailbox, no turns, no passivation, one thread.</summary>
internal sealed class PlainObjects(int capacity)
{
    private readonly Dictionary<string, object> _byId = new(capacity, StringComparer.Ordinal);

    public int Increment(string id)
    {
        if (!_byId.TryGetValue(id, out var found)) _byId.Add(id, found = new PlainCounter());
        return ++((PlainCounter)found).Count;
    }

    private sealed class PlainCounter
    {
        public int Count;
    }
}
