using System.Globalization;

namespace ActorCluster.Downing;

/// <summary>How a witness is asked.</summary>
internal enum WitnessKind
{
    /// <summary>GET; any status from 200 to 499 is an answer.</summary>
    Url,

    /// <summary>A TCP connection that opens.</summary>
    Tcp,

    /// <summary>A file on a share that opens and reads.</summary>
    File,

    /// <summary>A row of the cluster's store.</summary>
    Store,
}

/// <summary>Something outside the cluster: whoever reaches it was not the one that was cut off.</summary>
/// <param name="Kind">How it is asked.</param>
/// <param name="Place">Where; null for the store.</param>
/// <param name="Text">As configured.</param>
internal sealed record Witness(WitnessKind Kind, Uri? Place, string Text)
{
    /// <summary>Reads one witness; null where it is none of <c>http://host/</c>, <c>https://host/</c>, <c>tcp://host:port</c>, <c>file:///path</c> and <c>store</c>.
    /// A name and password in it are refused: it is shown on the status page.</summary>
    public static Witness? Parse(string text)
    {
        if (text == "store") return new Witness(WitnessKind.Store, null, text);
        if (!Uri.TryCreate(text, UriKind.Absolute, out var place) || place.UserInfo.Length > 0) return null;
        return place.Scheme switch
        {
            "http" or "https" when place.Host.Length > 0 => new Witness(WitnessKind.Url, place, text),
            "tcp" when place is { Host.Length: > 0, Port: > 0, PathAndQuery: "" or "/" } => new Witness(WitnessKind.Tcp, place, text),
            "file" when text.StartsWith("file://", StringComparison.Ordinal) && place.LocalPath.Length > 1 => new Witness(WitnessKind.File, place, text),
            _ => null,
        };
    }

    /// <summary>Equal for two that ask the same, however they are written.</summary>
    public string Asked => Kind switch
    {
        WitnessKind.Url => Place!.GetComponents(UriComponents.HttpRequestUrl, UriFormat.UriEscaped),
        WitnessKind.Tcp => string.Create(CultureInfo.InvariantCulture, $"tcp://{Place!.IdnHost.ToLowerInvariant()}:{Place.Port}"),
        WitnessKind.File => $"file://{Place!.Host}{Place.LocalPath}",
        _ => Text,
    };

    /// <inheritdoc />
    public override string ToString() => Text;
}

/// <summary>What a witness said last.</summary>
/// <param name="Witness">Who.</param>
/// <param name="IsFresh">It answered within the last four seconds.</param>
/// <param name="Answer">Its last answer, or why there was none; empty before the first.</param>
/// <param name="AskedAt">When that answer was asked for; null before the first.</param>
internal sealed record WitnessState(Witness Witness, bool IsFresh, string Answer, TimeSpan? AskedAt)
{
    public string Describe(TimeSpan now) => AskedAt is { } at ? string.Create(CultureInfo.InvariantCulture, $"{Witness}: {Answer}, {(now - at).TotalSeconds:F1} s ago") : $"{Witness}: not asked yet";
}
