using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Persistence;

namespace ActorCluster.Sql.Operations;

/// <summary>One file of acknowledged rows, as far as it could be read.</summary>
/// <param name="Path">Full path.</param>
/// <param name="Header">Null where it has none that can be read, or another store's or one of its present generation; then nothing of the file is taken.</param>
/// <param name="Read">Rows that were read and whose check values fit.</param>
/// <param name="IsPassedOver">It is of an earlier generation than the newest file: what it held was decided with an earlier recovery.</param>
/// <param name="Faults">What was left out, and why, at most <see cref="AckedFiles.FaultsMax"/> sentences.</param>
internal sealed record AckedFile(string Path, AckedHeader? Header, int Read, bool IsPassedOver, ImmutableArray<string> Faults);

/// <summary>What nodes wrote of acknowledged rows when their store had forgotten some (protocol 4.6), read from all of their files.</summary>
/// <param name="Generation">The store's when the rows were written; 0 where no file can be used.</param>
/// <param name="Files">Each file, in the order read.</param>
/// <param name="Rows">Every row once, by epoch and place in its shard.</param>
/// <param name="Contested">Entities of which two files have different rows of one number, and the first such number.</param>
internal sealed record AckedFiles(long Generation, ImmutableArray<AckedFile> Files, ImmutableArray<LostRow> Rows, ImmutableSortedDictionary<string, long> Contested)
{
    public const int FaultsMax = 10;

    /// <summary>All files together: they are held in memory.</summary>
    public const long BytesMax = 1L << 30;

    /// <summary>The files that are named, and those in the folders that are, however deep.</summary>
    /// <exception cref="IOException">One does not exist.</exception>
    public static ImmutableArray<string> Find(IEnumerable<string> places)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var place in places.Select(Path.GetFullPath))
        {
            if (Directory.Exists(place)) found.UnionWith(Directory.EnumerateFiles(place, "acked-*.jsonl", SearchOption.AllDirectories));
            else if (File.Exists(place)) found.Add(place);
            else throw new FileNotFoundException($"{place} does not exist.");
        }
        return [.. found];
    }

    /// <param name="paths">The files.</param>
    /// <param name="cluster">The store's cluster row: files of another cluster, or of its present generation, are left out.</param>
    /// <exception cref="IOException">A file cannot be read, or all are too large together.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read.</exception>
    public static AckedFiles Read(IReadOnlyList<string> paths, ClusterRow cluster)
    {
        if (paths.Sum(p => new FileInfo(p).Length) is > BytesMax and var bytes)
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"The files have {bytes} bytes together; give at most {BytesMax}: leave out those of earlier generations, which are passed over."));
        var files = paths.Select(p => ReadFile(p, cluster)).ToArray();
        var generation = files.Select(f => f.File.Header?.Generation ?? 0).DefaultIfEmpty(0).Max();
        var (rows, contested) = (new Dictionary<(string, long), LostRow>(), ImmutableSortedDictionary.CreateBuilder<string, long>(StringComparer.Ordinal));
        for (var i = 0; i < files.Length; i++)
        {
            if (files[i].File.Header is not { } header) continue;
            if (header.Generation < generation)
            {
                files[i].File = files[i].File with { IsPassedOver = true };
                continue;
            }
            foreach (var row in files[i].Rows)
            {
                var place = (row.Row.Entity, row.Row.EntitySeq);
                if (rows.TryAdd(place, row) || (rows[place] is var other && other.Epoch == row.Epoch && other.Owner == row.Owner && ReappendRules.IsSame(other.Row, row.Row))) continue;
                contested[place.Entity] = Math.Min(place.EntitySeq, contested.GetValueOrDefault(place.Entity, long.MaxValue));
            }
        }
        var inOrder = rows.Values.OrderBy(r => r.Epoch).ThenBy(r => r.ShardSeq).ThenBy(r => r.Row.Entity, StringComparer.Ordinal).ThenBy(r => r.Row.EntitySeq);
        return new AckedFiles(generation, [.. files.Select(f => f.File)], [.. inOrder], contested.ToImmutable());
    }

    private static (AckedFile File, List<LostRow> Rows) ReadFile(string path, ClusterRow cluster)
    {
        var (rows, faults, number, header) = (new List<LostRow>(), new List<string>(), 0, default(AckedHeader));
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        foreach (var line in LinesOf(file))
        {
            number++;
            try
            {
                if (line.IsTooLong) throw new FormatException($"more than {AckedText.LineBytesMax} bytes");
                if (header is not null && !line.IsWhole) throw new FormatException("half a line, the last one");
                if (header is not null) rows.Add(AckedText.ReadRow(line.Text, header.Owner));
                else header = AckedText.ReadHeader(line.Text);
            }
            catch (FormatException cause)
            {
                Add($"line {number.ToString(CultureInfo.InvariantCulture)} is left out: {cause.Message}");
                if (header is null) break;
            }
        }
        if (header is null)
        {
            Add("it does not begin as a file of acknowledged rows of this release does; nothing of it is taken");
            return (new AckedFile(path, null, 0, false, [.. faults]), []);
        }
        if (header.Cluster != cluster.Uuid || header.Generation >= cluster.StoreGeneration)
        {
            Add(header.Cluster != cluster.Uuid
                ? $"it is of cluster {header.Cluster}, the store of {cluster.Uuid}; nothing of it is taken"
                : string.Create(CultureInfo.InvariantCulture, $"it is of generation {header.Generation}, and so is the store, or behind it (generation {cluster.StoreGeneration}): run actorcluster recover first; nothing of it is taken"));
            return (new AckedFile(path, null, 0, false, [.. faults]), []);
        }
        if (rows.Count != header.Rows) Add(string.Create(CultureInfo.InvariantCulture, $"{rows.Count} of {header.Rows} rows can be read"));
        return (new AckedFile(path, header, rows.Count, false, [.. faults]), rows);

        void Add(string fault)
        {
            if (faults.Count < FaultsMax) faults.Add(fault);
        }
    }

    /// <summary>Line by line, no line longer than may be: of a longer one nothing is kept.</summary>
    private static IEnumerable<(ReadOnlyMemory<byte> Text, bool IsWhole, bool IsTooLong)> LinesOf(Stream file)
    {
        var (buffer, length, tooLong) = (new byte[1 << 16], 0, false);
        while (true)
        {
            if (length == buffer.Length)
            {
                if (length >= AckedText.LineBytesMax) (length, tooLong) = (0, true);
                else Array.Resize(ref buffer, Math.Min(length * 2, AckedText.LineBytesMax));
            }
            var read = file.Read(buffer, length, buffer.Length - length);
            if (read == 0) break;
            var (from, scanned) = (0, length);
            length += read;
            while (Array.IndexOf(buffer, (byte)'\n', scanned, length - scanned) is >= 0 and var end)
            {
                yield return (buffer.AsMemory(from, end - from), true, tooLong);
                (from, scanned, tooLong) = (end + 1, end + 1, false);
            }
            buffer.AsSpan(from, length - from).CopyTo(buffer);
            length -= from;
        }
        if (length > 0 || tooLong) yield return (buffer.AsMemory(0, length), false, tooLong);
    }
}
