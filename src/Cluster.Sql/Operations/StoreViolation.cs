namespace ActorCluster.Sql.Operations;

/// <summary>Something in a store that must not be.</summary>
/// <param name="Check">Name of the check that found it.</param>
/// <param name="Invariant">Of docs/protocol.md, for example <c>I2</c>.</param>
/// <param name="Where">Which rows.</param>
/// <param name="What">What is wrong with them.</param>
/// <param name="Mend">What the operator does.</param>
internal sealed record StoreViolation(string Check, string Invariant, string Where, string What, string Mend)
{
    public override string ToString() => $"{Check} ({Invariant}): {Where}: {What}. {Mend}";
}
