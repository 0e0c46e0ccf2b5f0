using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ActorCluster.Entities;

/// <summary>A message that is answered by a <typeparamref name="TReply"/>.</summary>
public interface IRequest<TReply>;

/// <summary>A message that changes nothing: answered from committed state, without a journal row.</summary>
public interface IReadRequest;

/// <summary>Bytes of a message type.</summary>
/// <remarks>Thread-safe. A decoder must reject what it does not understand by an exception; it hurts only the sender.</remarks>
public interface IMessageCodec
{
    /// <summary>Writes a message.</summary>
    void Encode(object message, IBufferWriter<byte> into);

    /// <summary>Reads what <see cref="Encode"/> of this or an earlier version wrote.</summary>
    object Decode(ReadOnlySpan<byte> bytes);
}

/// <summary>System.Text.Json with a source-generated contract: the default codec of users' messages.</summary>
public sealed class JsonMessageCodec<T>(JsonTypeInfo<T> contract) : IMessageCodec
{
    private static readonly ArrayBufferWriter<byte> Nowhere = new();

    [ThreadStatic]
    private static Utf8JsonWriter? _writer;

    /// <inheritdoc />
    public void Encode(object message, IBufferWriter<byte> into)
    {
        var writer = _writer;
        if (writer is null) writer = new Utf8JsonWriter(into);
        else writer.Reset(into);
        _writer = null; // A converter of the message's may encode another one meanwhile.
        JsonSerializer.Serialize(writer, (T)message, contract);
        writer.Flush();
        writer.Reset(Nowhere);
        _writer = writer;
    }

    /// <inheritdoc />
    public object Decode(ReadOnlySpan<byte> bytes) =>
        JsonSerializer.Deserialize(bytes, contract) ?? throw new JsonException($"A {typeof(T).Name} may not be null.");
}

/// <summary>A message type as registered: its stable name and its codecs.</summary>
internal sealed record MessageType(string Name, Type Type, IMessageCodec Codec, IMessageCodec? ReplyCodec);

/// <summary>The messages that an entity type takes, by stable name.</summary>
/// <remarks>Filled at start, read-only afterwards.</remarks>
public sealed class MessageCatalog
{
    private readonly Dictionary<string, MessageType> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<Type, MessageType> _byType = [];

    /// <summary>Registers a message with a source-generated JSON contract.</summary>
    /// <param name="name">Stable name with its version, for example <c>increment.v1</c>: what other nodes and releases know it by.</param>
    /// <param name="contract">Contract of the message.</param>
    /// <exception cref="ArgumentException">The message is a request: its reply needs a contract too. Or the name or type is registered already.</exception>
    public MessageCatalog Add<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.Interfaces)] T>(string name, JsonTypeInfo<T> contract)
    {
        if (ReplyOf(typeof(T)) is { } reply) throw new ArgumentException($"{typeof(T).Name} is answered by a {reply.Name}; give the contract of the reply too.", nameof(contract));
        return Add(typeof(T), name, new JsonMessageCodec<T>(contract), null);
    }

    /// <summary>Registers a request and its reply with source-generated JSON contracts.</summary>
    /// <exception cref="ArgumentException">The name or the type is registered already, or the name is not 1 to 64 characters long.</exception>
    public MessageCatalog Add<T, TReply>(string name, JsonTypeInfo<T> contract, JsonTypeInfo<TReply> reply)
        where T : IRequest<TReply> => Add(typeof(T), name, new JsonMessageCodec<T>(contract), new JsonMessageCodec<TReply>(reply));

    /// <summary>Registers a message by its type alone; contracts come from the application's default serializer options.</summary>
    /// <exception cref="InvalidOperationException">Reflection is switched off and no contract is known: give one.</exception>
    [RequiresUnreferencedCode("Contracts are found by reflection; use the overloads with JsonTypeInfo in trimmed applications.")]
    [RequiresDynamicCode("Contracts are found by reflection; use the overloads with JsonTypeInfo in trimmed applications.")]
    public MessageCatalog Add<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.Interfaces)] T>(string name)
    {
        return Add(typeof(T), name, ReflectedCodec(typeof(T), name), ReplyOf(typeof(T)) is { } reply ? ReflectedCodec(reply, name) : null);
    }

    /// <summary>Registers a message with codecs of its own.</summary>
    /// <exception cref="ArgumentException">The name or the type is registered already, or the name is not 1 to 64 characters long.</exception>
    public MessageCatalog Add(Type type, string name, IMessageCodec codec, IMessageCodec? replyCodec)
    {
        if (name.Length is < 1 or > 64) throw new ArgumentException($"Message name '{name}' has {name.Length} characters; give 1 to 64.", nameof(name));
        var entry = new MessageType(name, type, codec, replyCodec);
        if (!_byName.TryAdd(name, entry)) throw new ArgumentException($"Message name '{name}' is registered for {_byName[name].Type.Name} already; give each message its own.", nameof(name));
        if (!_byType.TryAdd(type, entry)) throw new ArgumentException($"{type.Name} is registered as '{_byType[type].Name}' already.", nameof(type));
        return this;
    }

    internal MessageType? Find(string name) => _byName.GetValueOrDefault(name);

    internal MessageType? Find(ReadOnlySpan<char> name) => _byName.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out var found) ? found : null;

    internal MessageType? Find(Type type) => _byType.GetValueOrDefault(type);

    private static Type? ReplyOf([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.Interfaces)] Type message) =>
        message.GetInterfaces().FirstOrDefault(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IRequest<>))?.GetGenericArguments()[0];

    [RequiresUnreferencedCode("Reflection.")]
    [RequiresDynamicCode("Reflection.")]
    private static IMessageCodec ReflectedCodec(Type type, string name)
    {
        try
        {
            var contract = JsonSerializerOptions.Default.GetTypeInfo(type);
            return (IMessageCodec)Activator.CreateInstance(typeof(JsonMessageCodec<>).MakeGenericType(type), contract)!;
        }
        catch (Exception cause) when (cause is NotSupportedException or InvalidOperationException)
        {
            throw new InvalidOperationException($"Message '{name}': no JSON contract for {type.Name} ({cause.Message}). Register it with the JsonTypeInfo of your JsonSerializerContext.", cause);
        }
    }
}
