using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

/// <summary>How a <see cref="TestCluster"/> runs.</summary>
public sealed record TestClusterOptions
{
    /// <summary>
    /// Factor on every time in <see cref="ProtocolTimes"/>, 0.5 to 10; 1, the times that production has, by default. Below 1 leases and silences end sooner, and a busy machine is sooner
    /// taken for a dead node. Times that are no settings stay as they are: 1 s of stable reachability before a node is judged, about 1 s between dials, ticks of 50 ms, 2 s until a cut connection
    /// breaks, and 0.4 s in which a cancelled effect ends: below 1, <see cref="ProtocolTimes.EffectLimit"/> shrinks by more than the factor, to 0.3 s at 0.5.
    /// </summary>
    public double TimeScale
    {
        get;
        init => field = value is >= 0.5 and <= 10 ? value : throw new ArgumentOutOfRangeException(nameof(TimeScale), value, "Give a time scale of 0.5 to 10.");
    } = 1;

    /// <summary>How long <see cref="TestCluster.Until(string, Func{bool}, TimeSpan?, CancellationToken)"/> waits where it is not told, and how long the start may take; 30 s by default, above 0.</summary>
    public TimeSpan Patience
    {
        get;
        init => field = value > TimeSpan.Zero ? value : throw new ArgumentOutOfRangeException(nameof(Patience), value, "Give a patience above 0.");
    } = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan EffectCancel = TimeSpan.FromMilliseconds(400);

    internal ProtocolTimes Scaled(ProtocolTimes times)
    {
        var scaled = times with { };
        foreach (var time in typeof(ProtocolTimes).GetProperties().Where(p => p.PropertyType == typeof(TimeSpan))) time.SetValue(scaled, (TimeSpan)time.GetValue(times)! * TimeScale);
        var effect = scaled.StopBudget - EffectCancel;
        return scaled with { EffectLimit = scaled.EffectLimit < effect ? scaled.EffectLimit : effect };
    }
}
