using System.Threading.Tasks.Sources;
using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>An ask for a reply of one type.</summary>
internal sealed class Ask<TReply> : Ask, IValueTaskSource<TReply>
{
    private ManualResetValueTaskSourceCore<TReply> _promise; // Continuations run on the resumer's stack: whoever resumes has nothing else to do.
    private TReply? _reply;

    private Ask(AskClock clock)
        : base(clock)
    {
    }

    /// <summary>A free one, of this node's clock.</summary>
    public static Ask<TReply> Rent(AskClock clock)
    {
        while (AskPool<TReply>.TryRent(out var ask))
        {
            if (!ask.BelongsTo(clock)) ask.Discard(); // Of another node of this process.
            else if (ask.TryClaim()) return ask;
        }
        var made = new Ask<TReply>(clock);
        return made.TryClaim() ? made : throw new System.Diagnostics.UnreachableException("An ask was given up before it was used.");
    }

    /// <summary>Begins anew; the answer may be awaited once.</summary>
    public ValueTask<TReply> Start(EntityId target, object message, CommandId? command, CancellationToken cancel)
    {
        var promise = new ValueTask<TReply>(this, _promise.Version);
        Begin(target, message, command, cancel);
        return promise;
    }

    /// <summary>As the other overload, without a box around a value.</summary>
    public bool TryAnswerInTurn(TReply reply)
    {
        if (!TryEndForGood()) return false;
        _reply = reply;
        return true;
    }

    public override void Resume()
    {
        if (Fault is { } fault) _promise.SetException(fault);
        else _promise.SetResult(_reply!);
    }

    protected override void Take(object reply)
    {
        if (reply is TReply expected) _reply = expected;
        else Mistyped(reply, typeof(TReply));
    }

    TReply IValueTaskSource<TReply>.GetResult(short token)
    {
        var status = _promise.GetStatus(token);
        if (status == ValueTaskSourceStatus.Pending) return _promise.GetResult(token); // Throws: whoever does not await waits for ever, and the ask goes on.
        if (status != ValueTaskSourceStatus.Succeeded)
        {
            try { return _promise.GetResult(token); }
            finally { if (TryFree()) Discard(); } // What failed is not used again.
        }
        var reply = _promise.GetResult(token);
        if (TryFree())
        {
            _reply = default;
            _promise.Reset();
            AskPool<TReply>.Return(this);
        }
        return reply;
    }

    ValueTaskSourceStatus IValueTaskSource<TReply>.GetStatus(short token) => _promise.GetStatus(token);

    void IValueTaskSource<TReply>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _promise.OnCompleted(continuation, state, token, flags);
}

/// <summary>Free asks: a few with each thread, the rest shared.</summary>
internal static class AskPool<TReply>
{
    private const int OfThread = 64;
    private const int Moved = 32;
    private const int Shared = 4_096;

    private static readonly Lock Gate = new();
    private static readonly Stack<Ask<TReply>> Rest = new();

    [ThreadStatic]
    private static Stack<Ask<TReply>>? _own;

    public static bool TryRent(out Ask<TReply> ask)
    {
        var own = _own ??= new Stack<Ask<TReply>>(OfThread);
        if (own.TryPop(out ask!)) return true;
        lock (Gate)
        {
            for (var i = 0; i < Moved && Rest.TryPop(out var shared); i++) own.Push(shared);
        }
        return own.TryPop(out ask!);
    }

    public static void Return(Ask<TReply> ask)
    {
        var own = _own ??= new Stack<Ask<TReply>>(OfThread);
        if (own.Count >= OfThread)
        {
            lock (Gate)
            {
                for (var i = 0; i < Moved && Rest.Count < Shared; i++) Rest.Push(own.Pop());
            }
        }
        if (own.Count >= OfThread) ask.Discard();
        else own.Push(ask);
    }
}
