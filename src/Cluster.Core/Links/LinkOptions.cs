namespace ActorCluster.Links;

/// <summary>How a transport links. Bound by the host from <c>Cluster:*</c>; checked by <see cref="Faults"/>.</summary>
internal sealed class LinkOptions
{
    /// <summary>The cluster secret, or two values while one is being rotated: nodes link when they share at least one.</summary>
    public IReadOnlyList<string> Secrets { get; set; } = [];

    /// <summary>
    /// Links prove who they are but are not encrypted. Needed where the bound address is not loopback, to say that the network
    /// between the nodes is trusted.
    /// </summary>
    public bool AllowPlaintext { get; set; }

    /// <summary>Largest frame, its type byte counted. Both ends need the same value.</summary>
    public int FrameBytesMax { get; set; } = 1024 * 1024;

    /// <summary>Unsent bytes of a channel above which <see cref="LinkTransport.WaitForRoomAsync"/> waits.</summary>
    public int SendBufferSoft { get; set; } = 192 * 1024;

    /// <summary>Unsent bytes of a channel above which frames are not accepted any more.</summary>
    public int SendBufferHard { get; set; } = 4 * 1024 * 1024;

    /// <summary>Limit of a connect, and of the handshake after it. At most 2 s, so that disposing keeps its own limit.</summary>
    public TimeSpan HandshakeTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Pause between dials of a dead channel, give or take a fifth. The first dial after a loss is at once.</summary>
    public TimeSpan RedialInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long sent bytes may stay unacknowledged before the connection counts as silent (Linux only).</summary>
    public TimeSpan UserTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Connections that have not proved the secret yet; further ones wait in the listen queue.</summary>
    public int UnauthenticatedMax { get; set; } = 64;

    /// <summary>Everything wrong with the values, one line each; empty when they can be used.</summary>
    public IReadOnlyList<string> Faults()
    {
        var faults = new List<string>();
        if (Secrets.Count is < 1 or > 2)
            faults.Add($"Cluster:Secret has {Secrets.Count} values; give one, or two while rotating.");
        if (Secrets.Any(string.IsNullOrWhiteSpace))
            faults.Add("Cluster:Secret has an empty value; give the same long random text on every node.");
        if (FrameBytesMax is < 4096 or > 64 * 1024 * 1024)
            faults.Add($"FrameBytesMax is {FrameBytesMax}; give 4,096 to 67,108,864.");
        if (SendBufferSoft < 1 || SendBufferSoft > SendBufferHard)
            faults.Add($"SendBufferSoft is {SendBufferSoft}; give 1 to SendBufferHard ({SendBufferHard}).");
        if (SendBufferHard < FrameBytesMax)
            faults.Add($"SendBufferHard is {SendBufferHard}; give at least FrameBytesMax ({FrameBytesMax}).");
        if (HandshakeTimeout < TimeSpan.FromMilliseconds(10) || HandshakeTimeout > TimeSpan.FromSeconds(2))
            faults.Add($"HandshakeTimeout is {HandshakeTimeout}; give 10 ms to 2 s.");
        if (RedialInterval < TimeSpan.FromMilliseconds(10))
            faults.Add($"RedialInterval is {RedialInterval}; give at least 10 ms.");
        if (UserTimeout < TimeSpan.FromMilliseconds(100))
            faults.Add($"UserTimeout is {UserTimeout}; give at least 100 ms.");
        if (UnauthenticatedMax < 1)
            faults.Add($"UnauthenticatedMax is {UnauthenticatedMax}; give at least 1.");
        return faults;
    }
}
