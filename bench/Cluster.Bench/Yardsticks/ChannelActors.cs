using System.Threading.Channels;
using System.Threading.Tasks.Sources;

namespace ActorCluster.Bench.Yardsticks;

/// <summary>What a careful hand makes of actors without an engine: a bounded channel and a reading loop for each, replies pooled per caller.</summary>
internal sealed class ChannelActors : IAsyncDisposable
{
    private const int Bound = 1_000;

    private readonly Channel<Question>[] _mailboxes;
    private readonly Task[] _loops;

    public ChannelActors(int actors)
    {
        _mailboxes = [.. Enumerable.Range(0, actors).Select(_ => Channel.CreateBounded<Question>(new BoundedChannelOptions(Bound) { SingleReader = true }))];
        _loops = [.. _mailboxes.Select(m => Task.Run(() => ReadAsync(m.Reader)))];
    }

    /// <summary>Asks an actor; <paramref name="question"/> is the caller's own and is used again for its next ask.</summary>
    public ValueTask<int> AskAsync(int actor, Question question)
    {
        var answer = question.Ask();
        return _mailboxes[actor].Writer.TryWrite(question) ? answer : WriteAsync(_mailboxes[actor].Writer, question, answer);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var mailbox in _mailboxes) mailbox.Writer.Complete();
        await Task.WhenAll(_loops).ConfigureAwait(false);
    }

    private static async ValueTask<int> WriteAsync(ChannelWriter<Question> mailbox, Question question, ValueTask<int> answer)
    {
        await mailbox.WriteAsync(question).ConfigureAwait(false);
        return await answer.ConfigureAwait(false);
    }

    private static async Task ReadAsync(ChannelReader<Question> mailbox)
    {
        var count = 0;
        while (await mailbox.WaitToReadAsync().ConfigureAwait(false))
            while (mailbox.TryRead(out var question))
                question.Reply(++count);
    }

    /// <summary>A question and the promise of its answer, used again and again by one caller.</summary>
    internal sealed class Question : IValueTaskSource<int>
    {
        private ManualResetValueTaskSourceCore<int> _answer = new() { RunContinuationsAsynchronously = true };

        public ValueTask<int> Ask()
        {
            _answer.Reset();
            return new ValueTask<int>(this, _answer.Version);
        }

        public void Reply(int answer) => _answer.SetResult(answer);

        int IValueTaskSource<int>.GetResult(short token) => _answer.GetResult(token);

        ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _answer.GetStatus(token);

        void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => _answer.OnCompleted(continuation, state, token, flags);
    }
}
