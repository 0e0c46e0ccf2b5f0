using ActorCluster.Cli;
using ActorCluster.Cli.Verbs;

// One line a verb; everything else about it stands in its own file.
return await new CommandLine(
[
    new CheckVerb(),
    new ExplainVerb(),
    new MoveVerb(),
    new ReappendVerb(),
    new RecoverVerb(),
    new ReplayVerb(),
    new SettingsVerb(),
    new SimulateVerb(),
    new StatusVerb(),
    new VersionVerb(),
]).RunAsync(args, Console.Out, Console.Error, CancellationToken.None).ConfigureAwait(false);
