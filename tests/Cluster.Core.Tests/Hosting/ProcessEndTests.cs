using ActorCluster.Hosting;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace ActorCluster.Tests.Hosting;

/// <summary>A process whose host does not stop (protocol 3.6).</summary>
public sealed class ProcessEndTests : IDisposable
{
    private readonly Lifetime _host = new();
    private readonly List<int> _exits = [];

    public void Dispose() => _host.Dispose();

    [Fact]
    public void It_ends_with_the_latest_code_when_the_host_has_not_stopped_in_time()
    {
        var end = Of(TimeSpan.FromSeconds(0.5));
        var waits = end.Arm(76);
        Assert.Same(waits, end.Arm(70));
        Assert.True(waits!.Join(TimeSpan.FromSeconds(20)));
        Assert.Equal([70], _exits);
    }

    [Fact]
    public void A_host_that_stops_in_time_ends_the_process_itself()
    {
        var waits = Of(TimeSpan.FromMinutes(10)).Arm(75);
        _host.NotifyStopped();
        Assert.True(waits!.Join(TimeSpan.FromSeconds(20)));
        Assert.Empty(_exits);
    }

    [Fact]
    public void A_node_that_lives_again_is_left_alone_and_its_next_end_counts_anew()
    {
        var end = Of(TimeSpan.FromMinutes(10));
        var waits = end.Arm(75);
        end.Disarm();
        Assert.True(waits!.Join(TimeSpan.FromSeconds(20)));
        Assert.Empty(_exits);
        Assert.NotSame(waits, end.Arm(70));
        end.Disarm();
    }

    [Fact]
    public void Whoever_stops_the_host_waits_for_it_himself()
    {
        _host.StopApplication();
        Assert.Null(Of(TimeSpan.FromMilliseconds(50)).Arm(70));
    }

    [Fact]
    public void Without_a_limit_nobody_waits() => Assert.Null(Of(TimeSpan.Zero).Arm(75));

    private ProcessEnd Of(TimeSpan within) => new(_host, within, NullLogger.Instance, _exits.Add);

    private sealed class Lifetime : IHostApplicationLifetime, IDisposable
    {
        private readonly CancellationTokenSource _stopping = new();
        private readonly CancellationTokenSource _stopped = new();

        public CancellationToken ApplicationStarted => CancellationToken.None;

        public CancellationToken ApplicationStopping => _stopping.Token;

        public CancellationToken ApplicationStopped => _stopped.Token;

        public void StopApplication() => _stopping.Cancel();

        public void NotifyStopped() => _stopped.Cancel();

        public void Dispose()
        {
            _stopping.Dispose();
            _stopped.Dispose();
        }
    }
}
