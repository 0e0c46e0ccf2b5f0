using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Cli;

/// <summary>The table of verbs: finds the one that was named, or says in one line what is wrong and returns 64.</summary>
internal sealed class CommandLine(IReadOnlyList<Verb> verbs)
{
    public async Task<int> RunAsync(string[] words, TextWriter output, TextWriter error, CancellationToken stopping)
    {
        try
        {
            if (words.Length == 0) throw new UsageException("name a verb; see: actorcluster --help.");
            if (words[0] is "--help" or "-h" or "help")
            {
                await output.WriteAsync(Help()).ConfigureAwait(false);
                return 0;
            }
            var verb = verbs.FirstOrDefault(v => v.Name == words[0])
                ?? throw new UsageException($"there is no verb '{words[0]}'; see: actorcluster --help.");
            if (words.Skip(1).TakeWhile(w => w != "--").Any(w => w is "--help" or "-h"))
            {
                await output.WriteAsync(Help(verb)).ConfigureAwait(false);
                return 0;
            }
            return await verb.RunAsync(VerbArguments.Parse(verb, words.AsSpan(1)), output, stopping).ConfigureAwait(false);
        }
        catch (Exception e) when (e is UsageException or StoreUnusableException)
        {
            await error.WriteLineAsync($"actorcluster: {e.Message}").ConfigureAwait(false);
            return ExitCodes.Refused;
        }
    }

    private string Help() =>
        "actorcluster VERB [OPTIONS]\n\n" + string.Concat(verbs.OrderBy(v => v.Name, StringComparer.Ordinal).Select(v => $"  {v.Name,-12} {v.Summary}\n"))
        + "\nactorcluster VERB --help lists the options of one.\n";

    private static string Help(Verb verb) =>
        $"actorcluster {string.Join(' ', [verb.Name, .. verb.Operands, .. verb.Options.Count > 0 ? ["[OPTIONS]"] : Array.Empty<string>()])}\n\n{verb.Summary}\n"
        + (verb.Options.Count > 0 ? "\n" : "")
        + string.Concat(verb.Options.Select(o => $"  {$"--{o.Name} {o.Value}",-24} {o.Summary}\n"));
}
