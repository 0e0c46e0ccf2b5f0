using System.Collections.Concurrent;
using System.Reflection;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.TestKit;
using ActorCluster.Tests.Entities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Tests.Hosting;

/// <summary>A start that waits for something that passes says why once, and goes on when it has passed.</summary>
public sealed class WaitingStartTests : IDisposable
{
    private const string Reason = "sorry, too many clients already (53300).";

    private readonly string _data = Directory.CreateTempSubdirectory("actorcluster-").FullName;
    private readonly Lines _lines = new();

    public void Dispose()
    {
        _lines.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task A_store_that_refuses_is_told_in_one_line_however_often_it_is_asked()
    {
        var store = DispatchProxy.Create<IClusterStore, RefusesFirst>();
        ((RefusesFirst)store).Left = 4;
        using var host = Build(store, _data);
        await host.StartAsync();
        var node = host.Services.GetRequiredService<IActorCluster>();
        await Waiting.Until(() => node.Mode == NodeMode.Serving, () => $"the node serves, it is {node.Mode}: {node.Status().StoreFault}");
        Assert.Equal(0, ((RefusesFirst)store).Left);
        Assert.Equal([$"The start waits: {Reason}"], _lines.Said.Where(l => l.Contains(Reason, StringComparison.Ordinal)));
        Assert.Null(node.Status().StoreFault);
        await host.StopAsync();
    }

    private IHost Build(IClusterStore store, string data)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders().AddProvider(_lines);
        builder.Services.AddActorCluster(cluster => cluster
            .WithNode("n1", link: "127.0.0.1:0", clients: "")
            .WithStore((_, _) => store)
            .Configure(options => (options.Data, options.Secret) = (data, "a secret of this test")));
        return builder.Build();
    }

    /// <summary>A store that is as any other, after it has refused to be opened a few times.</summary>
    internal class RefusesFirst : DispatchProxy
    {
        private readonly ModelStore _store = new();

        public int Left { get; set; }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            if (targetMethod!.Name != nameof(IClusterStore.OpenAsync) || Left == 0) return targetMethod.Invoke(_store, args);
            Left--;
            return new ValueTask<StoreResult<ClusterRow>>(StoreResult.Not<ClusterRow>(StoreVerdict.NotSent, Reason));
        }
    }

    private sealed class Lines : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Said { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel)) Said.Enqueue(formatter(state, exception));
        }

        public void Dispose()
        {
        }
    }
}
