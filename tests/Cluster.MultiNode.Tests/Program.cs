using ActorCluster.MultiNode.Tests.Nemesis;
using Xunit.Runner.InProc.SystemConsole;

// The tests, and beside them the nemesis by hand: it needs the same nodes, and a test runs it as anybody does.
return args is ["nemesis", .. var rest] ? await NemesisCommand.RunAsync(rest) : await ConsoleRunner.Run(args);
