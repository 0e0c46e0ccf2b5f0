using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>Suspicion of one silent channel, from the rhythm of its past arrivals.</summary>
/// <remarks>Accrual detector (Hayashibara et al. 2004) with the logistic approximation of the normal tail that Akka uses; protocol 2.3.
/// Not thread-safe.</remarks>
internal sealed class PhiAccrual(ProtocolTimes times)
{
    private const int WindowLength = 200;

    private readonly double[] _intervals = new double[WindowLength];
    private int _count;
    private int _next;
    private double _sum;
    private double _sumOfSquares;
    private TimeSpan? _last;

    /// <summary>True once something arrived since the last <see cref="Forget"/>.</summary>
    public bool HasHeard => _last is not null;

    public void Arrived(TimeSpan now)
    {
        if (_last is { } last && now > last) Add((now - last).TotalMilliseconds);
        _last = now;
    }

    /// <summary>The channel broke: nothing is heard until the next arrival. The rhythm is kept.</summary>
    public void Forget() => _last = null;

    /// <summary>The own process stood still for this long: nobody is to blame for that silence.</summary>
    public void Excuse(TimeSpan pause)
    {
        if (_last is { } last) _last = last + pause;
    }

    /// <summary>0 is no suspicion; 8 is one error in a hundred million.</summary>
    public double Phi(TimeSpan now, double patience)
    {
        if (_last is not { } last) return double.PositiveInfinity;
        var mean = _count == 0 ? times.Heartbeat.TotalMilliseconds : _sum / _count;
        var variance = _count == 0 ? 0 : Math.Max(0, (_sumOfSquares / _count) - (mean * mean));
        var deviation = Math.Max(Math.Sqrt(variance), times.DeviationMin.TotalMilliseconds);
        var y = (((now - last).TotalMilliseconds / patience) - (mean + times.Pause.TotalMilliseconds)) / deviation;
        var e = Math.Exp(-y * (1.5976 + (0.070566 * y * y)));
        return double.IsPositiveInfinity(e) ? 0 : -Math.Log10(e / (1 + e)); // So early that the quotient would be no number, and a peer just heard would count as silent.
    }

    private void Add(double interval)
    {
        // One long gap (a cut that healed) must not make the detector patient for the next 200 beats.
        interval = Math.Min(interval, (times.Heartbeat + times.Pause).TotalMilliseconds);
        if (_count == WindowLength)
        {
            var old = _intervals[_next];
            _sum -= old;
            _sumOfSquares -= old * old;
        }
        else
        {
            _count++;
        }
        _intervals[_next] = interval;
        _next = (_next + 1) % WindowLength;
        _sum += interval;
        _sumOfSquares += interval * interval;
    }
}
