using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace ActorCluster.MultiNode.Tests.Nodes;

/// <summary>A client that repeats nothing and shows each answer as it came; one command at a time.</summary>
internal sealed class RawClient : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private readonly ClientWebSocket _socket = new();
    private readonly byte[] _buffer = new byte[2 << 20];
    private readonly SampleNode _node;
    private long _id;

    private RawClient(SampleNode node) => _node = node;

    public static async Task<RawClient> ConnectAsync(SampleNode node, string user)
    {
        var client = new RawClient(node);
        using var limit = new CancellationTokenSource(Limit);
        await client._socket.ConnectAsync(new Uri($"ws://{node.Clients.Authority}/ws?user={user}"), limit.Token);
        await client.SendAsync("""{"op":"hello","v":1,"rooms":[]}""");
        Assert.Equal("welcome", (await client.ReceiveAsync()).GetProperty("op").GetString());
        return client;
    }

    /// <summary>Sends a command and returns the frame that answers it.</summary>
    public async Task<JsonElement> CommandAsync(string command, string room, string? text = null, bool orRefusal = false, string more = "")
    {
        var id = ++_id;
        await SendAsync($$"""{"op":"cmd","id":{{id}},"cmd":"{{command}}","room":"{{room}}"{{(text is null ? "" : $",\"text\":\"{text}\"")}}{{more}}}""");
        while (true)
        {
            var frame = await ReceiveAsync();
            var op = frame.GetProperty("op").GetString();
            if (op is "bye" or "goaway") Assert.Fail($"{_node.Name} sent the client away instead of answering '{command}': {frame}");
            if (op is not ("ok" or "err") || frame.GetProperty("id").GetInt64() != id) continue;
            if (op == "err" && !orRefusal) Assert.Fail($"{_node.Name} refused '{command}': {frame}. {await _node.DescribeAsync()}");
            return frame;
        }
    }

    public async Task<long> SayAsync(string room, string text) => (await CommandAsync("say", room, text)).GetProperty("seq").GetInt64();

    /// <summary>The texts behind a sequence; null where an item is no message.</summary>
    public async Task<List<string?>> HistoryAsync(string room, long after) =>
        [.. (await CommandAsync("history", room, more: $",\"after\":{after},\"limit\":500")).GetProperty("items").EnumerateArray().Select(i => i.TryGetProperty("text", out var text) ? text.GetString() : null)];

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task SendAsync(string frame)
    {
        using var limit = new CancellationTokenSource(Limit);
        await _socket.SendAsync(Encoding.UTF8.GetBytes(frame), WebSocketMessageType.Text, true, limit.Token);
    }

    private async Task<JsonElement> ReceiveAsync()
    {
        using var limit = new CancellationTokenSource(Limit);
        var length = 0;
        try
        {
            while (true)
            {
                var part = await _socket.ReceiveAsync(_buffer.AsMemory(length), limit.Token);
                length += part.Count;
                if (part.MessageType == WebSocketMessageType.Close) throw new WebSocketException($"{_node.Name} closed the connection: {_socket.CloseStatusDescription}");
                if (part.EndOfMessage) break;
            }
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"{_node.Name} was silent for {Limit.TotalSeconds} s where an answer was expected.");
        }
        using var frame = JsonDocument.Parse(_buffer.AsMemory(0, length));
        return frame.RootElement.Clone();
    }
}
