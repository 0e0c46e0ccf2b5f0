using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace ActorCluster.Hosting;

/// <summary>Adds a node of the cluster to a host.</summary>
public static class ActorClusterServices
{
    /// <summary>Adds the node: it joins when the host starts, and leaves in good order when the host stops.</summary>
    /// <remarks>A node that may not start, as with options that cannot be, logs one line that names the mend, sets the process's exit code (64 refused, 78 store mismatch) and stops the host.</remarks>
    /// <exception cref="InvalidOperationException">A node was added to this host before.</exception>
    public static IServiceCollection AddActorCluster(this IServiceCollection services, Action<ActorClusterBuilder> configure)
    {
        if (services.Any(s => s.ServiceType == typeof(ActorClusterBuilder))) throw new InvalidOperationException("AddActorCluster was called twice; one process is one node.");
        var builder = new ActorClusterBuilder(services);
        configure(builder);
        services.AddSingleton(builder);
        services.AddOptions<ClusterOptions>()
            .Configure(options => { foreach (var change in builder.Defaults) change(options); })
            .Configure<IConfiguration>((options, configuration) => ClusterOptionsBinder.Bind(options, configuration.GetSection(ClusterOptions.Section)));
        services.AddSingleton<IValidateOptions<ClusterOptions>, ClusterOptionsValidator>();
        services.AddSingleton<ClusterSettings>();
        services.AddSingleton<ClusterNode>();
        services.AddSingleton<IActorCluster>(provider => provider.GetRequiredService<ClusterNode>());
        services.AddHostedService(provider => provider.GetRequiredService<ClusterNode>());
        services.AddSingleton<ClusterMetrics>();
        services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(60)); // Handing everything off may take 30 s.
        return services;
    }
}
