using System.Globalization;

namespace ActorCluster.Cli;

/// <summary>What the user gave a verb, checked against what the verb takes.</summary>
internal sealed class VerbArguments
{
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly List<string> _operands = [];

    public IReadOnlyList<string> Operands => _operands;

    public bool Has(string option) => _values.ContainsKey(option);

    public string? Text(string option) => _values.GetValueOrDefault(option);

    /// <summary>The option's whole number, <paramref name="otherwise"/> where it was not given.</summary>
    public int Number(string option, int otherwise, int min, int max)
    {
        if (Text(option) is not { } text) return otherwise;
        if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max) return number;
        throw new UsageException($"--{option} is '{text}'; give a whole number from {min} to {max}.");
    }

    /// <summary>Accepts <c>--name value</c>, <c>--name=value</c> and operands; <c>--</c> ends the options.</summary>
    public static VerbArguments Parse(Verb verb, ReadOnlySpan<string> words)
    {
        var result = new VerbArguments();
        var optionsEnded = false;
        for (var i = 0; i < words.Length; i++)
        {
            var word = words[i];
            if (word == "--" && !optionsEnded)
            {
                optionsEnded = true;
                continue;
            }
            if (optionsEnded || !word.StartsWith("--", StringComparison.Ordinal))
            {
                if (result._operands.Count == verb.OperandsMax) throw new UsageException($"{verb.Name} does not take '{word}'; see: actorcluster {verb.Name} --help.");
                result._operands.Add(word);
                continue;
            }
            var equals = word.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? word[2..] : word[2..equals];
            var option = verb.Options.FirstOrDefault(o => o.Name == name)
                ?? throw new UsageException($"{verb.Name} has no option --{name}; see: actorcluster {verb.Name} --help.");
            string value;
            if (option.Value is null) value = equals < 0 ? "" : throw new UsageException($"--{name} is a switch and takes no value.");
            else if (equals >= 0) value = word[(equals + 1)..];
            else if (i + 1 < words.Length) value = words[++i];
            else throw new UsageException($"--{name} needs a value: --{name} {option.Value}.");
            if (!result._values.TryAdd(name, value)) throw new UsageException($"--{name} is given twice; give it once.");
        }
        return result;
    }
}
