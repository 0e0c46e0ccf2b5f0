using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>One ask: the message on its way, its place in the mailbox, the promise of its reply, and the work item that resumes its caller, in one object.</summary>
/// <remarks>
/// Used again only where one answer is certain: the entity answered within one turn, and the turn has let go of it before the caller is resumed. However
/// else an ask ends (given up, failed, answered later), its object is never used again, so an answer that comes twice finds a dead one.
/// A word holds the generation and the phase; whoever moves it from pending ends the ask.
/// </remarks>
internal abstract class Ask : Envelope, IReplySink, IAbandonable, IThreadPoolWorkItem
{
    private const long PhaseMask = 7;
    private const long Free = 0;
    private const long Pending = 1;
    private const long Answered = 2;
    private const long GivenUp = 3;
    private const long Dead = 4;

    private readonly AskClock _clock;
    private CancellationTokenRegistration _registration;
    private bool _hasRegistration;
    private bool _isLast;
    private int _lateRound;
    private long _word;

    protected Ask(AskClock clock)
    {
        _clock = clock;
        clock.Watch(this);
    }

    /// <summary>Nobody waits for the answer any more.</summary>
    public bool IsAbandoned => (Volatile.Read(ref _word) & PhaseMask) != Pending;

    /// <summary>What ended it instead of a reply.</summary>
    protected Exception? Fault { get; private set; }

    /// <summary>Answers from within the entity's turn, which resumes the caller itself when it has ended; false when nobody waits any more.</summary>
    public bool TryAnswerInTurn(object reply)
    {
        if (!TryEndForGood()) return false;
        Take(reply);
        return true;
    }

    /// <summary>Resumes the caller, on this stack.</summary>
    public abstract void Resume();

    public void Reply(object reply)
    {
        if (!TryEnd(Answered)) return;
        Take(reply);
        ResumeSoon();
    }

    /// <summary>As <see cref="Reply"/>, by somebody who answers once and has nothing else to do on this stack.</summary>
    public void ReplyAndResume(object reply)
    {
        if (!TryEndForGood()) return;
        Take(reply);
        Resume();
    }

    public void Fail(EntityFailure failure)
    {
        if (!TryEnd(Answered)) return;
        Fault = new EntityException(failure);
        ResumeSoon();
    }

    /// <summary>The turn that answered it goes on: the caller is resumed elsewhere, and the object stays with the turn.</summary>
    public void DetachFromTurn()
    {
        _isLast = false;
        ResumeSoon();
    }

    /// <summary>Resumes the caller as a turn, behind whoever was runnable before.</summary>
    public void ResumeSoon() => TurnQueue.Add(this);

    void IThreadPoolWorkItem.Execute() => Resume();

    /// <summary>Looks whether it is late. False when it needs no watching any more.</summary>
    public bool Review(int round)
    {
        var word = Volatile.Read(ref _word);
        switch (word & PhaseMask)
        {
            case Pending:
                if (round < Volatile.Read(ref _lateRound) || Interlocked.CompareExchange(ref _word, word - Pending + GivenUp, word) != word) return true;
                Fault = new EntityException(EntityFailure.TimedOut(Target.StoreKey, _clock.Limit));
                ResumeSoon();
                return false;
            case Answered:
                // A caller that does not take its answer; one that still comes for it gets it, but the object is not used again.
                return round < Volatile.Read(ref _lateRound) || Interlocked.CompareExchange(ref _word, word - Answered + Dead, word) != word;
            case Free:
                // Unused for so long that its thread may be gone, and nobody can rent it any more.
                return round < Volatile.Read(ref _lateRound) + _clock.LimitRounds || Interlocked.CompareExchange(ref _word, word - Free + Dead, word) != word;
            default:
                return false;
        }
    }

    /// <summary>The node is gone: nobody will answer, and the clock stops.</summary>
    public void EndLost()
    {
        if (!TryEnd(GivenUp)) return;
        Fault = new EntityException(EntityFailure.Lost(Target.StoreKey));
        ResumeSoon();
    }

    /// <summary>It will not be used again.</summary>
    public void Discard() => Volatile.Write(ref _word, Dead);

    protected bool BelongsTo(AskClock clock) => _clock == clock;

    /// <summary>Takes a free one for use; false when the clock has just given it up.</summary>
    protected bool TryClaim()
    {
        Volatile.Write(ref _lateRound, _clock.LateRound); // First: from the claim on it may be found late.
        var word = Volatile.Read(ref _word);
        return (word & PhaseMask) == Free && Interlocked.CompareExchange(ref _word, word - Free + Pending, word) == word;
    }

    protected void Begin(EntityId target, object message, CommandId? command, CancellationToken cancel)
    {
        Address(target, message, this, command);
        if (!cancel.CanBeCanceled) return;
        _hasRegistration = true;
        _registration = cancel.UnsafeRegister(static (ask, token) => ((Ask)ask!).Cancel(token), this);
    }

    /// <summary>The caller took the answer. True when the object is free to be used again.</summary>
    protected bool TryFree()
    {
        var isLast = _isLast;
        if (_hasRegistration)
        {
            _hasRegistration = false;
            isLast &= _registration.Unregister(); // Else its callback runs or has run, and would end another ask.
            _registration = default;
        }
        var word = _word;
        _isLast = false;
        if (!isLast || (word & PhaseMask) != Answered)
        {
            Discard();
            return false;
        }
        Address(default, "", null, null);
        // The next generation, so that whoever looked at this one finds it gone.
        return Interlocked.CompareExchange(ref _word, (word & ~PhaseMask) + (PhaseMask + 1), word) == word;
    }

    protected bool TryEndForGood() => TryEnd(Answered) && (_isLast = true);

    protected abstract void Take(object reply);

    protected void Mistyped(object reply, Type expected) =>
        Fault = new EntityException(EntityFailure.Faulted("the entity", new InvalidCastException($"it replied a {reply.GetType().Name}, not a {expected.Name}"), noEffect: false));

    private bool TryEnd(long phase)
    {
        var word = Volatile.Read(ref _word);
        return (word & PhaseMask) == Pending && Interlocked.CompareExchange(ref _word, word - Pending + phase, word) == word;
    }

    private void Cancel(CancellationToken token)
    {
        if (!TryEnd(GivenUp)) return;
        Fault = new OperationCanceledException(token);
        ResumeSoon();
    }
}

/// <summary>A sink whose owner may stop waiting.</summary>
internal interface IAbandonable
{
    bool IsAbandoned { get; }
}
