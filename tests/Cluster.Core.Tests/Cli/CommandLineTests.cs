using ActorCluster.Cli;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Cli;

public class CommandLineTests
{
    [Theory]
    [InlineData("", "name a verb")]
    [InlineData("dance", "no verb 'dance'")]
    [InlineData("echo --loud", "no option --loud")]
    [InlineData("echo --times", "--times needs a value")]
    [InlineData("echo --times 0 word", "--times is '0'; give a whole number from 1 to 9.")]
    [InlineData("echo --times 2 --times 3", "given twice")]
    [InlineData("echo --shout=yes", "takes no value")]
    [InlineData("echo one two", "does not take 'two'")]
    public async Task What_there_is_not_is_refused_in_one_line_with_64(string line, string fault)
    {
        var (code, output, error) = await Run(line);
        Assert.Equal(ExitCodes.Refused, code);
        Assert.Empty(output);
        Assert.Contains(fault, error, StringComparison.Ordinal);
        Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Theory]
    [InlineData("echo word", "word")]
    [InlineData("echo --times=2 word", "word word")]
    [InlineData("echo word --times 2 --shout", "WORD WORD")]
    [InlineData("echo -- --word", "--word")]
    public async Task A_verb_gets_its_options_and_operands(string line, string said)
    {
        var (code, output, error) = await Run(line);
        Assert.Equal((0, said, ""), (code, output.TrimEnd(), error));
    }

    [Fact]
    public async Task Help_lists_the_verbs_and_the_options_of_one()
    {
        Assert.Contains("echo         Says it again.", (await Run("--help")).Output, StringComparison.Ordinal);
        Assert.Contains("--times N", (await Run("echo --help")).Output, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Error)> Run(string line)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await new CommandLine([new Echo()]).RunAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries), output, error, CancellationToken.None);
        return (code, output.ToString(), error.ToString());
    }

    private sealed class Echo : Verb
    {
        public override string Name => "echo";

        public override string Summary => "Says it again.";

        public override IReadOnlyList<VerbOption> Options => [new("times", "N", "How often."), new("shout", null, "Loudly.")];

        public override IReadOnlyList<string> Operands => ["WORD"];

        public override async Task<int> RunAsync(VerbArguments arguments, TextWriter output, CancellationToken stopping)
        {
            var word = arguments.Operands[0];
            await output.WriteAsync(string.Join(' ', Enumerable.Repeat(arguments.Has("shout") ? word.ToUpperInvariant() : word, arguments.Number("times", 1, 1, 9))));
            return 0;
        }
    }
}
