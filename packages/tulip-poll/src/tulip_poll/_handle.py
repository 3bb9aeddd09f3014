"""What the loop runs: entries of its queue, most of them handles that can be cancelled.

The loop runs an entry by calling its ``_call``, and does not ask whether it was cancelled:
cancelling a handle puts a function there that does nothing. So the hot loop is
``popleft()._call()``, and a cancelled handle drops its callback and arguments at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVarTuple

from tulip_poll._source import source_of
from tulip_poll._typing import override

if TYPE_CHECKING:
    from collections import deque

Ts = TypeVarTuple("Ts")


def _nothing() -> None:
    """Stand in for the callback of a cancelled handle."""


class QueueEntry(ABC):
    """What an event loop's queue holds: something with a method, ``_call``, that the loop calls.

    A class of the caller's own may derive from it: an object that is scheduled again and again,
    such as a task, then needs no handle beside it, which makes each turn cheaper.
    """

    __slots__ = ()

    @abstractmethod
    def _call(self) -> object:
        """Do what the entry was put into the queue for."""

    @property
    @abstractmethod
    def retired(self) -> bool:
        """Whether nothing is to happen any more when it is called."""

    @property
    def receiver(self) -> object:
        """The object whose method is the callback; ``None`` for another one, or with arguments.

        By it a tool can tell whose turn it is, a task's for example.
        """
        return getattr(self._call, "__self__", None)


class Handle(QueueEntry):
    """A callback and its arguments, to be called by an event loop.

    Most handles are made by the loop. One of the caller's own can be given to
    :meth:`tulip_poll.EventLoop.schedule` again and again, which allocates nothing.
    """

    __slots__ = ("_call",)

    _call: Callable[[], object]

    def __init__(self, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        """Bind ``callback`` to ``args``; nothing is called yet."""
        # Without arguments the callback itself is the call: a partial costs 60 ns to make.
        call: Callable[..., object] = partial(callback, *args) if args else callback
        self._call = call

    def cancel(self) -> None:
        """See to it that the callback is not called (again). Twice is once.

        For the loop's own thread; from another thread, use
        ``loop.call_soon_threadsafe(handle.cancel)``.
        """
        self._call = _nothing

    def redirect(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` from now on, also where the handle is in the queue already.

        A handle that was cancelled stays so. Not for one that `EventLoop.forget` gave back in this
        round: an event that it withholds would be delivered.
        """
        if self._call is not _nothing:
            self._call = callback

    @property
    def cancelled(self) -> bool:
        """Whether the handle was cancelled, or its descriptor's interest removed."""
        return self._call is _nothing

    @property
    @override
    def retired(self) -> bool:
        """The same as `cancelled`: whether nothing happens any more when it is called."""
        return self._call is _nothing

    @override
    def __repr__(self) -> str:
        what = "cancelled" if self.cancelled else source_of(self._call)
        return f"<{type(self).__name__} {what}>"


class TimerHandle(Handle):
    """A handle with a deadline, made by ``call_later`` and ``call_at``."""

    __slots__ = ("_tally", "when")

    def __init__(self, when: float, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        """Bind ``callback`` to ``args``, due at ``when`` on the loop's clock, in seconds."""
        # As in Handle; another call would cost a fifth of the time that a timer takes.
        call: Callable[..., object] = partial(callback, *args) if args else callback
        self._call = call
        self.when: float = when
        # The queue's tally of dead entries while the handle is in a queue, else None.
        self._tally: list[int] | None = None

    @override
    def cancel(self) -> None:
        """See to it that the callback is not called. After it was called: no effect."""
        self._call = _nothing
        tally = self._tally
        if tally is not None:
            tally[0] += 1
            self._tally = None


class DescriptorHandle(Handle):
    """A handle of a pollster; cancelling it ends the interest in its descriptor.

    The kernel is told at the next poll, so ``cancel`` itself calls no kernel.
    """

    __slots__ = ("_edge", "_fd", "_withdrawn")

    def __init__(
        self,
        withdrawn: "deque[DescriptorHandle]",
        fd: int,
        callback: Callable[[*Ts], object],
        args: tuple[*Ts],
        edge: bool,
    ) -> None:
        """Bind ``callback`` to ``args``.

        Args:
            withdrawn: Where the handle goes when it is cancelled.
            fd: The descriptor's number.
            callback: What to call.
            args: Its arguments.
            edge: Whether its interest is edge-triggered.
        """
        # As in Handle, without a call: each connection has one (benchmarks/accept).
        call: Callable[..., object] = partial(callback, *args) if args else callback
        self._call = call
        self._fd = fd
        self._withdrawn = withdrawn
        self._edge = edge

    @override
    def cancel(self) -> None:
        """See to it that the callback is not called, and let the pollster forget it."""
        if self._call is not _nothing:
            self._call = _nothing
            self._withdrawn.append(self)

    @override
    def __repr__(self) -> str:
        what = "cancelled" if self.cancelled else source_of(self._call)
        return f"<{type(self).__name__} descriptor {self._fd}, {what}>"
