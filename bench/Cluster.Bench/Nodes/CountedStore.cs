using System.Reflection;
using ActorCluster.Persistence;

namespace ActorCluster.Bench.Nodes;

/// <summary>A store that is handed on to, with its appends counted.</summary>
internal class CountedStore : DispatchProxy
{
    private IClusterStore _store = null!;
    private long _appends;

    /// <summary>Calls of <see cref="IJournalStore.AppendAsync"/>; each is one commit as long as the node is alone on its store.</summary>
    public long Appends => Volatile.Read(ref _appends);

    public static (IClusterStore Store, CountedStore Count) Around(IClusterStore store)
    {
        var outer = Create<IClusterStore, CountedStore>();
        var counted = (CountedStore)(object)outer;
        counted._store = store;
        return (outer, counted);
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        if (targetMethod!.Name == nameof(IJournalStore.AppendAsync)) Interlocked.Increment(ref _appends);
        return targetMethod.Invoke(_store, BindingFlags.DoNotWrapExceptions, null, args, null);
    }
}
