using Microsoft.Extensions.Options;

namespace ActorCluster.Hosting;

/// <summary>The options of this node; where they cannot be, the defaults and what is wrong: the node is made all the same, and refuses to start in words.</summary>
internal sealed class ClusterSettings
{
    public ClusterSettings(IOptions<ClusterOptions> configured)
    {
        try
        {
            Options = configured.Value;
        }
        catch (OptionsValidationException wrong)
        {
            (Options, Faults) = (new ClusterOptions(), string.Join(' ', wrong.Failures));
        }
    }

    public ClusterOptions Options { get; }

    /// <summary>All faults in one line, empty for none.</summary>
    public string Faults { get; } = "";
}
