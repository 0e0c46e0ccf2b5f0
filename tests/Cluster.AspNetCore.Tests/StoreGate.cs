using System.Collections.Immutable;
using System.Reflection;
using ActorCluster.Persistence;

namespace ActorCluster.AspNetCore.Tests;

/// <summary>A store whose journal can be made to wait.</summary>
internal sealed class StoreGate
{
    private volatile TaskCompletionSource? _closed;

    public IClusterStore Wrap(IClusterStore store)
    {
        var wrapped = DispatchProxy.Create<IClusterStore, Proxy>();
        ((Proxy)(object)wrapped).Set(store, this);
        return wrapped;
    }

    public void Close() => _closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Open()
    {
        var closed = _closed;
        _closed = null;
        closed?.SetResult();
    }

    private async ValueTask<StoreResult<ImmutableArray<AppendOutcome>>> AppendAsync(IClusterStore store, IReadOnlyList<ShardBatch> batches)
    {
        if (_closed is { } closed) await closed.Task;
        return await store.AppendAsync(batches);
    }

    public class Proxy : DispatchProxy
    {
        private IClusterStore? _store;
        private StoreGate? _gate;

        internal void Set(IClusterStore store, StoreGate gate) => (_store, _gate) = (store, gate);

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod!.Name == nameof(IJournalStore.AppendAsync)
            ? _gate!.AppendAsync(_store!, (IReadOnlyList<ShardBatch>)args![0]!)
            : targetMethod.Invoke(_store, args);
    }
}
