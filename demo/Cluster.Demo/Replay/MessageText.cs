using System.Globalization;

namespace ActorCluster.Demo.Replay;

/// <summary>Makes the texts that are said.</summary>
internal static class MessageText
{
    private const string Filler = " – „naïve“ café, Ελλάς, 北京: the quick brown fox jumps over the lazy dog & says <\"hi\\there\">.";

    /// <summary>A text of exactly <paramref name="length"/> characters that begins with its number, as far as the length allows.</summary>
    /// <remarks>Short texts cannot be unique: who compares texts must know room and sequence as well.</remarks>
    public static string Of(long number, int length) => string.Create(length, number, static (text, number) =>
    {
        var digits = number.ToString(CultureInfo.InvariantCulture);
        if (digits.Length >= text.Length)
        {
            digits.AsSpan(digits.Length - text.Length).CopyTo(text); // The last digits differ most.
            return;
        }
        digits.CopyTo(text);
        for (var i = digits.Length; i < text.Length; i++) text[i] = Filler[(i - digits.Length) % Filler.Length];
    });
}
