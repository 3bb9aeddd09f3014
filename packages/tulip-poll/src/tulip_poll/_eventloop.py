"""The event loop: polls, keeps time, and runs callbacks, in rounds."""

from collections import deque
from collections.abc import Callable
from threading import current_thread, get_ident
from time import monotonic
from typing import TypeVarTuple, final

from tulip_poll._descriptors import FileDescriptor
from tulip_poll._errors import ClosedError, WrongThreadError
from tulip_poll._handle import Handle, TimerHandle
from tulip_poll._pollster import Pollster
from tulip_poll._timers import TimerQueue
from tulip_poll._wakeup import Wakeup
from tulip_poll.pollsters import default_pollster

Ts = TypeVarTuple("Ts")


@final
class EventLoop:
    """Run callbacks when descriptors are ready, when time has come, or soon.

    The iteration, which ``run_once`` does once and ``run`` again and again:

    1. Compute how long to wait: not at all when callbacks are in the queue or ``stop`` was
       called; else until the earliest deadline; else without limit.
    2. Poll. The handles of ready descriptors join the queue.
    3. Move the timers that are due now to the queue, the earliest deadline first, equal
       deadlines in the order they were set.
    4. Run what is in the queue at this moment, first come, first served. What callbacks
       add from here on waits for the next round.

    So no callback can starve descriptors or timers, whatever it schedules.

    A loop belongs to the thread that first calls into it, other than to make it; every call
    from another thread raises ``WrongThreadError``, except ``call_soon_threadsafe`` and
    ``time``.
    """

    def __init__(
        self, pollster: Pollster | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        """Make a loop.

        Args:
            pollster: What watches descriptors; the loop closes it. ``None`` for the best
                that the platform has.
            clock: Returns seconds that never go back, from an arbitrary start. Wall clocks
                do go back.
        """
        self._pollster = default_pollster() if pollster is None else pollster
        self._clock = clock
        self._ready: deque[Handle] = deque()
        self._timers = TimerQueue()
        self._wakeup = Wakeup()
        self._pollster.add_reader(self._wakeup, self._wakeup.drain)
        # How many registrations are the loop's own, and do not keep run() from ending.
        self._own = 1
        # Public, as an attribute: the layer above counts here, twice for each of its waits,
        # the registrations that it keeps though nobody waits for them. run() does not count
        # them as something that is left to do.
        self.parked = 0
        self._held = 0
        self._running = False
        self._stopping = False
        self._closed = False
        self._exception_handler: Callable[[Exception, Handle], object] | None = None
        # The thread that owns the loop, and its name for messages.
        self._owner: int | None = None
        self._owner_name = ""
        # The thread that may call without further ado: the owner, mostly. While this is
        # None every call takes the slow way through _enter(), so that what is rare (the
        # first call, a closed loop) costs the usual call nothing.
        self._thread: int | None = None

    def call_soon(self, callback: Callable[[*Ts], object], *args: *Ts) -> Handle:
        """Call ``callback(*args)`` in the next round, after what is queued already."""
        if get_ident() != self._thread:
            self._enter()
        handle = Handle(callback, *args)
        self._ready.append(handle)
        return handle

    def schedule(self, handle: Handle) -> None:
        """Put a handle of the caller's own into the queue, as ``call_soon`` does.

        The same handle can be scheduled again and again; in the queue twice, it is called
        twice.
        """
        if get_ident() != self._thread:
            self._enter()
        self._ready.append(handle)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts
    ) -> TimerHandle:
        """Call ``callback(*args)`` in ``delay`` seconds, at the earliest.

        Args:
            delay: Seconds; 0 or less is due in the next round.
            callback: What to call.
            args: Its arguments.

        Raises:
            ValueError: ``delay`` is not a number.
        """
        return self.call_at(self._clock() + delay, callback, *args)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts
    ) -> TimerHandle:
        """Call ``callback(*args)`` when ``time()`` has reached ``when``.

        Raises:
            ValueError: ``when`` is not a number.
        """
        if get_ident() != self._thread:
            self._enter()
        if when != when:
            raise ValueError(f"a deadline must be a number of seconds, got {when!r}")
        handle = TimerHandle(when, callback, *args)
        self._timers.add(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts
    ) -> Handle:
        """Call ``callback(*args)`` in the loop's thread soon; from any thread.

        Also from a signal handler or a finalizer. Calls from one thread run in order.

        Raises:
            ClosedError: The loop was closed.
        """
        handle = Handle(callback, *args)
        self._ready.append(handle)
        if self._closed:
            raise ClosedError(f"cannot call {callback!r}: {self!r} was closed")
        self._wakeup.wake()
        return handle

    def add_reader(
        self, fd: FileDescriptor, callback: Callable[[*Ts], object], *args: *Ts
    ) -> Handle:
        """Call ``callback(*args)`` in every round in which ``fd`` has input.

        See :meth:`Pollster.add_reader` for what raises.
        """
        if get_ident() != self._thread:
            self._enter()
        return self._pollster.add_reader(fd, callback, *args)

    def add_writer(
        self, fd: FileDescriptor, callback: Callable[[*Ts], object], *args: *Ts
    ) -> Handle:
        """Call ``callback(*args)`` in every round in which ``fd`` has room for output."""
        if get_ident() != self._thread:
            self._enter()
        return self._pollster.add_writer(fd, callback, *args)

    def remove_reader(self, fd: FileDescriptor) -> bool:
        """Stop watching ``fd`` for input; return whether there was a reader."""
        if get_ident() != self._thread:
            self._enter()
        return self._pollster.remove_reader(fd)

    def remove_writer(self, fd: FileDescriptor) -> bool:
        """Stop watching ``fd`` for output; return whether there was a writer."""
        if get_ident() != self._thread:
            self._enter()
        return self._pollster.remove_writer(fd)

    def forget(self, fd: FileDescriptor) -> list[Handle]:
        """Stop watching ``fd`` in both directions, before it is closed.

        Returns:
            The handles that were registered, not cancelled. One may be in the queue of this
            round already.
        """
        if get_ident() != self._thread:
            self._enter()
        return self._pollster.forget(fd)

    def hold(self) -> None:
        """Keep ``run()`` from ending until ``release()``: something is yet to come.

        Holds add up. A thread at work is an example.
        """
        if get_ident() != self._thread:
            self._enter()
        self._held += 1

    def release(self) -> None:
        """Take one ``hold()`` back.

        Raises:
            RuntimeError: There was none.
        """
        if get_ident() != self._thread:
            self._enter()
        if not self._held:
            raise RuntimeError("release() of an event loop without a hold()")
        self._held -= 1

    def set_exception_handler(
        self, handler: Callable[[Exception, Handle], object] | None
    ) -> None:
        """Say what becomes of an exception out of a callback.

        Args:
            handler: Called with the exception and the handle whose callback raised it; what
                the handler itself raises comes out of ``run()``. ``None``, as it is at
                first, for: it comes out of ``run()``, which can be called again and goes on
                with the rest of the queue.

        ``KeyboardInterrupt``, ``SystemExit`` and everything else that is no ``Exception``
        always comes out of ``run()``.
        """
        if get_ident() != self._thread:
            self._enter()
        self._exception_handler = handler

    def time(self) -> float:
        """Return the loop's clock, in seconds."""
        return self._clock()

    def run(self) -> None:
        """Run until nothing is left to do, or until ``stop()``.

        Nothing is left when there are no readers, no writers, no callbacks soon or later,
        and no hold.

        Raises:
            RuntimeError: The loop runs already.
            Exception: What a callback raised, if there is no exception handler.
        """
        self._begin()
        ready, heap, pollster = self._ready, self._timers.heap, self._pollster
        try:
            while ready or self._held or heap or pollster.pollable() > self._own + self.parked:
                self._round(None)
                if self._stopping:
                    break
        finally:
            self._end()

    def run_once(self, timeout: float | None = None) -> None:
        """Run one round.

        Args:
            timeout: Seconds to wait at most for something to do; ``None`` for no limit.

        Raises:
            RuntimeError: The loop runs already.
            Exception: What a callback raised, if there is no exception handler.
        """
        self._begin()
        try:
            self._round(timeout)
        finally:
            self._end()

    def stop(self) -> None:
        """Make ``run()`` return after the present round, or the next one to come."""
        if get_ident() != self._thread:
            self._enter()
        self._stopping = True

    def close(self) -> None:
        """Release the pollster and the wake-up. Twice is once."""
        if self._closed:
            return
        if get_ident() != self._thread:
            self._enter()
        if self._running:
            raise RuntimeError("cannot close an event loop while it runs")
        self._closed = True
        self._thread = None
        self._wakeup.close()
        self._pollster.close()
        self._timers.clear()
        self._ready.clear()

    def _round(self, limit: float | None) -> None:
        """Do the four steps of the class docstring once. This is the hot path."""
        ready, timers = self._ready, self._timers
        if ready or self._stopping:
            limit = 0
        elif timers.heap:
            deadline = timers.next_deadline()
            if deadline is not None:
                wait = deadline - self._clock()
                if limit is None or wait < limit:
                    limit = wait
            elif limit is None and not self._anything_left():
                # Only cancelled timers were left to wait for.
                return
        ready.extend(self._pollster.poll(limit))
        if timers.heap:
            timers.move_due(self._clock(), ready)
        popleft = ready.popleft
        try:
            for _ in range(len(ready)):
                handle = popleft()
                handle._call()
        except Exception as error:
            # What is left of the snapshot runs in the next round, before anything newer.
            if self._exception_handler is None:
                raise
            self._exception_handler(error, handle)

    def _anything_left(self) -> bool:
        return bool(self._held) or self._pollster.pollable() > self._own + self.parked

    def _begin(self) -> None:
        if get_ident() != self._thread:
            self._enter()
        if self._running:
            raise RuntimeError("the event loop runs already")
        self._running = True

    def _end(self) -> None:
        self._running = False
        self._stopping = False

    def _enter(self) -> None:
        """Bind the loop to its thread at the first call, or refuse the call."""
        if self._closed:
            raise ClosedError(f"{self!r} was closed")
        thread = get_ident()
        if self._owner is None:
            self._owner = self._thread = thread
            self._owner_name = current_thread().name
        elif thread != self._owner:
            raise WrongThreadError(
                f"{self!r} belongs to thread {self._owner_name!r} and was called from "
                f"{current_thread().name!r}; use call_soon_threadsafe() there"
            )

    def __repr__(self) -> str:
        state = "closed" if self._closed else "running" if self._running else "idle"
        return f"<EventLoop {state} over {type(self._pollster).__name__}>"
