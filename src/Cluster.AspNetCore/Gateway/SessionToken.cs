using System.Buffers.Binary;
using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using ActorCluster.Primitives;

namespace ActorCluster.AspNetCore.Gateway;

/// <summary>Proof that a client id belongs to a user: HMAC-SHA256 over user, client id and expiry, under a key derived from the cluster secret.</summary>
/// <remarks>Any node makes it and any node checks it; nothing is kept. While the secret is rotated, tokens of both secrets are good.</remarks>
internal sealed class SessionToken(ImmutableArray<string> secrets)
{
    /// <summary>How long a client may be away and still resume its session.</summary>
    public static readonly TimeSpan Resumable = TimeSpan.FromHours(1);

    /// <summary>Longer, since the newest token of a client that is connected may be as old as that.</summary>
    public static readonly TimeSpan Lifetime = Resumable + GatewayLimits.TokenEvery;

    private const byte Version = 1;
    private const int FixedBytes = 1 + 16 + 8;

    private readonly ImmutableArray<byte[]> _keys =
        [.. secrets.Select(s => HKDF.DeriveKey(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(s), 32, info: "actorcluster session token v1"u8.ToArray()))];

    public string Issue(string user, ClientId client, DateTimeOffset now)
    {
        var name = Encoding.UTF8.GetBytes(user);
        var token = new byte[FixedBytes + name.Length + 32];
        token[0] = Version;
        BinaryPrimitives.WriteUInt128BigEndian(token.AsSpan(1), client.Value);
        BinaryPrimitives.WriteInt64BigEndian(token.AsSpan(17), (now + Lifetime).ToUnixTimeMilliseconds());
        name.CopyTo(token, FixedBytes);
        HMACSHA256.HashData(_keys[0], token.AsSpan(0, token.Length - 32), token.AsSpan(token.Length - 32));
        return Base64Url.EncodeToString(token);
    }

    /// <summary>The client id that a token proves for a user, or null and why not.</summary>
    public ClientId? Check(string token, string user, DateTimeOffset now, out string reason)
    {
        reason = "";
        byte[] bytes;
        try { bytes = Base64Url.DecodeFromChars(token); }
        catch (FormatException) { bytes = []; }
        if (bytes.Length < FixedBytes + 32 || bytes[0] != Version || !_keys.Any(key => IsSigned(bytes, key)))
            reason = "The token was not issued by this cluster; connect again without a token.";
        else if (Encoding.UTF8.GetString(bytes.AsSpan(FixedBytes..^32)) != user)
            reason = $"The token was issued to another user than {user}; connect again without a token.";
        else if (BinaryPrimitives.ReadInt64BigEndian(bytes.AsSpan(17)) < now.ToUnixTimeMilliseconds())
            reason = "The session was away for more than an hour; connect again without a token.";
        else
            return new ClientId(BinaryPrimitives.ReadUInt128BigEndian(bytes.AsSpan(1)));
        return null;
    }

    private static bool IsSigned(byte[] token, byte[] key) =>
        CryptographicOperations.FixedTimeEquals(HMACSHA256.HashData(key, token.AsSpan(0, token.Length - 32)), token.AsSpan(token.Length - 32));
}
