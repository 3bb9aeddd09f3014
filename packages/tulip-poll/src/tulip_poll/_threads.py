"""The bridge to threads, and to everything else that is a ``concurrent.futures.Executor``.

Where a race could be, and is not:

- A future that is done before its callback is attached calls it at attachment.
- Completion and the caller's ``on_done`` reach the loop as one callback, so the loop cannot
  find itself idle between the two and end.
"""

from __future__ import annotations

from contextlib import suppress
from os import getpid
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple, final

from tulip_poll._errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future, ThreadPoolExecutor
    from types import TracebackType
    from typing import Self

    from tulip_poll._eventloop import EventLoop

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


@final
class ThreadRunner:
    """Run functions outside the event loop's thread, and tell the loop when they are done.

    A context manager, which shuts down at its end.
    """

    def __init__(self, eventloop: EventLoop, executor: Executor | None = None) -> None:
        """Bind the runner to an event loop.

        Args:
            eventloop: The loop that waits for the functions.
            executor: Where they run when ``submit`` names none: threads, processes, or a
                cluster's. It stays the caller's to shut down. ``None`` for a pool of
                threads of the runner's own, started when first needed.
        """
        self._eventloop = eventloop
        self._executor = executor
        self._own: ThreadPoolExecutor | None = None
        self._process = 0  # where the threads of that are
        self._closed = False

    def submit(
        self,
        func: Callable[[*Ts], T],
        *args: *Ts,
        executor: Executor | None = None,
        on_done: Callable[[Future[T]], object] | None = None,
    ) -> Future[T]:
        """Start a function in a thread, a process, or wherever the executor runs it.

        The loop's ``run()`` does not end while the function is pending.

        Args:
            func: What to call; with a pool of processes it must be picklable.
            args: Its arguments.
            executor: Where to run this one, if not in the runner's executor.
            on_done: Called with the future in the loop's thread, once it is done or
                cancelled.

        Returns:
            The executor's future. Callbacks added to it directly run in a thread of the
            executor's choice, and do not keep ``run()`` alive: ``on_done`` does.

        Raises:
            TypeError: ``func`` cannot be called.
            WrongThreadError: Not called in the loop's thread.
            ClosedError: The runner or its loop was closed.

        Cancelling the future stops a function only before it has begun.
        """
        if self._closed:
            raise ClosedError(f"cannot run {func!r}: the thread runner was shut down")
        if not callable(func):
            raise TypeError(f"a thread needs a function, got {func!r}: was it called already?")
        where = executor or self._executor or self._own_executor()
        self._eventloop.hold()
        try:
            future = where.submit(func, *args)
        except BaseException:
            self._eventloop.release()
            raise
        future.add_done_callback(lambda done: self._tell(done, on_done))
        return future

    def shutdown(self, wait: bool = True) -> None:
        """Refuse further functions, and end the runner's own threads.

        Args:
            wait: Whether to block until functions that run have returned. Their futures'
                ``on_done`` runs in the loop, later. Those not begun are cancelled.

        Twice is once. An executor of the caller's is left alone.
        """
        self._closed = True
        if self._own is not None and self._process == getpid():
            self._own.shutdown(wait=wait, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    def _own_executor(self) -> Executor:
        if self._own is None or self._process != getpid():
            # Late: with the logging that it brings, it costs 6 ms.
            from concurrent.futures import ThreadPoolExecutor

            self._process = getpid()
            self._own = ThreadPoolExecutor(thread_name_prefix="tulip")
        return self._own

    def _tell(self, future: Future[T], on_done: Callable[[Future[T]], object] | None) -> None:
        """Pass completion on to the loop; runs in a thread of the executor's choice."""
        # A loop that was closed with the function pending has reported it as left over.
        with suppress(ClosedError):
            self._eventloop.call_soon_threadsafe(self._finish, future, on_done)

    def _finish(self, future: Future[T], on_done: Callable[[Future[T]], object] | None) -> None:
        self._eventloop.release()
        if on_done is not None:
            on_done(future)
        # The traceback of its exception may hold this frame, since Python 3.12.
        del future, on_done
