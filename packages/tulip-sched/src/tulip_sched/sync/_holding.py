"""Acquiring for the length of a with block, in both styles."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from collections.abc import Coroutine as NativeCoroutine
from types import TracebackType
from typing import Any, Final, cast, final

from tulip_sched._coroutine import Coroutine, Gen, coroutine


@final
class Holding:
    """A ``with`` block at whose end something is released, and which was acquired before it."""

    __slots__ = ("_release",)

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._release()


class _Done(tuple[()]):
    """Iterates over nothing: a coroutine that has returned ``None`` already, without a generator.

    Only for what was done by the call itself. An acquire must do nothing before it is driven,
    so it is a generator: an object whose ``__iter__`` takes the lock is no faster.
    """

    __slots__ = ()
    __await__ = tuple.__iter__


DONE: Final = cast("NativeCoroutine[Any, Any, None]", _Done())


class Holdable(ABC):
    """What is acquired and released, in pairs."""

    __slots__ = ()

    @abstractmethod
    def acquire(self) -> Coroutine[None]:
        """Wait until it is free, and take it."""

    @abstractmethod
    def release(self) -> None:
        """Give it back."""

    @coroutine
    def holding(self) -> Gen[Holding]:
        """Acquire, and return the ``with`` block that releases: for generators.

        ``with (yield from lock.holding()):`` is what ``async with lock:`` is in an
        ``async def``.

        Raises and is cancelled as ``acquire`` is.
        """
        yield from self.acquire()
        return Holding(self.release)

    # Declared as `contextlib.AbstractAsyncContextManager` wants it, for an `AsyncExitStack`.
    def __aenter__(self) -> "NativeCoroutine[Any, Any, None]":
        return self.acquire()  # type: ignore[return-value]

    def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> "NativeCoroutine[Any, Any, None]":
        self.release()
        return DONE
