using System.Globalization;
using System.Text;
using ActorCluster.Entities;

namespace ActorCluster.Sample;

/// <summary>A singleton that acts outside the store: ten times a second it adds a line with its term and its node's incarnation to a file, or to a pipe that somebody reads.</summary>
/// <remarks>Off unless the setting <see cref="Key"/> names the file. It shows the gate at work: whatever becomes of nodes and networks, terms in the file never fall.</remarks>
internal sealed class Beacon : Entity
{
    public const string Key = "Sample:Beacon";
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(200);

    private string _path = "";
    private byte[] _line = [];

    protected override ValueTask ActivateAsync()
    {
        _path = Context.Services.GetRequiredService<IConfiguration>()[Key]!;
        _line = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Context.Epoch.Value} {Context.Node.Value}\n"));
        Context.SetTimer("beat", Every, this);
        return ValueTask.CompletedTask;
    }

    protected override ValueTask ReceiveAsync(object message)
    {
        Context.SetTimer("beat", Every, this);
        if (!Context.TryBeginEffect(Limit, out var effect)) return ValueTask.CompletedTask; // Not now: the lease is near its end, or this node has been left alone.
        using (effect)
        using (var file = new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0)) file.Write(_line);
        return ValueTask.CompletedTask;
    }
}
