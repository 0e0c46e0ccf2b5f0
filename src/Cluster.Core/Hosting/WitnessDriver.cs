using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using ActorCluster.Downing;
using ActorCluster.Persistence;

namespace ActorCluster.Hosting;

/// <summary>Asks witnesses.</summary>
/// <remarks>Thread-safe. Every question gets an answer within the limit, also where a name server or a dead share holds the caller up.</remarks>
internal sealed class WitnessDriver(IControlStore store, TimeSpan limit) : IDisposable
{
    // No proxy, no redirects, no cookies: the question is whether this very place answers this very node.
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false, PooledConnectionIdleTimeout = TimeSpan.FromSeconds(10) }) { Timeout = Timeout.InfiniteTimeSpan };
    private readonly ConcurrentDictionary<Witness, Task> _asked = new();

    /// <summary>Asks one witness. Never throws.</summary>
    /// <returns>Whether it answered, and what, in a few words.</returns>
    public async Task<(bool Ok, string Answer)> AskAsync(Witness witness)
    {
        // A share that is gone holds a thread for minutes; a second one would not bring it back.
        if (_asked.TryGetValue(witness, out var last) && !last.IsCompleted) return (false, "an earlier question still hangs");
        using var cancel = new CancellationTokenSource();
        var asked = Task.Factory.StartNew(() => OnceAsync(witness, cancel.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();
        _asked[witness] = asked;
        try
        {
            return await asked.WaitAsync(limit).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            await cancel.CancelAsync().ConfigureAwait(false);
            return (false, string.Create(CultureInfo.InvariantCulture, $"no answer within {limit.TotalSeconds} s"));
        }
        catch (Exception cause)
        {
            return (false, (cause.InnerException ?? cause).Message.ReplaceLineEndings(" "));
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<(bool Ok, string Answer)> OnceAsync(Witness witness, CancellationToken cancel)
    {
        switch (witness.Kind)
        {
            case WitnessKind.Url:
                using (var answer = await _http.GetAsync(witness.Place, HttpCompletionOption.ResponseHeadersRead, cancel).ConfigureAwait(false))
                {
                    var status = (int)answer.StatusCode;
                    return (status is >= 200 and < 500, string.Create(CultureInfo.InvariantCulture, $"status {status}"));
                }
            case WitnessKind.Tcp:
                using (var client = new TcpClient())
                {
                    await client.ConnectAsync(witness.Place!.Host, witness.Place.Port, cancel).ConfigureAwait(false);
                    return (true, "connected");
                }
            case WitnessKind.File:
                // Opened anew each time: that is what makes a share ask its server.
                using (var file = File.OpenRead(witness.Place!.LocalPath))
                {
                    _ = file.ReadByte();
                    return (true, "read");
                }
            case WitnessKind.Store:
                var row = await store.ReadClusterAsync().ConfigureAwait(false);
                return row.IsOk ? (true, string.Create(CultureInfo.InvariantCulture, $"view {row.Value!.Cluster.View}")) : (false, row.Reason ?? row.Verdict.ToString());
            default:
                throw new InvalidOperationException($"No way to ask {witness}.");
        }
    }
}
