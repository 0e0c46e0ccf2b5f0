using System.Text.Json;
using ActorCluster.Primitives;

namespace ActorCluster.Sql;

/// <summary>Heirs as the row of a member that is down names them: a JSON array of incarnations.</summary>
internal static class HeirsText
{
    public static string Of(IEnumerable<Incarnation> heirs) => $"[{string.Join(',', heirs.Select(h => h.Value))}]";

    public static long[] Parse(string text)
    {
        using var array = JsonDocument.Parse(text);
        return [.. array.RootElement.EnumerateArray().Select(h => h.GetInt64())];
    }
}
