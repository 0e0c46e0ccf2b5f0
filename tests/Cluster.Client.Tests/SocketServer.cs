using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Client.Tests;

/// <summary>A node on a real port whose other side is the test: it accepts connections and hands them over.</summary>
internal sealed class SocketServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Channel<ServerSide> _accepted = Channel.CreateUnbounded<ServerSide>();

    private SocketServer(string name)
    {
        Name = name;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.UseWebSockets();
        _app.Map("/ws", AcceptAsync);
    }

    public string Name { get; }

    public Uri Address => new(_app.Urls.Single());

    public static async Task<SocketServer> StartAsync(string name)
    {
        var server = new SocketServer(name);
        await server._app.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    /// <summary>The next connection, before its hello is read.</summary>
    public ValueTask<ServerSide> AcceptedAsync() => _accepted.Reader.ReadAsync(TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AcceptAsync(HttpContext context)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var side = new ServerSide(this, socket, context.Request.Query["user"].ToString());
        await _accepted.Writer.WriteAsync(side);
        await side.Over;
    }
}

/// <summary>The server's end of one connection.</summary>
internal sealed class ServerSide(SocketServer server, WebSocket socket, string user)
{
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string User { get; } = user;

    public Task Over => _over.Task;

    public async Task<JsonObject> ReadAsync()
    {
        var buffer = new byte[1 << 16];
        var got = await socket.ReceiveAsync(buffer, TestContext.Current.CancellationToken);
        return JsonNode.Parse(buffer.AsSpan(0, got.Count))!.AsObject();
    }

    public Task SendAsync(string frame) =>
        socket.SendAsync(Encoding.UTF8.GetBytes(frame), WebSocketMessageType.Text, true, TestContext.Current.CancellationToken);

    /// <summary>Reads the hello and answers it.</summary>
    public async Task<JsonObject> WelcomeAsync(params SocketServer[] hosts)
    {
        var hello = await ReadAsync();
        var list = string.Join(',', hosts.Select(h => $$"""{"name":"{{h.Name}}","url":"{{h.Address}}"}"""));
        var resumed = hello["token"] is null ? "false" : "true";
        await SendAsync($$"""{"op":"welcome","v":1,"client":"c1","token":"t1","resumed":{{resumed}},"node":"{{server.Name}}","hosts":[{{list}}]}""");
        return hello;
    }

    /// <summary>As a process that is killed: no good-bye.</summary>
    public void Drop()
    {
        socket.Abort();
        _over.TrySetResult();
    }
}
