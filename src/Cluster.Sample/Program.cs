using System.Net;
using System.Security.Claims;
using ActorCluster.AspNetCore;
using ActorCluster.Hosting;
using ActorCluster.Primitives;
using ActorCluster.Sample;
using ActorCluster.Sql;
using Microsoft.Extensions.Options;

// The server an operator runs: one node of the cluster, its gateway, and a small chat page.
// Pages are found beside the program, wherever it is started from; data is made where it is started.
var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, WebRootPath = Path.Combine(AppContext.BaseDirectory, "wwwroot") });
builder.Logging.AddSimpleConsole(console =>
{
    console.SingleLine = true;
    console.TimestampFormat = "HH:mm:ss.fff ";
    console.UseUtcTimestamp = true;
});
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical); // A start that fails is told below, in one line.
if (builder.Configuration["urls"] is null && builder.Configuration["http_ports"] is null) builder.WebHost.UseUrls("http://localhost:8080");

var data = builder.Configuration["Cluster:Data"] ?? "data";
builder.Services.AddClusterGateway();
builder.Services.AddActorCluster(cluster => Beside(cluster, builder.Configuration)
    .WithSqlite(string.IsNullOrEmpty(builder.Configuration["Cluster:Store:Postgres"]) ? Path.Combine(data, "cluster.db") : null)
    .Configure(options =>
    {
        options.Data = data;
        options.Node.Name = "node1";
        options.Node.Clients = "http://localhost:8080";
        options.Node.ExitWithin = TimeSpan.FromSeconds(10);
        options.Secret = SampleSecret.In(data, builder.Configuration["Cluster:Secret"]);
    })
    .WithPresence()
    .WithChatRooms());

try
{
    var app = builder.Build();
    _ = app.Services.GetRequiredService<IOptions<ClusterOptions>>().Value; // What is wrong with it is told before anything listens.
    app.UseDefaultFiles();
    app.UseStaticFiles();
    app.UseWebSockets();
    app.Use(SampleIdentity.FromQueryOnLoopback);
    app.MapClusterGateway("/ws");
    app.MapClusterHealth();
    app.MapClusterStatus();
    await app.RunAsync();
}
catch (OptionsValidationException wrong)
{
    foreach (var fault in wrong.Failures) Console.Error.WriteLine(fault);
    Environment.ExitCode = ExitCodes.Refused;
}
catch (ClusterStartException refused)
{
    Console.Error.WriteLine(refused.Message);
    Environment.ExitCode = refused.ExitCode;
}
catch (IOException taken)
{
    Console.Error.WriteLine($"The node cannot listen for clients: {taken.Message.TrimEnd('.')}. Give --urls another address, or stop what listens there.");
    Environment.ExitCode = ExitCodes.Refused;
}
return Environment.ExitCode;

static ActorClusterBuilder Beside(ActorClusterBuilder cluster, IConfiguration configuration) =>
    configuration[Beacon.Key] is { Length: > 0 } ? cluster.WithSingleton<Beacon>("beacon", static _ => { }) : cluster;

/// <summary>Who the user is, until there is sign-in: the query says so, and only a request from this machine is believed.</summary>
internal static class SampleIdentity
{
    public static Task FromQueryOnLoopback(HttpContext context, RequestDelegate next)
    {
        if (context.Request.Query["user"].ToString() is not { Length: > 0 } user || context.Connection.RemoteIpAddress is not { } from || !IPAddress.IsLoopback(from)) return next(context);
        // A proxy on this machine would make everybody a user of this machine.
        if (context.Request.Headers.Keys.FirstOrDefault(IsOfAProxy) is { } header)
        {
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            return context.Response.WriteAsync($"?user= is believed from this machine only, and this request came through a proxy (header {header}). Connect without the proxy, or put sign-in in its place.\n");
        }
        context.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, user)], "query"));
        return next(context);
    }

    private static bool IsOfAProxy(string header) =>
        header.StartsWith("X-Forwarded-", StringComparison.OrdinalIgnoreCase) || header.Equals("Forwarded", StringComparison.OrdinalIgnoreCase);
}

/// <summary>The secret of nodes that share one data folder, made at the first start, readable by its owner alone.</summary>
internal static class SampleSecret
{
    public static string In(string data, string? configured)
    {
        if (!string.IsNullOrEmpty(configured)) return configured;
        if (string.IsNullOrWhiteSpace(data)) return Guid.NewGuid().ToString("n"); // Never used: a node without a data folder is refused, with a line for that alone.
        var path = Path.Combine(data, "secret");
        for (var said = false; ; Thread.Sleep(500))
        {
            try
            {
                Directory.CreateDirectory(data);
                if (!File.Exists(path)) Make(path);
                return File.ReadAllText(path);
            }
            catch (IOException full) when (DiskRoom.IsMissing(full))
            {
                // As the node waits for room, later on.
                if (!said) Console.Error.WriteLine($"The start waits: {path} cannot be written, the disk is full. Free some space.");
                said = true;
            }
            catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
            {
                throw new ClusterStartException(ExitCodes.Refused, $"Cluster:Data is '{data}', but {path} cannot be written or read: {cause.Message} Give this process write access to the folder, or name another one.");
            }
        }
    }

    private static void Make(string path)
    {
        // Written beside and moved whole: a second node of the folder, started at the same time, must not read half of it.
        var own = $"{path}.{Environment.ProcessId}";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            using var file = new StreamWriter(own, options);
            file.Write(Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32)));
        }
        catch (IOException)
        {
            File.Delete(own);
            throw;
        }
        try { File.Move(own, path, overwrite: false); }
        catch (IOException) when (File.Exists(path)) { File.Delete(own); } // The other one was first.
    }
}
