using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace ActorCluster.AspNetCore.Tests;

/// <summary>A socket without manners: sends any text, shows every frame.</summary>
internal sealed class RawClient : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly ClientWebSocket _socket = new();

    public WebSocketState State => _socket.State;

    public JsonObject? Welcome { get; private set; }

    public string Token => (string)Welcome!["token"]!;

    public static async Task<RawClient> OpenAsync(Uri host, string? user)
    {
        var client = new RawClient();
        var query = user is null ? "" : $"?user={Uri.EscapeDataString(user)}";
        await client._socket.ConnectAsync(new Uri($"ws://{host.Authority}/ws{query}"), CancellationToken.None).WaitAsync(Limit);
        return client;
    }

    /// <summary>Connected and welcomed.</summary>
    public static async Task<RawClient> GreetAsync(Uri host, string user, string hello = """{"op":"hello","v":1}""")
    {
        var client = await OpenAsync(host, user);
        await client.SendAsync(hello);
        client.Welcome = await client.NextAsync("welcome");
        return client;
    }

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    public Task SendAsync(byte[] bytes) =>
        _socket.SendAsync(bytes, WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None).WaitAsync(Limit);

    /// <summary>The next frame; null when the server closes or the connection is gone.</summary>
    public async Task<JsonObject?> NextAsync()
    {
        using var text = new MemoryStream();
        var buffer = new byte[16 * 1024];
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            while (true)
            {
                var received = await _socket.ReceiveAsync(buffer.AsMemory(), limit.Token);
                if (received.MessageType == WebSocketMessageType.Close) return null;
                text.Write(buffer, 0, received.Count);
                if (received.EndOfMessage) return JsonNode.Parse(text.ToArray())!.AsObject();
            }
        }
        catch (WebSocketException)
        {
            return null;
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"Expected a frame or the close within {Limit.TotalSeconds} s; found silence.");
        }
    }

    /// <summary>The next frame, which must have this op.</summary>
    public async Task<JsonObject> NextAsync(string op)
    {
        var frame = await NextAsync();
        Assert.True(frame is not null, $"Expected a frame with op {op}; found the end of the connection.");
        Assert.True((string?)frame["op"] == op, $"Expected op {op}; found {frame.ToJsonString()}");
        return frame;
    }

    /// <summary>Sends a command and returns its answer; other frames that come before are passed over.</summary>
    public async Task<JsonObject> AskAsync(long id, string fields)
    {
        await SendAsync($"{{\"op\":\"cmd\",\"id\":{id},{fields}}}");
        while (true)
        {
            var frame = await NextAsync();
            Assert.True(frame is not null, $"Expected the answer of command {id}; found the end of the connection.");
            if ((string?)frame["op"] is "ok" or "err" && (long)frame["id"]! == id) return frame;
        }
    }

    /// <summary>Everything up to the end of the connection.</summary>
    public async Task<List<JsonObject>> RestAsync()
    {
        var frames = new List<JsonObject>();
        while (await NextAsync() is { } frame) frames.Add(frame);
        return frames;
    }

    public async ValueTask DisposeAsync()
    {
        if (_socket.State == WebSocketState.Open)
            await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _socket.Dispose();
    }
}
