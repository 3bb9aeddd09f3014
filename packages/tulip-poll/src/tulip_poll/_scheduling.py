"""What a loop has before it: callbacks now, soon and later, and who may add to them.

Rules:

- All time comes from the clock given.
- The check for the right thread is one comparison with ``thread``. Everything rare hides
  behind it: before the first call, after ``close``, and between rounds under a host,
  ``thread`` is None, and the call goes the slow way through ``_enter``.
"""

from collections import deque
from collections.abc import Callable
from os import getpid
from threading import current_thread, get_ident
from typing import TypeVarTuple

from tulip_poll._errors import ClosedError, WrongThreadError
from tulip_poll._handle import Handle, QueueEntry, TimerHandle
from tulip_poll._timers import TimerQueue
from tulip_poll._wakeup import Wakeup

Ts = TypeVarTuple("Ts")


class Scheduling:
    """The queue and the timers of an event loop; see :class:`tulip_poll.EventLoop`.

    Attributes:
        time: The clock, in seconds: ``loop.time()``, from any thread.
        schedule_here: ``schedule`` without its check, for a callback of this very loop, which
            is in the right thread by nature. A task switch costs a tenth less with it.
        thread: The thread, by `threading.get_ident`, that need not ask: what it calls is allowed
            without a check. ``None`` before the first call, after ``close``, and between rounds
            under a host.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.time = clock
        self._ready: deque[QueueEntry] = deque()
        self.schedule_here: Callable[[QueueEntry], object] = self._ready.append
        self._timers = TimerQueue()
        self._wakeup = Wakeup()
        self._held = 0
        # The next poll does not wait for the 256th callback: to stop, or for a timer that is due.
        self._poll_now = False
        self._running = False
        self._closed = False
        # The process whose loop this is; and whether it has stayed there, see `_forked`.
        self._process = getpid()
        self._left_behind = False
        self._hosted = False
        self._owner: int | None = None
        self._owner_name = ""
        self.thread: int | None = None

    def call_soon(self, callback: Callable[[*Ts], object], *args: *Ts) -> Handle:
        """Call ``callback(*args)`` in the next round, after what is in the queue already."""
        if get_ident() != self.thread:
            self._enter_with_work()
        handle = Handle(callback, *args)
        self._ready.append(handle)
        return handle

    def schedule(self, entry: QueueEntry) -> None:
        """Put a handle, or another entry of the caller's own, into the queue.

        It can be scheduled again and again. In the queue twice, it is called twice.
        """
        if get_ident() != self.thread:
            self._enter_with_work()
        self._ready.append(entry)

    def check_thread(self) -> None:
        """Do nothing in the loop's own thread, and after ``close``.

        For those who change something of their own before they call the loop.

        Raises:
            WrongThreadError: This is another thread than the loop's.
        """
        if get_ident() != self.thread and not self._closed:
            self._enter()

    def call_soon_threadsafe(self, callback: Callable[[*Ts], object], *args: *Ts) -> Handle:
        """Call ``callback(*args)`` in the loop's thread soon; for every thread.

        Also for signal handlers and finalizers. The calls of one thread run in order.

        Raises:
            ClosedError: The loop was closed.
        """
        handle = Handle(callback, *args)
        self._post(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts
    ) -> TimerHandle:
        """Call ``callback(*args)`` in ``delay`` seconds, or as soon after as the loop can.

        Args:
            delay: Seconds; 0 or less for the next round, infinity for never.
            callback: What to call.
            args: Its arguments.

        Raises:
            TypeError: ``delay`` is of another kind.
            ValueError: ``delay`` is not a number (``nan``).
        """
        if get_ident() != self.thread:
            self._enter()
        try:
            when = self._clock() + delay
        except TypeError:
            raise TypeError(f"a delay must be a number of seconds, got {delay!r}") from None
        handle = TimerHandle(when, callback, *args)
        self._timers.add(handle)
        if delay <= 0:
            self._poll_now = True
        if self.thread is None:
            self._tell_host_of(handle)
        return handle

    def call_at(self, when: float, callback: Callable[[*Ts], object], *args: *Ts) -> TimerHandle:
        """Call ``callback(*args)`` once ``time()`` has reached ``when``, in seconds.

        Raises:
            TypeError: ``when`` is of another kind.
            ValueError: ``when`` is not a number (``nan``).
        """
        # Neither of the two is in terms of the other: a timeout is set for nearly every wait, and
        # passing the arguments on once more would cost a fifth of it.
        if get_ident() != self.thread:
            self._enter()
        handle = TimerHandle(when, callback, *args)
        self._timers.add(handle)
        if when <= self._clock():
            self._poll_now = True
        if self.thread is None:
            self._tell_host_of(handle)
        return handle

    def hold(self) -> None:
        """Keep ``run()`` from ending until ``release``: something is yet to come. Holds add up.

        Work in a thread is an example.
        """
        if get_ident() != self.thread:
            self._enter()
        self._held += 1

    def release(self) -> None:
        """Take one ``hold`` back.

        Raises:
            RuntimeError: There is none.
        """
        if get_ident() != self.thread:
            self._enter()
        if not self._held:
            raise RuntimeError(f"release() without a hold() in {self!r}")
        self._held -= 1

    def next_deadline(self) -> float | None:
        """Return when ``run_once(0)`` has to be called at the latest, on the loop's clock.

        Now, when callbacks are in the queue; else the earliest timer's deadline; ``None``
        when there is none. For a host, see ``fileno``.
        """
        if get_ident() != self.thread:
            self._enter()
        return self._clock() if self._ready else self._timers.next_deadline()

    def _post(self, entry: QueueEntry) -> None:
        """Put an entry into the queue and end the poll, from any thread."""
        # First the queue, then the wake-up, see _wakeup. A loop that closes in between is
        # like one that closes right after: the entry is not called.
        if self._closed:
            raise self._refusal(f", and cannot call {entry!r}")
        self._ready.append(entry)
        self._wakeup.wake()

    def _enter(self) -> None:
        """Refuse a call, or bind the loop to the thread of its first."""
        if self._closed:
            raise self._refusal()
        thread = get_ident()
        if self._owner is None:
            self._owner = self.thread = thread
            self._owner_name = current_thread().name
        elif thread != self._owner:
            if self._process != getpid():  # rule 2 of _forked
                self._begin_anew()
                raise self._refusal()
            raise WrongThreadError(
                f"{self!r} belongs to thread {self._owner_name!r} and was called from "
                f"{current_thread().name!r}, where only call_soon_threadsafe() may be"
            )

    def _begin_anew(self) -> None:
        """Be a copy that can be used in a forked process, or one that refuses calls."""
        raise NotImplementedError

    def _refusal(self, why: str = "") -> ClosedError:
        """Return the error for a call to a loop that takes none any more."""
        if self._left_behind:
            return ClosedError(
                f"{self!r} is the parent's, from which this process was forked: begin another one "
                "here, and leave with os._exit(), not by returning into the parent's"
            )
        return ClosedError(f"{self!r} was closed{why}")

    def _refuse_calls(self) -> None:
        """Raise `ClosedError` from now on."""
        self._closed = True
        self.thread = None

    def _enter_with_work(self) -> None:
        """Enter, and if a host is waiting, tell it that there is something to run."""
        self._enter()
        if self._hosted and not self._running:
            self._wakeup.wake()

    def _tell_host_of(self, timer: TimerHandle) -> None:
        """Wake a host that would sleep past this timer."""
        if self._timers.next_deadline() == timer.when:
            self._wakeup.wake()
