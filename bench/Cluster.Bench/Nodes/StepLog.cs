using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Bench.Nodes;

/// <summary>Something that happened in a node's life.</summary>
/// <param name="At">By the machine's monotonic clock, which all its processes share.</param>
/// <param name="Event">Id of the log line; 0 for the bench's own.</param>
/// <param name="Text">The line.</param>
internal sealed record Step(long At, int Event, string Text)
{
    private const string Mark = "step ";

    public string ToLine() => string.Create(CultureInfo.InvariantCulture, $"{Mark}{At} {Event} {Text}");

    public static Step? FromLine(string line)
    {
        if (!line.StartsWith(Mark, StringComparison.Ordinal)) return null;
        var parts = line[Mark.Length..].Split(' ', 3);
        return new Step(long.Parse(parts[0], CultureInfo.InvariantCulture), int.Parse(parts[1], CultureInfo.InvariantCulture), parts[2]);
    }
}

/// <summary>Tells of a node's log lines as steps with their times.</summary>
internal sealed class StepLog(Action<Step> tell) : ILoggerProvider, ILogger
{
    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        tell(new Step(Stopwatch.GetTimestamp(), eventId.Id, formatter(state, exception)));

    public void Dispose() { }
}
