using ActorCluster.Links;

namespace ActorCluster.Tests.Links;

public class FrameBufferTests
{
    [Fact]
    public void Frames_come_out_as_they_went_in_however_the_bytes_are_cut()
    {
        for (var seed = 0; seed < 50; seed++)
        {
            var random = new Random(seed);
            var frames = Enumerable.Range(0, 40).Select(_ => RandomBytes(random, random.Next(10) == 0 ? random.Next(100_000) : random.Next(50))).ToList();
            var queue = new SendQueue(hardLimit: int.MaxValue);
            foreach (var frame in frames) Assert.True(queue.TryAppend(LinkChannel.Data, 7, frame));
            var buffer = new FrameBuffer(frameBytesMax: 128 * 1024);
            var seen = new List<byte[]>();
            while (queue.Next() is { Count: > 0 } next)
            {
                var free = buffer.Free();
                var count = Math.Min(random.Next(1, 9_000), Math.Min(next.Count, free.Length));
                next.AsSpan(0, count).CopyTo(free);
                buffer.Filled(count);
                queue.Sent(count);
                while (buffer.TryPeek(out var type, out var payload))
                {
                    Assert.Equal(7, type);
                    seen.Add(payload.ToArray());
                    buffer.Skip();
                }
            }
            Assert.Equal(frames, seen);
        }
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(4097u)]
    [InlineData(0x8000_0000u)]
    [InlineData(uint.MaxValue)]
    public void A_length_outside_the_limit_is_found_before_its_bytes_are_awaited(uint length)
    {
        var buffer = new FrameBuffer(frameBytesMax: 4096);
        BitConverter.TryWriteBytes(buffer.Free(), length);
        buffer.Filled(4);
        Assert.False(buffer.TryPeek(out _, out _));
        Assert.Equal(length, buffer.BadLength);
    }

    [Fact]
    public void Random_bytes_never_give_a_frame_beyond_the_limit()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var buffer = new FrameBuffer(frameBytesMax: 5000);
            for (var i = 0; i < 50 && buffer.BadLength is null; i++)
            {
                var free = buffer.Free();
                Assert.InRange(free.Length, 1, 5004);
                var count = random.Next(1, free.Length + 1);
                random.NextBytes(free[..count]);
                if (count > 3 && i == 0) free[2] = free[3] = 0; // Let some lengths be small enough.
                buffer.Filled(count);
                while (buffer.TryPeek(out _, out var payload))
                {
                    Assert.InRange(payload.Length, 0, 4999);
                    buffer.Skip();
                }
            }
        }
    }

    [Fact]
    public void Control_leaves_before_data_that_came_earlier()
    {
        var queue = new SendQueue(hardLimit: 1_000_000);
        queue.TryAppend(LinkChannel.Data, 1, new byte[10]);
        queue.TryAppend(LinkChannel.Control, 2, new byte[10]);
        Assert.Equal(2, queue.Next()[FrameFormat.LengthBytes]);
        queue.Sent(queue.Next().Count);
        Assert.Equal(1, queue.Next()[FrameFormat.LengthBytes]);
    }

    private static byte[] RandomBytes(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }
}
