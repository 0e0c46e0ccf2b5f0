using System.Text.Json.Serialization;
using ActorCluster.AspNetCore.Gateway;
using ActorCluster.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace ActorCluster.AspNetCore;

/// <summary>The gateway, health and status endpoints of a node.</summary>
public static class ClusterEndpoints
{
    /// <summary>Adds the gateway's services; call it beside <see cref="ActorClusterServices.AddActorCluster"/>.</summary>
    public static IServiceCollection AddClusterGateway(this IServiceCollection services)
    {
        services.AddSingleton<ClusterGateway>();
        services.AddSingleton<INodeParticipant>(provider => provider.GetRequiredService<ClusterGateway>());
        return services;
    }

    /// <summary>Maps the WebSocket endpoint of docs/client-protocol.md. The user is the name of <c>HttpContext.User</c>.</summary>
    /// <remarks>
    /// The application must call <c>UseWebSockets</c> before. A request that is no WebSocket gets 400, one from a web page of a foreign origin 403 (a browser
    /// sends the user's cookies along with it), one beyond <c>Cluster:Limits:Connections</c> 503; each with one line that says why.
    /// </remarks>
    public static IEndpointConventionBuilder MapClusterGateway(this IEndpointRouteBuilder endpoints, string pattern)
    {
        var gateway = endpoints.ServiceProvider.GetRequiredService<ClusterGateway>();
        return endpoints.MapGet(pattern, async context =>
        {
            var origin = context.Request.Headers.Origin.ToString();
            if (!context.WebSockets.IsWebSocketRequest)
                await RefuseAsync(context, StatusCodes.Status400BadRequest, "This is a WebSocket endpoint; see docs/client-protocol.md.").ConfigureAwait(false);
            else if (!gateway.MayConnectFrom(origin, context.Request.Host.Value ?? ""))
                await RefuseAsync(context, StatusCodes.Status403Forbidden, $"Pages of {origin} may not connect here; serve them from a node, or add their origin to Cluster:Origins.").ConfigureAwait(false);
            else if (!gateway.TryEnter())
                await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, $"Node {gateway.NodeName} has {gateway.ConnectionsMax} connections, as many as it takes (Cluster:Limits:Connections); try the next host.").ConfigureAwait(false);
            else
                await ServeAsync(gateway, context).ConfigureAwait(false);
        });
    }

    private static async Task ServeAsync(ClusterGateway gateway, HttpContext context)
    {
        try
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext
            {
                KeepAliveInterval = GatewayLimits.PingEvery,
                KeepAliveTimeout = GatewayLimits.SilenceAfterPing,
            }).ConfigureAwait(false);
            await gateway.ServeAsync(socket, context.User.Identity?.Name).ConfigureAwait(false);
        }
        finally
        {
            gateway.Leave();
        }
    }

    private static Task RefuseAsync(HttpContext context, int status, string reason)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(reason + "\n");
    }

    /// <summary>Maps <c>/health/live</c> (200 while the process answers) and <c>/health/ready</c> (200 while clients may be sent here, and whether the node is sick; else 503 with the reason).</summary>
    public static void MapClusterHealth(this IEndpointRouteBuilder endpoints)
    {
        var node = endpoints.ServiceProvider.GetRequiredService<ClusterNode>();
        endpoints.MapGet("/health/live", () => Results.Json(new HealthReport(200, "live"), StatusJson.Default.HealthReport));
        endpoints.MapGet("/health/ready", () => node.IsReady
            ? Results.Json(new HealthReport(200, node.ReadyReason), StatusJson.Default.HealthReport)
            : Results.Json(new HealthReport(503, node.WhyNotReady), StatusJson.Default.HealthReport, statusCode: 503));
    }

    /// <summary>Maps <c>GET /cluster/status</c>: members, modes, shards, the last decisions, why a join is blocked, why the last life ended.</summary>
    public static IEndpointConventionBuilder MapClusterStatus(this IEndpointRouteBuilder endpoints)
    {
        var node = endpoints.ServiceProvider.GetRequiredService<ClusterNode>();
        return endpoints.MapGet("/cluster/status", () => Results.Json(node.Status(), StatusJson.Default.ClusterStatus));
    }
}

internal sealed record HealthReport(int Status, string Reason);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(ClusterStatus))]
[JsonSerializable(typeof(HealthReport))]
internal sealed partial class StatusJson : JsonSerializerContext;
