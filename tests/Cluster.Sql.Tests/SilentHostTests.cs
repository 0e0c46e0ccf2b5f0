using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using ActorCluster.Persistence;
using ActorCluster.Tests.Shared;

namespace ActorCluster.Sql.Tests;

/// <summary>Nothing runs beside these: a host is given up after a second, and on a busy machine the one that answers may need longer.</summary>
[CollectionDefinition(nameof(SilentHostTests), DisableParallelization = true)]
[Collection(nameof(SilentHostTests))]
public class SilentHostTests(PostgresServer server)
{
    private static readonly StoreSeed Seed = new("digest");

    [Fact]
    public async Task Hosts_that_are_silent_for_longer_than_a_call_are_passed_over_by_the_next_call()
    {
        using var first = new TcpListener(IPAddress.Loopback, 0);
        using var second = new TcpListener(IPAddress.Loopback, 0);
        first.Start();
        second.Start();
        await using var store = server.Store(
            PostgresServer.NewSchema(), callTimeout: TimeSpan.FromSeconds(1.5),
            more: $"Host=127.0.0.1:{((IPEndPoint)first.LocalEndpoint).Port},127.0.0.1:{((IPEndPoint)second.LocalEndpoint).Port},{server.Host}");
        Assert.True(await OpensAsync(store), "The third host is reached.");
    }

    [Fact]
    public async Task A_host_that_is_silent_is_passed_over()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0); // Takes connections and says nothing.
        silent.Start();
        await using var store = server.Store(
            PostgresServer.NewSchema(), callTimeout: TimeSpan.FromSeconds(5), more: $"Host=127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port},{server.Host}");
        Assert.True(await OpensAsync(store), "The second host is reached.");
    }

    // An opening that takes longer than a call goes on, and the next call finds it: as a node that starts does, ask again.
    private static async Task<bool> OpensAsync(PostgresStore store)
    {
        for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(30);)
            if (await store.OpenAsync(Seed, CancellationToken.None) is { IsOk: true }) return true;
        return false;
    }
}
