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
    public void It_ends_with_the_first_code_when_the_host_has_not_stopped_in_time()
    {
        var end = Of(TimeSpan.FromMilliseconds(50));
        var thread = end.Arm(76);
        Assert.Null(end.Arm(75));
        Assert.True(thread!.Join(TimeSpan.FromSeconds(20)));
        Assert.Equal([76], _exits);
    }

    [Fact]
    public void A_host_that_stops_in_time_ends_the_process_itself()
    {
        var thread = Of(TimeSpan.FromMinutes(10)).Arm(75);
        _host.StopApplication();
        Assert.True(thread!.Join(TimeSpan.FromSeconds(20)));
        Assert.Empty(_exits);
    }

    [Fact]
    public void Without_a_limit_nobody_waits() => Assert.Null(Of(TimeSpan.Zero).Arm(75));

    private ProcessEnd Of(TimeSpan within) => new(_host, within, NullLogger.Instance, _exits.Add);

    private sealed class Lifetime : IHostApplicationLifetime, IDisposable
    {
        private readonly CancellationTokenSource _stopped = new();

        public CancellationToken ApplicationStarted => CancellationToken.None;

        public CancellationToken ApplicationStopping => _stopped.Token;

        public CancellationToken ApplicationStopped => _stopped.Token;

        public void StopApplication() => _stopped.Cancel();

        public void Dispose() => _stopped.Dispose();
    }
}
