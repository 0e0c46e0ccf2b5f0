using System.Collections.Immutable;
using ActorCluster.Primitives;

namespace ActorCluster.Downing;

/// <summary>When each witness is to be asked, and whether enough of them answered lately (protocol 3.4).</summary>
/// <remarks>Not thread-safe. Ages count from when an answer was asked for, so a slow answer makes nothing look newer than it is.</remarks>
/// <param name="witnesses">Those there are; none: never fresh.</param>
/// <param name="quorum">How many of them must be fresh, 1 to their number.</param>
/// <param name="times">Period and age.</param>
internal sealed class WitnessBoard(ImmutableArray<Witness> witnesses, int quorum, ProtocolTimes times)
{
    private readonly Seen[] _seen = [.. witnesses.Select(w => new Seen(w))];

    /// <summary>Those to be asked now; each is asked again a period later, but not before it has answered.</summary>
    public ImmutableArray<Witness> Due(TimeSpan now)
    {
        if (_seen.Length == 0) return [];
        var due = ImmutableArray.CreateBuilder<Witness>();
        foreach (var seen in _seen)
        {
            if (seen.Asked is not null || now < seen.Next) continue;
            (seen.Asked, seen.Next) = (now, now + times.WitnessPeriod);
            due.Add(seen.Witness);
        }
        return due.DrainToImmutable();
    }

    /// <summary>An answer, or none in time. One that nobody asked for is ignored.</summary>
    public void Answered(Witness witness, bool ok, string answer)
    {
        if (Array.Find(_seen, s => s.Witness == witness) is not { Asked: { } asked } seen) return;
        (seen.Answer, seen.AnswerAsked, seen.Asked) = (answer, asked, null);
        if (ok) seen.OkAsked = asked;
    }

    /// <summary>As many witnesses as are needed are fresh.</summary>
    public bool IsFresh(TimeSpan now) => _seen.Length > 0 && _seen.Count(s => IsFresh(s, now)) >= quorum;

    public ImmutableArray<WitnessState> States(TimeSpan now) => [.. _seen.Select(s => new WitnessState(s.Witness, IsFresh(s, now), s.Answer, s.AnswerAsked))];

    private bool IsFresh(Seen seen, TimeSpan now) => seen.OkAsked is { } at && now - at <= times.WitnessFresh;

    private sealed class Seen(Witness witness)
    {
        public Witness Witness => witness;

        public TimeSpan Next { get; set; }

        public TimeSpan? Asked { get; set; }

        public TimeSpan? OkAsked { get; set; }

        public string Answer { get; set; } = "";

        public TimeSpan? AnswerAsked { get; set; }
    }
}
