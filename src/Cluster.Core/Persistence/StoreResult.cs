namespace ActorCluster.Persistence;

/// <summary>How a store call ended.</summary>
public enum StoreVerdict
{
    /// <summary>Committed, or read.</summary>
    Ok,

    /// <summary>The state that the call was based on has changed; nothing was written. Read again and decide again.</summary>
    Conflict,

    /// <summary>The caller no longer owns what it writes to, or is down; nothing was written.</summary>
    Fenced,

    /// <summary>The call never reached the store; nothing was written. Repeating it is safe.</summary>
    NotSent,

    /// <summary>The call was sent and its answer was lost: written or not. It must be resolved before anything rests on it.</summary>
    InDoubt,
}

/// <summary>A store call's verdict, its value when <see cref="StoreVerdict.Ok"/>, else the reason in words.</summary>
public readonly record struct StoreResult<T>(StoreVerdict Verdict, T? Value = default, string? Reason = null)
{
    /// <summary>True when the call committed or read.</summary>
    public bool IsOk => Verdict == StoreVerdict.Ok;

    /// <inheritdoc />
    public override string ToString() => IsOk ? $"Ok({Value})" : $"{Verdict}: {Reason}";
}

/// <summary>Builds store results without spelling the type.</summary>
public static class StoreResult
{
    /// <summary>The call committed or read <paramref name="value"/>.</summary>
    public static StoreResult<T> Ok<T>(T value) => new(StoreVerdict.Ok, value);

    /// <summary>The call ended otherwise.</summary>
    public static StoreResult<T> Not<T>(StoreVerdict verdict, string reason) => new(verdict, default, reason);
}
