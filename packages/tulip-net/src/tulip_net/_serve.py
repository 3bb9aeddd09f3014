"""A server: a task for each connection, and an end in good order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from tulip_net._errors import NetError
from tulip_net._listener import Listener
from tulip_net._log import logger
from tulip_net._seconds import check_seconds
from tulip_net._socket import SocketTransport
from tulip_net._transport import Transport
from tulip_net.tls import start_tls
from tulip_net.tls._start import check_context
from tulip_sched import (
    AnyCoroutine,
    BusyError,
    ClosedError,
    Gen,
    Task,
    block,
    coroutine,
    create_task,
    current_task,
    fail_after,
    move_on_after,
    shield,
    sleep,
    wait_all,
)

if TYPE_CHECKING:
    import ssl as _ssl

__all__ = ["serve"]


BURST = 64
"""How many connections of a crowd are accepted in one go before the others have their turn.

Each costs some 10 microseconds; uvloop's and asyncio's limit is their backlog of 100."""

OF_CONNECTIONS = (NetError, ClosedError, TimeoutError)
"""What ends connections every day, and is nobody's mistake here."""

HANDSHAKE_TIMEOUT = 30.0
"""Seconds; a client that needs longer for its handshake is not a client."""


@coroutine
def serve(
    handler: Callable[[Transport], AnyCoroutine[object]],
    listener: Listener,
    *more: Listener,
    ssl: _ssl.SSLContext | None = None,
    max_connections: int | None = None,
    grace: float | None = 10.0,
    handshake_timeout: float | None = HANDSHAKE_TIMEOUT,
) -> Gen[None]:
    """Accept connections and handle each in a task of its own, until the listeners are closed.

    Args:
        handler: Called with the transport of each connection. When it returns, the stream is
            ended properly; when it fails, the connection is dropped and the error is logged (at
            level INFO if it is one of the network's own, such as `BrokenError`, or a group of
            nothing else).
        listener: Closed when this returns. Close it to stop the server.
        more: Others to serve in the same way, such as one on a Unix socket. The server stops when
            all of them are closed.
        ssl: Speak TLS; a server context, such as `server_context` makes.
        max_connections: How many may be handled at the same time; the others wait in the kernel.
        grace: Seconds that handlers may still take once the last listener is closed; then they are
            cancelled. ``None``: no limit.
        handshake_timeout: Seconds that a TLS handshake may take; ``None``: no limit.

    Raises:
        ValueError: A limit is negative, ``max_connections`` is 0, or ``ssl`` is a client's context.
            The listeners are left open.
        TypeError: A limit is no number, ``ssl`` no context, ``handler`` cannot be called, or a
            listener is none; likewise.
        BusyError: Another task accepts on one of the listeners, which are left open.
        OSError: A listening socket failed.

    Cancelling cancels the handlers at once and waits for their ends.
    """
    _check(handler, ssl, listener, *more)
    _check_limits(max_connections, grace, handshake_timeout)
    ours = True  # and not another server's
    server = _Server(handler, ssl, handshake_timeout)
    if more:
        listener = Listener._joining((listener, *more))
    if max_connections is not None:
        for door in listener._doors:
            door.told = server.wake
    try:
        for number in count(1):
            if max_connections is not None:
                yield from server.wait_below(max_connections, listener)
            server.start((yield from listener.accept()))
            if number % BURST == 0:
                yield from sleep(0)
    except ClosedError:
        with move_on_after(grace):
            yield from wait_all(list(server.tasks.values()))
    except BusyError:
        ours = False
        raise
    finally:
        if ours:
            listener.close()
        yield from server.stop()


def _check_limits(
    max_connections: int | None, grace: float | None, handshake_timeout: float | None
) -> None:
    if max_connections is not None and max_connections < 1:
        raise ValueError(f"max_connections must be at least 1, got {max_connections}")
    check_seconds("grace", grace)
    check_seconds("handshake_timeout", handshake_timeout)


class _Server:
    """The connections under way, each with its task."""

    def __init__(
        self,
        handler: Callable[[Transport], AnyCoroutine[object]],
        context: _ssl.SSLContext | None,
        handshake_timeout: float | None,
    ) -> None:
        self.tasks: dict[SocketTransport, Task[None]] = {}
        self._handler = handler
        self._context = context
        self._handshake_timeout = handshake_timeout
        self._waiter: Task[Any] | None = None

    def start(self, transport: SocketTransport) -> None:
        self.tasks[transport] = create_task(self._handle(transport))

    @coroutine
    def wait_below(self, limit: int, listener: Listener) -> Gen[None]:
        """Wait until fewer than ``limit`` connections are under way, or it is closed."""
        while len(self.tasks) >= limit and not listener.closed:
            self._waiter = current_task()
            block(self._stop_waiting)
            yield

    @coroutine
    def stop(self) -> Gen[None]:
        tasks = list(self.tasks.values())
        for task in tasks:
            task.cancel()
        with shield():
            yield from wait_all(tasks)

    @coroutine
    def _handle(self, plain: SocketTransport) -> Gen[None]:
        """Handle one connection, and let nothing out of it but cancellation."""
        transport: Transport = plain
        ended = False  # and closed: whatever becomes of an aclose(), it closes
        try:
            if self._context is not None:
                with fail_after(self._handshake_timeout):
                    transport = yield from start_tls(plain, self._context, server_side=True)
            handling = self._handler(transport)
            if not hasattr(handling, "__iter__") and not hasattr(handling, "__await__"):
                raise TypeError(
                    f"a handler must be a coroutine function, but {self._handler!r} "
                    f"returned {handling!r}"
                )
            # Whatever can run as a task can be driven so: this generator is a coroutine.
            yield from handling  # type: ignore[misc]
            ended = True
            if transport is plain:
                plain.close()  # all that its aclose() does, without a coroutine (benchmarks/accept)
            else:
                yield from transport.aclose()
        except Exception as error:  # noqa: BLE001 - the handler's; all of it is logged
            # First: where descriptors have run out, Python needs this one to print a traceback.
            transport.close()
            ended = True
            _log(transport, error)
        finally:
            if not ended:
                transport.close()
            # Here and not in a callback of the task: nine Python calls less (benchmarks/accept).
            del self.tasks[plain]
            if self._waiter is not None:
                self.wake()

    def wake(self) -> None:
        """Have the one in `wait_below` look again."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.unblock()

    def _stop_waiting(self) -> None:
        self._waiter = None


def _check(handler: object, context: _ssl.SSLContext | None, *listeners: object) -> None:
    """Refuse what is often given by mistake; later it would be an error of each connection."""
    if not callable(handler):
        raise TypeError(f"a handler must be a coroutine function, not its call: {handler!r}")
    for each in listeners:
        if not isinstance(each, Listener):
            raise TypeError(f"serving needs a listener, got {each!r}: wait for listen() first")
    if context is not None:
        check_context(context, server_side=True)


def _log(transport: Transport, error: Exception) -> None:
    """Write down why a handler failed."""
    reasons = _leaves(error)
    if all(isinstance(reason, OF_CONNECTIONS) for reason in reasons):
        told = "; ".join(map(str, reasons))
        logger().info("connection from %r ended: %s", transport, told)
    else:
        logger().error("the handler of %r failed", transport, exc_info=error)


def _leaves(error: Exception) -> list[Exception]:
    """Return the error itself, or what is in the group: handlers that do two things are many."""
    if isinstance(error, ExceptionGroup):
        return [leaf for member in error.exceptions for leaf in _leaves(member)]
    return [error]
