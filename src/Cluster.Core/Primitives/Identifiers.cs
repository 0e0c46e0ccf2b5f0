using System.Globalization;

namespace ActorCluster.Primitives;

/// <summary>One life of a node: a growing number that the store gives at start. A verdict on one never touches the next.</summary>
public readonly record struct Incarnation(long Value) : IComparable<Incarnation>
{
    /// <summary>Older (smaller) first.</summary>
    public int CompareTo(Incarnation other) => Value.CompareTo(other.Value);

    /// <inheritdoc />
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"#{Value}");

    /// <summary>Older than.</summary>
    public static bool operator <(Incarnation left, Incarnation right) => left.Value < right.Value;

    /// <summary>Younger than.</summary>
    public static bool operator >(Incarnation left, Incarnation right) => left.Value > right.Value;

    /// <summary>Not younger than.</summary>
    public static bool operator <=(Incarnation left, Incarnation right) => left.Value <= right.Value;

    /// <summary>Not older than.</summary>
    public static bool operator >=(Incarnation left, Incarnation right) => left.Value >= right.Value;
}

/// <summary>The fencing token's growing part: raised by one at each change of a shard's owner, 0 before the first.</summary>
public readonly record struct Epoch(long Value) : IComparable<Epoch>
{
    /// <summary>Earlier owner first.</summary>
    public int CompareTo(Epoch other) => Value.CompareTo(other.Value);

    /// <inheritdoc />
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Earlier than.</summary>
    public static bool operator <(Epoch left, Epoch right) => left.Value < right.Value;

    /// <summary>Later than.</summary>
    public static bool operator >(Epoch left, Epoch right) => left.Value > right.Value;

    /// <summary>Not later than.</summary>
    public static bool operator <=(Epoch left, Epoch right) => left.Value <= right.Value;

    /// <summary>Not earlier than.</summary>
    public static bool operator >=(Epoch left, Epoch right) => left.Value >= right.Value;
}

/// <summary>The store's key of a shard row, 1 upwards; the same shard has the same number on every node and for ever.</summary>
public readonly record struct ShardNo(long Value) : IComparable<ShardNo>
{
    /// <summary>By number.</summary>
    public int CompareTo(ShardNo other) => Value.CompareTo(other.Value);

    /// <inheritdoc />
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>An entity's address: its type and its id within the type.</summary>
/// <param name="Type">Registered name of the type, 1 to 64 characters of a-z, 0-9, '-' and '.'.</param>
/// <param name="Id">Case-sensitive, 1 to 255 UTF-8 bytes; compared byte by byte, never normalised.</param>
public readonly record struct EntityId(string Type, string Id)
{
    /// <summary>The key under which the store keeps the entity: <c>type/id</c>.</summary>
    public string StoreKey => $"{Type}/{Id}";

    /// <summary>Refuses an id that two stores or two nodes might read differently.</summary>
    /// <exception cref="ArgumentException">The id is empty, longer than 255 UTF-8 bytes, or no valid UTF-16 (half of a surrogate pair).</exception>
    public void Check()
    {
        if (Id.Length is > 0 and <= 255 && System.Text.Ascii.IsValid(Id)) return;
        int bytes;
        try
        {
            bytes = Strict.GetByteCount(Id);
        }
        catch (System.Text.EncoderFallbackException cause)
        {
            throw new ArgumentException($"Entity id '{Id}' holds half of a surrogate pair; give valid Unicode.", cause);
        }
        if (bytes is < 1 or > 255) throw new ArgumentException($"Entity id '{Id}' has {bytes} UTF-8 bytes; give 1 to 255.");
    }

    private static readonly System.Text.UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <inheritdoc />
    public override string ToString() => StoreKey;
}

/// <summary>Identity of a client across reconnects: 128 random bits, issued by a gateway and bound to one user.</summary>
public readonly record struct ClientId(UInt128 Value) : IComparable<ClientId>
{
    /// <summary>By number, so that loops over clients have one order.</summary>
    public int CompareTo(ClientId other) => Value.CompareTo(other.Value);

    /// <summary>32 lower-case hexadecimal digits.</summary>
    public override string ToString() => Value.ToString("x32", CultureInfo.InvariantCulture);

    /// <summary>Reads what <see cref="ToString"/> wrote; false for anything else.</summary>
    public static bool TryParse(string? text, out ClientId id)
    {
        id = default;
        if (text is not { Length: 32 } || !UInt128.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            return false;
        id = new ClientId(value);
        return true;
    }
}

/// <summary>A command that takes effect at most once, however often it is sent.</summary>
/// <param name="Client">Who sent it.</param>
/// <param name="Sequence">The client's own number, 1 upwards, never used for another command.</param>
public readonly record struct CommandId(ClientId Client, long Sequence)
{
    /// <inheritdoc />
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Client}:{Sequence}");
}
