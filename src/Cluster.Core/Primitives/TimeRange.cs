using System.Globalization;

namespace ActorCluster.Primitives;

/// <summary>Between which bounds one of the <see cref="ProtocolTimes"/> lies, both included.</summary>
/// <param name="Name">The last part of its key, <c>Cluster:Times:Name</c>.</param>
/// <param name="Value">Reads it.</param>
/// <param name="Least">Above zero, so that no loop spins.</param>
/// <param name="Most">So small that no sum of times overflows, and that a number of seconds that was taken for days is refused.</param>
internal sealed record TimeRange(string Name, Func<ProtocolTimes, TimeSpan> Value, TimeSpan Least, TimeSpan Most)
{
    /// <summary>Bounds and default for people: <c>10 ms to 1 min; 200 ms by default</c>.</summary>
    public string Words => $"{InWords(Least)} to {InWords(Most)}; {InWords(Shipped)} by default";

    private TimeSpan Shipped => Value(new ProtocolTimes());

    public bool Holds(ProtocolTimes times) => Value(times) is var value && value >= Least && value <= Most;

    /// <summary>What to say when it does not hold.</summary>
    public string Fault(ProtocolTimes times) =>
        $"Cluster:Times:{Name} is {Value(times)}; give {InWords(Least)} to {InWords(Most)} as [days.]hours:minutes:seconds, for example {Shipped}.";

    /// <summary>In the unit that people would choose.</summary>
    internal static string InWords(TimeSpan time)
    {
        var (number, unit) = time switch
        {
            { Ticks: >= TimeSpan.TicksPerDay } => (time.TotalDays, time.TotalDays > 1 ? "days" : "day"),
            { Ticks: >= TimeSpan.TicksPerHour } => (time.TotalHours, "h"),
            { Ticks: >= TimeSpan.TicksPerMinute } => (time.TotalMinutes, "min"),
            { Ticks: >= TimeSpan.TicksPerSecond } => (time.TotalSeconds, "s"),
            _ => (time.TotalMilliseconds, "ms"),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{number:#,0.###} {unit}");
    }
}
