"""An event loop in a thread, for those who have no coroutines."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar, final

from tulip_http._errors import ClientClosed
from tulip_http._forked import being_forked, heed_forks
from tulip_net import (
    Coroutine,
    Gen,
    Task,
    block,
    coroutine,
    current_context,
    current_task,
    run,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")


@final
class LoopThread:
    """A thread with an event loop, started by the first call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: Any = None  # whose type tulip_net does not hand on
        self._main: Task[Any] | None = None
        self._stopped = False
        self._ident = 0
        heed_forks(self)

    def call(self, make: Callable[[], Coroutine[T]]) -> T:
        """Have a coroutine run there, and wait for what becomes of it.

        Raises:
            ClientClosed: `stop` was called before, or meanwhile.
            RuntimeError: It was called in that thread.
        """
        if threading.get_ident() == self._ident:
            raise RuntimeError("a call of the client, inside of one, would wait for itself")
        from concurrent.futures import Future  # late: with the logging that it brings, 6 ms

        future: Future[T] = Future()
        started: list[Task[T]] = []

        def start() -> None:
            task = Task(make(), "sync call")
            started.append(task)
            task.add_done_callback(lambda task: _pass_on(task, future))
            task.start()

        with self._lock:
            if self._stopped:
                raise ClientClosed("the client is closed")
            self._start()
            self._loop.call_soon_threadsafe(start)
        try:
            return future.result()
        except BaseException:
            # Not the call's own error but a signal handler's: KeyboardInterrupt, SystemExit, or a
            # program's own time limit. Nobody waits for the call any more.
            if not future.done():

                def cancel() -> None:
                    for task in started:
                        task.cancel()

                self._loop.call_soon_threadsafe(cancel)
            raise

    def stop(self, close: Callable[[], object], *, wait: bool = True) -> None:
        """Call ``close`` in that thread, and end it; calls under way get `ClientClosed`."""
        if being_forked():
            return  # it was collected, with its connections
        with self._lock:
            stopped, self._stopped = self._stopped, True
            thread = self._thread
        if thread is None:
            close()
            return

        def end() -> None:
            close()
            if self._main is not None:
                self._main.unblock()

        if not stopped:
            self._loop.call_soon_threadsafe(end)
        if wait and thread is not threading.current_thread():
            thread.join()

    def begin_anew(self) -> None:
        """Have no thread in a forked process, where it is not; it may have had the lock."""
        self._lock = threading.Lock()
        self._thread = self._loop = self._main = None
        self._ident = 0

    def _start(self) -> None:
        if self._thread is not None:
            return
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: run(self._wait(ready)), name="tulip-http", daemon=True
        )
        self._thread.start()
        ready.wait()

    @coroutine
    def _wait(self, ready: threading.Event) -> Gen[None]:
        self._loop = current_context().eventloop
        self._ident = threading.get_ident()
        self._main = current_task()
        self._loop.hold()  # others will come with work
        ready.set()
        try:
            block(lambda: None)
            yield
        finally:
            self._loop.release()


def _pass_on(task: Task[T], future: Future[T]) -> None:
    error = task.exception()
    if task.cancelled():
        future.set_exception(ClientClosed("the client was closed during the call"))
    elif error is not None:
        future.set_exception(error)
    else:
        future.set_result(task.result())
