"""Tests that are coroutines, in either style, and servers for them in the same event loop."""

import functools
from collections.abc import Callable
from typing import ParamSpec, Self

from tulip_net import (
    AnyCoroutine,
    Gen,
    Listener,
    Task,
    Transport,
    coroutine,
    create_task,
    fail_after,
    listen,
    run,
    serve,
)
from tulip_sched.testing import virtual_time

P = ParamSpec("P")


def in_loop(test: Callable[P, AnyCoroutine[None]]) -> Callable[P, None]:
    """Run a test that is a coroutine function."""

    @functools.wraps(test)
    def runner(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return runner


def in_virtual_time(test: Callable[P, AnyCoroutine[None]]) -> Callable[P, None]:
    """Run a test that is a coroutine function where waiting takes no time, on real sockets.

    Both ends are in the one event loop, which serves every descriptor that is ready before time
    jumps: so no deadline passes because the machine is busy.
    """

    @functools.wraps(test)
    def runner(*args: P.args, **kwargs: P.kwargs) -> None:
        with virtual_time(patience=0.01):
            run(test(*args, **kwargs))

    return runner


class Script:
    """A server that says what it was told to, whatever it is asked; one text per connection.

    Args:
        texts: Sent after the head of a request has come; the last one serves all that follow. A
            text is one bytes, or several that are sent one per request.
        hang: Keep connections open when there is nothing more to say, instead of closing them.

    Attributes:
        requests: What was received, per connection.
    """

    def __init__(self, *texts: bytes | list[bytes], hang: bool = False) -> None:
        self._texts = list(texts)
        self._hang = hang
        self._listener: Listener | None = None
        self._task: Task[None] | None = None
        self.requests: list[bytes] = []

    async def __aenter__(self) -> Self:
        self._listener = await listen("127.0.0.1", 0)
        self._task = create_task(serve(self._handle, self._listener, grace=0), "script")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._listener is not None
        assert self._task is not None
        self._listener.close()
        await self._task

    def url(self, path: str = "/") -> str:
        assert self._listener is not None
        return f"http://127.0.0.1:{self._listener.addresses[0][1]}{path}"

    async def _handle(self, transport: Transport) -> None:
        number = len(self.requests)
        self.requests.append(b"")
        text = self._texts[min(number, len(self._texts) - 1)]
        for piece in [text] if isinstance(text, bytes) else text:
            if not await self._read_head(number, transport):
                return
            await transport.send(piece)
        if self._hang:
            await transport.recv(1)

    async def _read_head(self, number: int, transport: Transport) -> bool:
        head = b""
        while b"\r\n\r\n" not in head:
            data = await transport.recv(65536)
            if not data:
                return False
            head += data
            self.requests[number] += data
        return True


@coroutine
def eventually(condition: Callable[[], bool]) -> Gen[None]:
    """Wait until something is so."""
    from tulip_net import sleep

    with fail_after(5):
        while not condition():
            yield from sleep(0.005)
