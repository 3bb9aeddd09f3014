"""The iteration: what is in the queue is run in rounds, in one thread.

What a round does is written in the docstring of :class:`tulip_poll.EventLoop`, of which this
is the part without descriptors. Rules:

- All waiting is one call of ``pollster.poll``, and all time comes from the clock given, so a
  virtual clock needs to replace nothing else. (That other threads have their turn is a matter of
  the interpreter, and of real time.)
"""

from collections import deque
from collections.abc import Callable
from itertools import repeat
from math import inf
from operator import length_hint
from sys import getswitchinterval
from threading import active_count, get_ident
from time import monotonic, sleep
from typing import TypeAlias, TypeVarTuple

from tulip_poll._handle import Handle, QueueEntry
from tulip_poll._pollster import Pollster, bounded
from tulip_poll._scheduling import Scheduling
from tulip_poll._source import callback_behind, source_of
from tulip_poll._stats import SlowCallback, log_slow_callback
from tulip_poll._typing import override
from tulip_poll._withheld import Withheld

Ts = TypeVarTuple("Ts")

ExceptionHandler: TypeAlias = Callable[[Exception, QueueEntry], object]

SlowReports: TypeAlias = tuple[float | None, Callable[[SlowCallback], object]]
"""From how many seconds on a callback is slow, and whom to tell."""

Arrange: TypeAlias = Callable[[deque[QueueEntry]], int]
"""Puts the queue of a round in order, and returns how many of it run in this round."""

POLL_AFTER = 256
"""So many callbacks run, while more are in the queue, before descriptors and timers get their turn.

A poll costs as much as four callbacks. Tasks that only wake each other (benchmarks/scheduling:
spawn and join, a queue of size 1) cost a sixth less for it.
"""

TOO_LONG = 1e-3
"""Seconds after which they do in any case: many callbacks take longer than a poll by far."""

SELDOM = 8
"""Callbacks between two looks at the clock for that. After a time that was too long the next look
comes after one, and then after twice as many each time."""

A_MOMENT = 5e-5
"""Seconds for a thread to wake up in, where a loop that is never idle makes room for it."""

A_WAIT = 2e-5
"""A poll that took so many seconds has waited, and other threads have had their chance meanwhile.
One that did not wait takes a microsecond, or a few."""

NO_TURNS = repeat(None, 0)


