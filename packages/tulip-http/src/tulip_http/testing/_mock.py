"""A server that is a function."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Awaitable, Callable
from http import HTTPMethod
from typing import TypeAlias, cast, final

import httptools

from tulip_http._request import Request
from tulip_http._url import Origin
from tulip_http.testing._answer import Answer
from tulip_net import BrokenError, Coroutine, Gen, Task, Transport, coroutine
from tulip_net.testing import memory_pair

Handler: TypeAlias = Callable[[Request], "Answer | Awaitable[Answer]"]
"""A function, or a coroutine function, from a request to the answer."""

_LIMIT = 65536
_METHODS = frozenset(method.encode() for method in HTTPMethod)


@final
class MockServer:
    """Answers what a function says.

    Args:
        handler: Gets each request, with its body in ``content``. What it raises ends the
            connection, and makes the run fail, as it is nobody's who waits.

    Attributes:
        requests: What was asked so far.
        connections: How many there were.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.requests: list[Request] = []
        self.connections: int = 0

    @coroutine
    async def connect(self, origin: Origin) -> Transport:
        """Return a connection to this server, which is every host: for ``Client(connect=...)``."""
        ours, theirs = memory_pair()
        self.connections += 1
        Task(self._serve(origin, theirs), f"mock of {origin}").start()
        return ours

    @coroutine
    async def _serve(self, origin: Origin, transport: Transport) -> None:
        try:
            while (request := await _read_request(origin, transport)) is not None:
                self.requests.append(request)
                answer = self._handler(request)
                if inspect.isawaitable(answer) or not isinstance(answer, Answer):
                    answer = await cast("Coroutine[Answer]", answer)
                try:
                    await transport.send(answer.serialize(request.method))
                except BrokenError:
                    return  # the client has gone: that is its right
        finally:
            transport.close()


@coroutine
def _read_request(origin: Origin, transport: Transport) -> Gen[Request | None]:
    """Return the next request, None when the client has gone."""
    found = _Found()
    parser = httptools.HttpRequestParser(found)
    data = yield from transport.recv(_LIMIT)
    method, space, rest = data.partition(b" ")
    if space and method not in _METHODS:
        data = b"POST " + rest  # the parser knows only those that are registered
    while data:
        with contextlib.suppress(httptools.HttpParserUpgrade):  # we do not
            parser.feed_data(data)
        if found.complete:
            break
        if found.expects:
            found.expects = False
            yield from transport.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        data = yield from transport.recv(_LIMIT)
    else:
        return None
    target = found.target.decode("ascii")
    path = target if target.startswith("/") else "/"
    return Request(
        method.decode("ascii"),
        f"{origin}{path}",
        target=target,
        headers=found.fields,
        content=bytes(found.body) if found.body else None,
    )


class _Found:
    """Filled in by the parser, which finds these methods by name."""

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.complete = False
        self.expects = False

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; how the body is framed is not the handler's business."""
        if name.lower() not in {b"transfer-encoding", b"content-length"}:
            self.fields.append((name, value))
        if name.lower() == b"expect":
            self.expects = True

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self.body += data

    def on_message_complete(self) -> None:
        """Take note that nothing more belongs to this request."""
        self.complete = True
