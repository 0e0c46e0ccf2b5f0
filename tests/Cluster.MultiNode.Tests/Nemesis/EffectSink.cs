using System.Globalization;
using System.Text;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>The outer system on which the cluster's singleton acts: a pipe that all nodes write to, so that their acts are seen in the order in which they happened.</summary>
internal sealed class EffectSink : IAsyncDisposable
{
    private static readonly byte[] End = "end\n"u8.ToArray();
    private readonly FileStream _pipe;
    private readonly Task _reading;

    private EffectSink(string path)
    {
        Path = path;
        _pipe = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0); // For both: it never ends, however often nodes do.
        _reading = Task.Factory.StartNew(Read, TaskCreationOptions.LongRunning);
    }

    /// <summary>What nodes are to write to.</summary>
    public string Path { get; }

    /// <summary>What was seen; to be read after <see cref="DisposeAsync"/>.</summary>
    public EffectOrder Order { get; } = new();

    public static async Task<EffectSink> MakeAsync(string folder)
    {
        var path = System.IO.Path.Combine(folder, "effects");
        await Shell.RunAsync($"mkfifo {path}");
        return new EffectSink(path);
    }

    public async ValueTask DisposeAsync()
    {
        if (_reading.IsCompleted) return;
        await _pipe.WriteAsync(End);
        await _reading;
        await _pipe.DisposeAsync();
    }

    private void Read()
    {
        using var lines = new StreamReader(_pipe, Encoding.ASCII, detectEncodingFromByteOrderMarks: false, bufferSize: 4096, leaveOpen: true);
        while (lines.ReadLine() is { } line && line != "end")
        {
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            Order.Take(long.Parse(line.AsSpan(0, space), CultureInfo.InvariantCulture), long.Parse(line.AsSpan(space + 1), CultureInfo.InvariantCulture));
        }
    }
}

/// <summary>I8: after the first effect of a term none of an earlier one, and no term has two hosts.</summary>
internal sealed class EffectOrder
{
    private long _term;
    private long _host;

    public long Effects { get; private set; }

    public long Terms { get; private set; }

    public long Overlapping { get; private set; }

    /// <summary>The first that was out of order, in words.</summary>
    public string? Finding { get; private set; }

    public void Take(long term, long host)
    {
        Effects++;
        if (term > _term)
        {
            (_term, _host) = (term, host);
            Terms++;
        }
        else if (term < _term || host != _host)
        {
            Overlapping++;
            Finding ??= string.Create(CultureInfo.InvariantCulture, $"Effect {Effects} was of term {term} on #{host}, after one of term {_term} on #{_host}.");
        }
    }
}