class Iteration(Scheduling):
    """The rounds of an event loop; see :class:`tulip_poll.EventLoop`.

    Attributes:
        exception_handler: Called with the exception and the handle when a callback raises;
            what it raises itself comes out of ``run()``. While it is ``None``, as at first,
            the callback's exception comes out of ``run()``, which can be called again and
            goes on with the rest of the queue. What is no ``Exception``, such as
            ``KeyboardInterrupt``, always comes out.
        parked: How many registrations are kept for later with nobody waiting. They do not
            keep ``run()`` from ending. Whoever parks a reader or writer counts it here.
        polled_at: What the clock showed after the last poll. Where a moment more or less does
            not count, it saves a look at the clock.
    """

    def __init__(
        self, pollster: Pollster, clock: Callable[[], float], arrange: Arrange | None
    ) -> None:
        super().__init__(clock)
        self.exception_handler: ExceptionHandler | None = None
        self.parked = 0
        self.polled_at: float = clock()
        self._pollster = pollster
        self._arrange = arrange
        # Handles whose events are in the queue, though their descriptors were forgotten. How many
        # old entries the queue begins with: those the last round left, and was not to get to.
        self._withheld = Withheld()
        self._left = self._postponed = 0
        # How many registrations are the loop's own, and never keep run() from ending.
        self._internal = 1
        self._stopping = False
        self._rounds = self._callbacks = 0
        # From when on it is of interest whether polls wait; and since when, as `time.monotonic` has
        # it, none has, if that is of interest at present. See `_poll_and_look`.
        self._look_at = -inf
        self._busy_since: float | None = None
        self._slow_seconds: float | None = None
        self._report_slow: Callable[[SlowCallback], object] = log_slow_callback
        pollster.add_reader(self._wakeup, self._wakeup.drain)

    def run(self) -> bool:
        """Run until nothing is left to do, or until ``stop``.

        Nothing is left when there are no readers and writers but parked ones, no callbacks
        soon or later, and no holds. Signal handlers do not count.

        Returns:
            Whether nothing was left to do; false when ``stop`` ended it.

        Raises:
            RuntimeError: The loop runs already.
            Exception: What a callback raised, if there is no exception handler.
        """
        self._begin()
        try:
            return self._iterate(None, once=False)
        except BaseException:
            self._pollster._tell_again()
            raise
        finally:
            self._end()

    def run_once(self, timeout: float | None = None) -> bool:
        """Run one round.

        Args:
            timeout: Seconds to wait at most for something to do; ``None`` for no limit, ``0``
                for not at all.

        Returns:
            False when ``stop`` was called, in this round or before it; otherwise true.

        Raises:
            TypeError: ``timeout`` is of another kind.
            ValueError: ``timeout`` is not a number (``nan``).
            RuntimeError: The loop runs already.
            Exception: What a callback raised, if there is no exception handler.
        """
        timeout = bounded(timeout)
        self._begin()
        try:
            self._iterate(timeout, once=True)
            return not self._stopping
        except BaseException:
            self._pollster._tell_again()
            raise
        finally:
            self._end()

    def stop(self) -> None:
        """Make ``run`` return after the round that runs, or else the next ``run`` after one."""
        if get_ident() != self.thread:
            self._enter()
        self._stopping = self._poll_now = True

    def report_slow_callbacks(
        self,
        seconds: float | None,
        report: Callable[[SlowCallback], object] = log_slow_callback,
    ) -> SlowReports:
        """Report every callback that takes long. It costs two looks at the clock for each.

        Args:
            seconds: From how long on; ``None`` to report no more.
            report: Called after such a callback; the default logs a warning with its source
                line.

        Returns:
            The two arguments that were in force before, to be put back later.
        """
        if get_ident() != self.thread:
            self._enter()
        before = self._slow_seconds, self._report_slow
        self._slow_seconds = seconds
        self._report_slow = report
        return before

    def _iterate(  # noqa: C901, PLR0912, PLR0915 - every callback's path, written out flat
        self, limit: float | None, *, once: bool
    ) -> bool:
        """Do rounds, waiting at most ``limit`` seconds in each, or only ``once``.

        Returns:
            Whether nothing is left to do; false after ``stop``, and after the one round.

        This is the hot path of every callback, and in one piece for messages that come alone: with
        a function for the polls and one for the queue an echo took 30,100 instructions, now 22,900;
        without a `repeat` for a callback that comes alone, 22,200 (benchmarks/echo, 1 connection).
        Tasks that wake each other have a round for each of them, without a poll
        (benchmarks/scheduling: spawn and join).
        """
        ready, timers, pollster, clock = self._ready, self._timers, self._pollster, self._clock
        withheld, arrange = self._withheld.calls, self._arrange
        heap = timers.heap
        now, look_at = self.polled_at, self._look_at
        entry: QueueEntry = NOBODY
        turns = NO_TURNS
        every = 1
        wait: float | None
        while True:
            # Step 1.
            if ready:
                if self._left_behind:  # the last callback has forked, and goes on in the child
                    raise self._refusal()
                wait = 0.0
            elif heap and (deadline := timers.next_deadline()) is not None:
                wait = deadline - clock()
                if limit is not None and limit < wait:
                    wait = limit
            elif once or self._held or pollster.pollable() > self._internal + self.parked:
                wait = limit
            else:
                return True
            self._poll_now = stopping = self._stopping
            if stopping:
                wait = 0.0
            # Steps 2 and 3.
            self._rounds += 1
            if now < look_at:
                ready.extend(pollster.poll(wait))
            else:
                ready.extend(self._poll_and_look(wait, once and not ready))
                look_at = self._look_at
            self.polled_at = now = clock()
            if heap and heap[0][0] <= now:
                timers.move_due(now, ready)
            # Step 4, again and again until the next poll is due.
            done, look = 0, every
            try:
                while True:
                    if withheld:
                        self._give_back()
                    self._left = 0
                    count = len(ready) if arrange is None else self._arranged(arrange)
                    done += count
                    if self._slow_seconds is not None:
                        turns = repeat(None, count)
                        for _ in turns:
                            entry = ready.popleft()
                            self._call_timed(entry)
                    elif count == 1:
                        entry = ready.popleft()
                        entry._call()
                    else:
                        turns = repeat(None, count)
                        for _ in turns:
                            entry = ready.popleft()
                            entry._call()
                    if not ready or once or self._poll_now:
                        break
                    if done >= look:
                        if done >= POLL_AFTER:
                            break
                        if clock() - now > TOO_LONG:
                            every = 1
                            break
                        if every < SELDOM:
                            every += every
                        look = min(done + every, POLL_AFTER)
            except BaseException as error:
                # What is left of the snapshot comes first in the next round.
                self._left = left = length_hint(turns)
                done -= left
                turns = NO_TURNS
                if not self._taken(error, entry):
                    raise
            finally:
                self._callbacks += done
                # Nothing may live longer by having been called last; and since Python 3.12 the
                # traceback of what a callback raised holds this frame.
                entry = NOBODY
            if once or self._stopping:
                return False

    def _taken(self, error: BaseException, entry: QueueEntry) -> bool:
        """Give what a callback raised to the exception handler, if there is one for it."""
        try:
            if not isinstance(error, Exception) or self._left_behind:
                return False
            _explain(error, entry)
            if self.exception_handler is None:
                return False
            self.exception_handler(error, entry)
            return True
        finally:  # the traceback of what the handler raises holds this frame
            del error, entry

    def _poll_and_look(self, wait: float | None, idle: bool) -> list[Handle]:
        """Poll, and let others have the interpreter when for long no poll has waited.

        A thread that wants the interpreter's lock (GIL) makes its holder hand it over when 5 ms
        have passed in which nobody let go of it. A poll lets go of it for a microsecond, which
        begins the 5 ms anew, and is too short for another thread to wake up in. So a loop that is
        never idle, and polls in between, would keep every other thread from running.

        Half of the 5 ms nobody looks, as it takes two looks at a clock; then each poll of the
        other half must be one that did not wait. A host may have waited before a round with an
        empty queue, which is ``idle``.

        Source: the comments in CPython's Python/ceval_gil.c.
        """
        began = monotonic()
        handles = self._pollster.poll(wait)
        now = monotonic()
        half = getswitchinterval() / 2
        if not idle and now - began < A_WAIT:
            if self._busy_since is None:
                self._busy_since = began
            if now - self._busy_since < half:
                return handles
            if active_count() > 1:
                sleep(A_MOMENT)
                now = monotonic()
        self._busy_since = None
        if self._clock is monotonic:  # else it may stand still, and each poll is looked at
            self._look_at = now + half
        return handles

    def _arranged(self, arrange: Arrange) -> int:
        count = arrange(self._ready)
        self._postponed = len(self._ready) - count
        return count

    def _give_back(self) -> None:
        self._withheld.give_back(self._ready, self._left + self._postponed)

    def _call_timed(self, entry: QueueEntry) -> None:
        # The callback may cancel its own handle, which could not be named then.
        call, began = entry._call, self._clock()
        behind = callback_behind(call)
        try:
            call()
        finally:
            seconds, limit = self._clock() - began, self._slow_seconds
            if limit is not None and seconds >= limit:
                self._report_slow(SlowCallback(source_of(behind), seconds))
            # The traceback of a task's exception may hold this frame: no cycle through the task.
            del entry, call, behind

    def _begin(self) -> None:
        if get_ident() != self.thread:
            self._enter()
        if self._running:
            raise RuntimeError(f"{self!r} cannot run inside one of its own callbacks")
        self._running = True
        self.thread = self._owner

    def _end(self) -> None:
        self._running = self._stopping = False
        if self._hosted:
            self._leave_to_host()

    def _leave_to_host(self) -> None:
        self.thread = None
        if self._ready:
            self._wakeup.wake()

    @override
    def __repr__(self) -> str:
        state = "closed" if self._closed else "running" if self._running else "idle"
        if self._left_behind:
            state = "left behind"
        return f"<{type(self).__name__} {state}, {type(self._pollster).__name__}>"


def _explain(error: Exception, handle: QueueEntry) -> None:
    """Note which callback it was that is none.

    Not looked for where it is scheduled: a look costs a tenth of what making a handle does.
    """
    call: object = handle._call
    if not callable(call):
        error.add_note(f"this was to be called back: {call!r}")


def _no_callback() -> None:
    """Stand for the callback before there is one."""


# What an exception handler would be told if the queue failed and not a callback.
NOBODY = Handle(_no_callback)
