using System.Collections.Immutable;
using System.Reflection;
using ActorCluster.Persistence;

namespace ActorCluster.AspNetCore.Tests;

/// <summary>A store whose journal can be made to wait, for writers or for readers, and to show other rows than it has.</summary>
internal sealed class StoreGate
{
    private static readonly MethodInfo NotSentOf = typeof(StoreGate).GetMethod(nameof(NotSent), BindingFlags.NonPublic | BindingFlags.Static)!;
    private volatile TaskCompletionSource? _closed;
    private volatile TaskCompletionSource? _readsClosed;

    /// <summary>What readers see of a row.</summary>
    public Func<JournalRow, JournalRow> Shown { get; set; } = row => row;

    /// <summary>No call reaches the store.</summary>
    public bool IsAway { get; set; }

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

    public void CloseToReaders() => _readsClosed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void OpenToReaders()
    {
        var closed = _readsClosed;
        _readsClosed = null;
        closed?.SetResult();
    }

    private async ValueTask<StoreResult<ImmutableArray<JournalRow>>> ReadAsync(IClusterStore store, string entity, long fromSeq, int limit)
    {
        if (_readsClosed is { } closed) await closed.Task;
        var rows = await store.ReadJournalAsync(entity, fromSeq, limit);
        return rows.IsOk ? StoreResult.Ok(rows.Value.Select(Shown).ToImmutableArray()) : rows;
    }

    private async ValueTask<StoreResult<ImmutableArray<AppendOutcome>>> AppendAsync(IClusterStore store, IReadOnlyList<ShardBatch> batches)
    {
        if (_closed is { } closed) await closed.Task;
        return await store.AppendAsync(batches);
    }

    private static ValueTask<StoreResult<T>> NotSent<T>() => new(StoreResult.Not<T>(StoreVerdict.NotSent, "The store is away."));

    public class Proxy : DispatchProxy
    {
        private IClusterStore? _store;
        private StoreGate? _gate;

        internal void Set(IClusterStore store, StoreGate gate) => (_store, _gate) = (store, gate);

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod!.Name switch
        {
            _ when _gate!.IsAway && ResultOf(targetMethod.ReturnType) is { } result => NotSentOf.MakeGenericMethod(result).Invoke(null, null),
            nameof(IJournalStore.AppendAsync) => _gate!.AppendAsync(_store!, (IReadOnlyList<ShardBatch>)args![0]!),
            nameof(IJournalStore.ReadJournalAsync) => _gate!.ReadAsync(_store!, (string)args![0]!, (long)args[1]!, (int)args[2]!),
            _ => targetMethod.Invoke(_store, args),
        };

        private static Type? ResultOf(Type returned) =>
            returned.IsGenericType && returned.GetGenericArguments()[0] is { IsGenericType: true } result && result.GetGenericTypeDefinition() == typeof(StoreResult<>) ? result.GetGenericArguments()[0] : null;
    }
}
