"""The event loop: the iteration, with descriptors, signals and children to call back for."""

import warnings
from collections.abc import Callable
from os import getpid
from threading import get_ident
from time import monotonic
from typing import TypeVarTuple, final

from tulip_poll._children import Child, Children
from tulip_poll._descriptors import FileDescriptor
from tulip_poll._forked import heed_forks
from tulip_poll._handle import Handle
from tulip_poll._iteration import Arrange, Iteration
from tulip_poll._pollster import Pollster
from tulip_poll._signals import Signals
from tulip_poll._stats import Leftovers, LoopStats
from tulip_poll._typing import override
from tulip_poll.pollsters import default_pollster

Ts = TypeVarTuple("Ts")


@final
class EventLoop(Iteration):
    """Run callbacks when descriptors are ready, when time has come, or soon.

    The iteration, which ``run_once`` does once and ``run`` again and again:

    1. Compute how long to wait: not at all when callbacks are in the queue or ``stop`` was
       called; else until the earliest deadline; else without limit.
    2. Poll. The handles of ready descriptors join the queue.
    3. Move the timers that are due by now to the queue, the earliest first, equal deadlines
       in the order they were set. While callbacks keep the queue filled, and set no timer that
       is due at once, ``run`` does steps 1 to 3 only after every 256 of them: a poll costs as
       much as four callbacks.
    4. Run what is in the queue at this moment, first come, first served. What callbacks add
       from here on waits for the next round.

    So no callback can starve descriptors or timers, whatever it schedules. Nor other threads: a
    loop that is never idle, be it for callbacks, timers or descriptors, stands aside for a moment
    every 5 ms (`sys.getswitchinterval`), if there are any.

    A loop belongs to the thread that calls into it first; making it is no call. From every
    other thread all methods raise ``WrongThreadError``, except ``call_soon_threadsafe`` and
    ``time``. After ``close`` they raise ``ClosedError``.
    """

    def __init__(
        self,
        pollster: Pollster | None = None,
        clock: Callable[[], float] = monotonic,
        *,
        arrange: Arrange | None = None,
    ) -> None:
        """Make a loop.

        Args:
            pollster: What watches descriptors; from now on it is the loop's, which closes it.
                ``None`` for the best that the platform has.
            clock: Returns seconds since some moment, and never goes back, as the time of day
                does.
            arrange: For tests that try out other orders: called before step 4 with the queue,
                which it may put into another order. It returns how many callbacks run in this
                round, at least one if there is one; the others stay for the next. ``None`` for
                the order promised above.
        """
        super().__init__(default_pollster() if pollster is None else pollster, clock, arrange)
        self._children = Children(self)
        self._signals: Signals | None = None
        self._inherited = False
        heed_forks(self)

    def add_reader(
        self,
        fd: FileDescriptor,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        edge: bool = False,
    ) -> Handle:
        """Call ``callback(*args)`` in every round in which ``fd`` is ready for input.

        See :meth:`Pollster.add_reader` for what that means, what may be less with ``edge``, and
        what is raised.
        """
        if get_ident() != self.thread:
            self._enter()
        if args:  # needs a dictionary for the call, which each connection would make
            return self._pollster.add_reader(fd, callback, *args, edge=edge)
        return self._pollster.add_reader(fd, callback, edge=edge)

    def add_writer(
        self, fd: FileDescriptor, callback: Callable[[*Ts], object], *args: *Ts
    ) -> Handle:
        """Call ``callback(*args)`` in every round in which ``fd`` is ready for output.

        See :meth:`Pollster.add_writer`.
        """
        if get_ident() != self.thread:
            self._enter()
        return self._pollster.add_writer(fd, callback, *args)

    def remove_reader(self, fd: FileDescriptor) -> bool:
        """Stop watching ``fd`` for input; return whether there was a reader."""
        if get_ident() != self.thread:
            self._enter()
        return self._pollster.remove_reader(fd)

    def remove_writer(self, fd: FileDescriptor) -> bool:
        """Stop watching ``fd`` for output; return whether there was a writer."""
        if get_ident() != self.thread:
            self._enter()
        return self._pollster.remove_writer(fd)

    def forget(self, fd: FileDescriptor) -> list[Handle]:
        """Stop watching ``fd`` in both directions, to be called before it is closed.

        Returns:
            The handles that were registered, not cancelled: the reader's, then the
            writer's. Events for them that are in the queue already are not delivered; a
            handle that is scheduled from now on is called in the next round.
        """
        if get_ident() != self.thread:
            self._enter()
        handles = self._pollster.forget(fd)
        if self._ready:
            for handle in handles:
                self._withheld.add(handle)
        return handles

    def add_signal_handler(
        self, number: int, callback: Callable[[*Ts], object], *args: *Ts
    ) -> Handle:
        """Call ``callback(*args)`` in a round soon after each signal of this number.

        Signals that arrive faster than the interpreter takes notice become one, as always.
        A handler does not keep ``run`` from ending. One that is there already is replaced.

        Raises:
            ValueError: Not called in the main thread, or this is no signal's number.
            OSError: The kernel allows no handler for this signal.
        """
        if get_ident() != self.thread:
            self._enter()
        handle = Handle(callback, *args)
        self._with_signals().add(number, handle)
        return handle

    def remove_signal_handler(self, number: int) -> bool:
        """Put back what handled the signal before ``add_signal_handler``, if ours is still there.

        Returns:
            Whether there was a handler of this loop.
        """
        if get_ident() != self.thread:
            self._enter()
        return self._signals is not None and self._signals.remove(number)

    def wake_on_signals(self) -> None:
        """End the poll at every signal, so that a handler of the program's own is called.

        Python calls the handlers of ``signal.signal`` in the main thread; a signal that the kernel
        gives to another thread does not end the main thread's poll by itself. This holds until
        ``close``, and is part of ``add_signal_handler``. Where another loop is woken by signals
        already, it stays that one, which hosts this one mostly.

        Raises:
            ValueError: Not called in the main thread.
        """
        if get_ident() != self.thread:
            self._enter()
        self._with_signals().claim()

    def watch_child(
        self, child: Child, callback: Callable[[int | None, *Ts], object], *args: *Ts
    ) -> Handle:
        """Call ``callback(code, *args)`` once when a child process has ended.

        Args:
            child: A ``subprocess.Popen`` (its ``returncode`` is set then) or something else
                with ``pid`` and ``wait()``; or the id of a process, which is waited for with
                ``waitpid``.
            callback: What to call. The code is negative for the signal that ended the
                process, and None when another has waited for this process id.
            args: Further arguments.

        Returns:
            A handle; cancelling it ends the watch, and the process runs on. ``run`` does not
            end while a child is watched.

        Raises:
            ProcessLookupError: There is no such process.
        """
        if get_ident() != self.thread:
            self._enter()
        return self._children.watch(child, callback, args)

    def fileno(self) -> int:
        """Return a descriptor that is readable when ``run_once(0)`` has something to do.

        With this and ``next_deadline``, another loop can host this one: it calls
        ``run_once(0)`` when the descriptor is readable and when the deadline has come, and
        asks for the deadline again after each, one that raised included. A deadline that
        moves ahead in between makes the descriptor readable too.

        Raises:
            UnsupportedOperation: The pollster has no descriptor (``select``, ``poll``).
        """
        if get_ident() != self.thread:
            self._enter()
        fd = self._pollster.fileno()
        if not self._hosted:
            self._hosted = True
            if not self._running:
                self._leave_to_host()
        return fd

    def stats(self) -> LoopStats:
        """Return what the loop has done so far, and what it has before it."""
        if get_ident() != self.thread:
            self._enter()
        self._pollster.pollable()
        return LoopStats(
            rounds=self._rounds,
            callbacks=self._callbacks,
            readers=len(self._pollster._readers) - self._internal,
            writers=len(self._pollster._writers),
            parked=self.parked,
            timers=len(self._timers),
            queued=len(self._ready),
            held=self._held,
            signals=0 if self._signals is None else len(self._signals.numbers()),
        )

    def close(self) -> Leftovers:
        """Release everything, and report what is still registered.

        Returns:
            What will never be called; false when that is nothing, and when the loop was
            closed before.

        Raises:
            RuntimeError: The loop runs.
        """
        if self._closed:
            return Leftovers()
        if get_ident() != self.thread:
            self._enter()
        if self._running:
            raise RuntimeError(f"{self!r} cannot be closed by one of its own callbacks")
        return self._release_all()

    def _with_signals(self) -> Signals:
        signals = self._signals
        if signals is None:
            signals = self._signals = Signals(self._post)
            self._pollster.add_reader(signals, signals.drain)
            self._internal += 1
        return signals

    def _release_all(self) -> Leftovers:
        self._refuse_calls()
        pollster, signals = self._pollster, self._signals
        self._give_back()
        # The order matters: who posts from elsewhere goes first.
        numbers = () if signals is None else signals.numbers()
        pollster.remove_reader(self._wakeup)
        if signals is not None:
            pollster.remove_reader(signals)
            signals.close()
        children = self._children.close()
        left = Leftovers(
            readers=tuple(pollster._readers.values()),
            writers=tuple(pollster._writers.values()),
            timers=tuple(self._timers.clear()),
            callbacks=tuple(entry for entry in self._ready if not entry.retired),
            signals=numbers,
            children=children,
            held=self._held,
        )
        self._wakeup.close()
        pollster.close()
        self._ready.clear()
        return left

    def _let_go(self) -> None:
        """Do nothing: what a loop has of its own keeps its numbers, see `_forked`."""

    @override
    def _begin_anew(self) -> None:
        process = getpid()
        if self._closed or self._process == process:
            return
        self._process = process
        self._inherited = True
        if self._running or self._owner not in {None, get_ident()}:
            self._leave_behind()
            return
        try:
            self._wakeup.renew()
            if self._signals is not None:
                self._signals.renew()
            if self._hosted:
                self._pollster._be_hosted_again()
                self._leave_to_host()
        except OSError:  # no descriptor is left; the parent's must not be used instead
            self._leave_behind()

    def _leave_behind(self) -> None:
        """Release what this process has of it, and have it refuse calls from now on."""
        self._left_behind = True
        self._refuse_calls()
        self._pollster._let_go()
        self._pollster.close()
        if self._signals is not None:
            self._signals.leave()
        self._children.close()
        self._wakeup.leave()
        self._timers.clear()
        # Should its run() go on, the fork having been in a callback, this is what comes next.
        self._ready.clear()
        self._ready.append(Handle(self._refuse))

    def _refuse(self) -> None:
        raise self._refusal()

    def __del__(self) -> None:
        # `__init__` may have failed half-way.
        if getattr(self, "_closed", True) or not hasattr(self, "_inherited"):
            return
        if self._process != getpid():
            self._begin_anew()
        if self._closed:
            return
        if not self._inherited:  # else to close it is up to those who made it, in the parent
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
        self._release_all()
