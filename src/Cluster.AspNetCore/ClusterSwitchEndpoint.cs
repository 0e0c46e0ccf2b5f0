using System.Text.Json;
using System.Text.Json.Serialization;
using ActorCluster.Hosting;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace ActorCluster.AspNetCore;

/// <summary>The one route by which an operator changes something: the user switch of a singleton (protocol 6.2). Mapped only where the application asks for it.</summary>
public static class ClusterSwitchEndpoint
{
    private const int BodyBytesMax = 4_096;

    /// <summary>Each looks at the rows 20 times a second for up to 13 s, whether or not somebody still waits for the answer.</summary>
    private const int AtOnceMax = 16;

    /// <summary>What a hand-off that does not end takes until it is reverted.</summary>
    private const string RetryAfterSeconds = "10";

    /// <summary>
    /// Maps <c>POST /cluster/singletons/{name}/switch</c> with the body <c>{"to":"camserver2","term":7}</c>: moves a singleton, planned, and answers when it is
    /// there or it is certain why not (0.2 s as a rule, up to 13 s). The term is that of <c>singletons</c> in <c>/cluster/status</c>: it switches this term and no other, so a repeat does nothing.
    /// </summary>
    /// <param name="endpoints">The application.</param>
    /// <param name="policy">Name of the authorization policy that lets somebody switch; null: whoever is signed in, by the application's default policy. Without either the call throws; what is added to the returned builder is the application's own doing.</param>
    /// <returns>For further conventions, such as rate limits.</returns>
    /// <exception cref="InvalidOperationException">The application has no authorization: nobody could be let in, or everybody would be.</exception>
    /// <remarks>
    /// 200 <c>{"done":true,"term":8,"reason":""}</c>: it is there. 409 with the same members: it is not, and the reason says what to do; nothing was changed, or it was reverted. 404: this node has no singleton of that name.
    /// 503 with <c>Retry-After</c>: 16 others wait at this node; nothing was begun. 400: the body is not as above. 415: it is not <c>application/json</c>, which a foreign web page cannot send with its visitor's cookies. 401 and 403 are the application's own.
    /// </remarks>
    public static IEndpointConventionBuilder MapClusterSwitch(this IEndpointRouteBuilder endpoints, string? policy = null)
    {
        if (endpoints.ServiceProvider.GetService<IAuthorizationService>() is null)
            throw new InvalidOperationException("MapClusterSwitch changes the cluster, so it needs authorization: call services.AddAuthorization(...) and app.UseAuthorization(), and give MapClusterSwitch the policy of your operators.");
        var node = endpoints.ServiceProvider.GetRequiredService<ClusterNode>();
        var places = new SemaphoreSlim(AtOnceMax);
        var route = endpoints.MapPost("/cluster/singletons/{name}/switch", context => SwitchAsync(node, places, context));
        return policy is null ? route.RequireAuthorization() : route.RequireAuthorization(policy);
    }

    private static async Task SwitchAsync(ClusterNode node, SemaphoreSlim places, HttpContext context)
    {
        var name = (string)context.Request.RouteValues["name"]!;
        if (!context.Request.HasJsonContentType())
        {
            await AnswerAsync(context, StatusCodes.Status415UnsupportedMediaType, new SwitchResult(false, 0, "Send the body as application/json.")).ConfigureAwait(false);
            return;
        }
        if (await ReadAsync(context).ConfigureAwait(false) is not { To: { Length: > 0 } to, Term: { } term })
        {
            await AnswerAsync(context, StatusCodes.Status400BadRequest, new SwitchResult(false, 0, $"Send {{\"to\":\"NODE\",\"term\":N}}, {BodyBytesMax} bytes at most: the node that is to hold {name}, and its term in 'singletons' of /cluster/status.")).ConfigureAwait(false);
            return;
        }
        if (!node.HasSingleton(name))
        {
            await AnswerAsync(context, StatusCodes.Status404NotFound, new SwitchResult(false, 0, $"This node has no singleton '{name}'; 'singletons' of /cluster/status names those that it has.")).ConfigureAwait(false);
            return;
        }
        if (!places.Wait(0, CancellationToken.None))
        {
            context.Response.Headers.RetryAfter = RetryAfterSeconds;
            await AnswerAsync(context, StatusCodes.Status503ServiceUnavailable, new SwitchResult(false, 0, $"{AtOnceMax} switches wait at this node already; nothing was begun. Ask again in {RetryAfterSeconds} s, or another node.")).ConfigureAwait(false);
            return;
        }
        SwitchResult result;
        // Not ended with the request: whoever hangs up would leave a switch under way that nobody looks at.
        try { result = await node.SwitchAsync(name, to, term, CancellationToken.None).ConfigureAwait(false); }
        finally { places.Release(); }
        await AnswerAsync(context, result.Done ? StatusCodes.Status200OK : StatusCodes.Status409Conflict, result).ConfigureAwait(false);
    }

    /// <summary>Null when it is no such object, or too long.</summary>
    private static async Task<SwitchOrder?> ReadAsync(HttpContext context)
    {
        var body = new byte[BodyBytesMax + 1];
        var length = await context.Request.Body.ReadAtLeastAsync(body, body.Length, throwOnEndOfStream: false, context.RequestAborted).ConfigureAwait(false);
        if (length > BodyBytesMax) return null;
        try { return JsonSerializer.Deserialize(body.AsSpan(0, length), SwitchJson.Default.SwitchOrder); }
        catch (JsonException) { return null; }
    }

    private static Task AnswerAsync(HttpContext context, int status, SwitchResult result) =>
        Results.Json(result, SwitchJson.Default.SwitchResult, statusCode: status).ExecuteAsync(context);
}

internal sealed record SwitchOrder(string? To, long? Term);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(SwitchOrder))]
[JsonSerializable(typeof(SwitchResult))]
internal sealed partial class SwitchJson : JsonSerializerContext;
