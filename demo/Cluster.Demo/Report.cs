using System.Globalization;
using System.Text;
using System.Text.Json;
using ActorCluster.Demo.Replay;

namespace ActorCluster.Demo;

/// <summary>Sums up the windows of a demo: a text for people and one line of JSON for programs.</summary>
internal sealed class Report(IReadOnlyList<WindowResult> windows)
{
    public bool Clean
    {
        get
        {
            foreach (var window in windows)
                if (!window.Clean) return false;
            return windows.Count > 0;
        }
    }

    private double RecoveryMaxMs => Longest(w => w.RecoveryMs);

    /// <summary>The last line of standard output: the fields of the contract first, further ones behind.</summary>
    public string Json()
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteNumber("users", Most(w => w.Users));
            json.WriteNumber("rooms", Most(w => w.Rooms));
            json.WriteNumber("sent", Sum(w => w.Check.Sent));
            json.WriteNumber("acknowledged", Sum(w => w.Check.Acknowledged));
            json.WriteNumber("delivered", Sum(w => w.Check.Delivered));
            json.WriteNumber("lost", Sum(w => w.Check.Lost));
            json.WriteNumber("duplicated", Sum(w => w.Check.Duplicated));
            json.WriteNumber("outOfOrder", Sum(w => w.Check.OutOfOrder));
            json.WriteNumber("failedOver", Sum(w => w.FailedOver));
            var felt = FeltMs();
            json.WriteStartObject("recoveryMs");
            json.WriteNumber("p50", Math.Round(RecoveryLog.Quantile(felt, 0.5), 1));
            json.WriteNumber("p99", Math.Round(RecoveryLog.Quantile(felt, 0.99), 1));
            json.WriteNumber("max", Math.Round(RecoveryMaxMs, 1));
            json.WriteEndObject();
            json.WriteString("killedNode", windows[^1].KilledNode);
            json.WriteNumber("impliedJoins", Sum(w => w.ImpliedJoins));
            json.WriteNumber("seconds", Math.Round(Seconds(), 1));
            WriteFurther(json);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    /// <summary>The same for people, with the first findings of each window.</summary>
    public string Text()
    {
        var text = new StringBuilder();
        var felt = FeltMs();
        text.AppendLine(CultureInfo.InvariantCulture, $"{windows.Count} window(s), {Most(w => w.Users)} users, {Most(w => w.Rooms)} rooms, {Seconds():0.0} s");
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"messages: {Sum(w => w.Check.Sent)} sent, {Sum(w => w.Check.Acknowledged)} acknowledged, {Sum(w => w.Check.Delivered)} delivered to members");
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"lost {Sum(w => w.Check.Lost)}, duplicated {Sum(w => w.Check.Duplicated)}, out of order {Sum(w => w.Check.OutOfOrder)}, "
            + $"notices missing {Sum(w => w.Check.NoticesMissing)}, strays {Sum(w => w.Check.Strays)}, client errors {Sum(w => w.ClientErrors)}");
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"joins and leaves nobody asked for {Sum(w => w.Check.Unasked)}, digests wrong {Sum(w => w.Check.DigestsWrong)}, "
            + $"rows excused {Sum(w => w.Check.RowsExcused)}, {Sum(w => w.Check.RowsStale)} of them stale (behind {Sum(w => w.Check.TailsCut)} leaves whose connection broke)");
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"{Sum(w => w.FailedOver)} clients changed node; recovery p50 {RecoveryLog.Quantile(felt, 0.5):0} ms, p99 {RecoveryLog.Quantile(felt, 0.99):0} ms, max {RecoveryMaxMs:0} ms");
        text.AppendLine(
            "(recovery: from the later of sending and fault to the answer, of commands unanswered at the fault or sent within 10 s after it, a node's "
            + "coming back being a fault too; p50 and p99 of those that took over 250 ms or changed node)");
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"longest wait of any command {Longest(w => w.LongestWait.Ms):0} ms; longest that a stream was behind {Longest(w => w.LongestBehindMs):0} ms");
        for (var i = 0; i < windows.Count; i++)
        {
            foreach (var fault in windows[i].Faults) text.AppendLine(CultureInfo.InvariantCulture, $"window {i + 1}: {fault}");
            foreach (var note in windows[i].Check.Notes) text.AppendLine(CultureInfo.InvariantCulture, $"window {i + 1}: {note}");
        }
        text.Append(Clean ? "CLEAN" : "NOT CLEAN");
        return text.ToString();
    }

    private void WriteFurther(Utf8JsonWriter json)
    {
        json.WriteStartArray("killedNodes");
        foreach (var window in windows)
            if (window.KilledNode is { } node) json.WriteStringValue(node);
        json.WriteEndArray();
        json.WriteNumber("windows", windows.Count);
        json.WriteNumber("longestWaitMs", Math.Round(Longest(w => w.LongestWait.Ms), 1));
        json.WriteNumber("longestBehindMs", Longest(w => w.LongestBehindMs));
        json.WriteNumber("struck", Sum(w => w.Struck));
        json.WriteNumber("noticesMissing", Sum(w => w.Check.NoticesMissing));
        json.WriteNumber("strays", Sum(w => w.Check.Strays));
        json.WriteNumber("unasked", Sum(w => w.Check.Unasked));
        json.WriteNumber("digestsWrong", Sum(w => w.Check.DigestsWrong));
        json.WriteNumber("tailsCut", Sum(w => w.Check.TailsCut));
        json.WriteNumber("rowsExcused", Sum(w => w.Check.RowsExcused));
        json.WriteNumber("rowsStale", Sum(w => w.Check.RowsStale));
        json.WriteNumber("ignored", Sum(w => w.Ignored));
        json.WriteNumber("clientErrors", Sum(w => w.ClientErrors));
        json.WriteStartArray("faults");
        foreach (var window in windows)
            foreach (var fault in window.Faults) json.WriteStringValue(fault);
        json.WriteEndArray();
        json.WriteBoolean("clean", Clean);
    }

    private List<double> FeltMs()
    {
        var felt = new List<double>();
        foreach (var window in windows) felt.AddRange(window.FeltMs);
        felt.Sort();
        return felt;
    }

    private double Seconds()
    {
        double seconds = 0;
        foreach (var window in windows) seconds += window.Seconds;
        return seconds;
    }

    private long Sum(Func<WindowResult, long> figure)
    {
        long sum = 0;
        foreach (var window in windows) sum += figure(window);
        return sum;
    }

    private double Longest(Func<WindowResult, double> time)
    {
        double longest = 0;
        foreach (var window in windows) longest = Math.Max(longest, time(window));
        return longest;
    }

    // Windows overlap in users and rooms: their sum would count people twice.
    private int Most(Func<WindowResult, int> figure)
    {
        var most = 0;
        foreach (var window in windows) most = Math.Max(most, figure(window));
        return most;
    }
}
