"""How a request goes out: at once, in a task, or when the server says that it may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from tulip_http._upload import Upload
from tulip_http.wire._serialize import serialize_head

if TYPE_CHECKING:
    from tulip_http._alarm import Clock, Timer
    from tulip_http._deadlines import Deadlines
    from tulip_http._request import Request
    from tulip_http.wire._http1 import ResponseParser
    from tulip_net import Transport

# What a socket buffer takes at once as a rule, so that no task is needed.
_AT_ONCE: Final = 65536
# RFC 9110 section 10.1.1: a client should not wait indefinitely for 100 (Continue), as old servers
# do not know it. curl waits as long.
_CONTINUE_SECONDS: Final = 1.0


@final
class Sending:
    """Sends one request after the other over a connection.

    Args:
        loop: Whose timer is used.
        transport: Where to.
        deadlines: Told about each piece.

    Attributes:
        upload: A request that goes out in a task; None once all of it has gone out.
        held: A request whose body waits for the server's 100 (Continue).
        parser: Reads the answer.
        last: The request said that no other will follow (RFC 9112 section 9.6).
    """

    __slots__ = ("_deadlines", "_loop", "_timer", "_transport", "held", "last", "parser", "upload")

    def __init__(self, loop: Clock, transport: Transport, deadlines: Deadlines) -> None:
        self._loop = loop
        self._transport = transport
        self._deadlines = deadlines
        self._timer: Timer | None = None
        self.upload: Upload | None = None
        self.held: Request | None = None
        self.parser: ResponseParser | None = None
        self.last = False

    def begin(self, request: Request) -> bytes | None:
        """Return what is to be sent now; None where a task does that."""
        headers = request.headers
        host = None if headers.has(b"host") else request.url.netloc
        head = serialize_head(request.method, request.target, host, headers.block())
        if headers.has(b"connection"):
            self.last = "close" in headers["connection"].lower()
        content = request.content
        if content is None and request.stream is None:
            return head
        if headers.has(b"expect") and (content or request.stream is not None):
            self.held = request
            self._timer = self._loop.call_at(self._loop.time() + _CONTINUE_SECONDS, self._silence)
            return head
        if request.stream is None and (content is None or len(content) <= _AT_ONCE):
            return head + content if content else head
        self._start(head, request)
        return None

    def go_ahead(self) -> None:
        """Send the body that waited for the server, if there is one."""
        request = self.held
        if request is not None:
            self._let_go()
            self._start(b"", request)

    def _silence(self) -> None:
        """Send the body that the server did not ask for; but not if it has answered without."""
        if self.parser is None or self.parser.head is None:
            self.go_ahead()

    def sent(self) -> bool:
        """Say whether the request has gone out, as far as it may; then let the upload go."""
        if self.upload is not None and self.upload.sent:
            self.upload = None
        return self.upload is None

    def complete(self) -> bool:
        """Say whether all of it has gone out."""
        return self.held is None and (self.upload is None or self.sent())

    def stop(self) -> None:
        """Send no more."""
        self._let_go()
        upload, self.upload = self.upload, None
        if upload is not None:
            upload.stop()

    def failure(self) -> BaseException | None:
        """Return why the request did not go out, None if it did or still may."""
        return None if self.upload is None else self.upload.error

    def _start(self, head: bytes, request: Request) -> None:
        self._deadlines.awaited = True
        self.upload = Upload(self._transport, head, request, self._deadlines)

    def _let_go(self) -> None:
        self.held = None
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
