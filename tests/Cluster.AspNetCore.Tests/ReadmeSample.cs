using ActorCluster.AspNetCore;
using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.Sql;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Readme;

/// <summary>The README's server, as it stands there.</summary>
internal static class ReadmeSample
{
    /// <summary>Runs it until it is stopped; <paramref name="built"/> is what a test does before it starts.</summary>
    public static void Run(string[] args, Action<WebApplication> built)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.Services.AddAuthentication().AddCookie(); // Your sign-in: the gateway takes the user from HttpContext.User.
        builder.Services.AddClusterGateway();
        builder.Services.AddActorCluster(cluster => cluster
            .WithNode("camserver1", link: "127.0.0.1:8091", clients: "http://camserver1:8080")
            .WithHosts("camserver1", "camserver2")
            .WithSqlite("cluster.db")
            .WithPresence().WithChatRooms()
            .WithEntity<Counter>("counter", m => m.Add<Increment>("increment.v1")));

        var app = builder.Build();
        app.UseAuthentication();
        app.UseWebSockets();
        app.MapClusterGateway("/ws");
        app.MapClusterHealth();
        app.MapClusterStatus();
        app.MapPost("/count/{by:int}", (IActorCluster cluster, int by) => cluster.Entity<Counter>("c-17").AskAsync(new Increment(by)));
        built(app);
        app.Run();
    }
}

public sealed record Increment(int By) : IRequest<int>;

public sealed class Counter : Entity
{
    private int _total;

    protected internal override ValueTask ReceiveAsync(object message)
    {
        if (message is Increment increment) Context.Reply(_total += increment.By);
        return ValueTask.CompletedTask;
    }
}
