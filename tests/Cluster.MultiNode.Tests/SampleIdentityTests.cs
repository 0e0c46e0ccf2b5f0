using System.Net;
using Microsoft.AspNetCore.Http;

namespace ActorCluster.MultiNode.Tests;

/// <summary>Whom the sample takes a user to be: until there is sign-in, whoever is on the same machine says so.</summary>
public sealed class SampleIdentityTests
{
    [Theory]
    [InlineData("127.0.0.1", "ann", "ann")]
    [InlineData("::1", "ann", "ann")]
    [InlineData("::ffff:127.0.0.1", "ann", "ann")]
    [InlineData("10.0.0.1", "ann", null)]
    [InlineData("127.0.0.1", "", null)]
    public async Task The_query_is_believed_from_this_machine_only(string from, string user, string? believed)
    {
        var context = Request(from, user);
        var served = false;
        await SampleIdentity.FromQueryOnLoopback(context, _ =>
        {
            served = true;
            return Task.CompletedTask;
        });
        Assert.Equal((believed, true, 200), (context.User.Identity?.Name, served, context.Response.StatusCode));
    }

    [Theory]
    [InlineData("X-Forwarded-For")]
    [InlineData("x-forwarded-proto")]
    [InlineData("Forwarded")]
    public async Task A_proxy_on_this_machine_makes_nobody_a_user_of_this_machine(string header)
    {
        var context = Request("127.0.0.1", "ann");
        context.Request.Headers[header] = "for=10.0.0.1";
        context.Response.Body = new MemoryStream();
        await SampleIdentity.FromQueryOnLoopback(context, _ => throw new InvalidOperationException("It was served."));
        Assert.Equal((null, 403), (context.User.Identity?.Name, context.Response.StatusCode));
        context.Response.Body.Position = 0;
        Assert.StartsWith($"?user= is believed from this machine only, and this request came through a proxy (header {header}).", await new StreamReader(context.Response.Body).ReadToEndAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    private static DefaultHttpContext Request(string from, string user)
    {
        var context = new DefaultHttpContext();
        context.Connection.RemoteIpAddress = IPAddress.Parse(from);
        context.Request.QueryString = new QueryString($"?user={user}");
        return context;
    }
}
