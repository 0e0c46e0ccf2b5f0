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
    /// <remarks>The application must call <c>UseWebSockets</c> before. A request that is no WebSocket gets 400.</remarks>
    public static IEndpointConventionBuilder MapClusterGateway(this IEndpointRouteBuilder endpoints, string pattern)
    {
        var gateway = endpoints.ServiceProvider.GetRequiredService<ClusterGateway>();
        return endpoints.MapGet(pattern, async context =>
        {
            if (!context.WebSockets.IsWebSocketRequest)
            {
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                await context.Response.WriteAsync("This is a WebSocket endpoint; see docs/client-protocol.md.\n").ConfigureAwait(false);
                return;
            }
            using var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext
            {
                KeepAliveInterval = GatewayLimits.PingEvery,
                KeepAliveTimeout = GatewayLimits.SilenceAfterPing,
            }).ConfigureAwait(false);
            await gateway.ServeAsync(socket, context.User.Identity?.Name).ConfigureAwait(false);
        });
    }

    /// <summary>Maps <c>/health/live</c> (200 while the process answers) and <c>/health/ready</c> (200 while clients may be sent here, else 503 with the reason).</summary>
    public static void MapClusterHealth(this IEndpointRouteBuilder endpoints)
    {
        var node = endpoints.ServiceProvider.GetRequiredService<ClusterNode>();
        endpoints.MapGet("/health/live", () => Results.Json(new HealthReport(200, "live"), StatusJson.Default.HealthReport));
        endpoints.MapGet("/health/ready", () => node.IsReady
            ? Results.Json(new HealthReport(200, "ready"), StatusJson.Default.HealthReport)
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
