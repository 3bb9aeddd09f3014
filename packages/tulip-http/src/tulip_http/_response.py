"""What came back: a status, header fields, and a body that is here already or still coming."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, TypeVar, final

from tulip_http._body import Body
from tulip_http._errors import HTTPError, HTTPStatusError, ResponseNotRead
from tulip_http._headers import Headers
from tulip_http._info import ConnectionInfo, Timings
from tulip_http._typing import override
from tulip_http.bodies._pieces import Pieces
from tulip_http.bodies._text import charset_of, lines_of, text_of
from tulip_net import Closable, Coroutine, Transport

if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Self

    from tulip_http._request import Request
    from tulip_http._url import URL
    from tulip_http.wire._head import ResponseHead

E = TypeVar("E", bound=HTTPError)

Clocked = tuple[float, float, float, float, bool]
"""When a call began, its request had gone out, the answer began, and the call ended; and whether it
was the first on its connection."""


@final
class Response(Closable):
    """The answer to a request.

    The body of a response from ``client.get(...)`` and its kin is read already: `content`, `text`
    and `json` are at hand. The body of one from ``client.stream(...)`` is still coming: `read` it
    whole, or take pieces: ``while chunk := (yield from response.read_chunk())``, or ``async for
    chunk in response.iter_bytes()``. Such a response occupies a connection until its body was read
    to the end or it is closed; leaving ``with`` or ``async with`` closes it, and never waits.

    A body that was read whole can be iterated over as often as one likes, from its beginning each
    time; of another, each piece comes once.

    Attributes:
        status_code: Three digits, such as 200.
        request: What this answers. Its URL is `url`.
        connection: Over what it came: the peer's address and certificate.
    """

    __slots__ = (
        "_body",
        "_clocked",
        "_content",
        "_encoding",
        "_head",
        "_headers",
        "connection",
        "request",
        "status_code",
    )

    def __init__(
        self,
        request: Request,
        head: ResponseHead,
        connection: ConnectionInfo,
        clocked: Clocked,
        content: bytes | None,
        body: Body | None = None,
    ) -> None:
        self.request: Request = request
        self.status_code: int = head.status
        self.connection: ConnectionInfo = connection
        self._head = head
        self._headers: Headers | None = None
        self._clocked = clocked
        self._content = content
        self._body = body
        self._encoding: str | None = None

    @property
    def url(self) -> URL:
        """What was asked for."""
        return self.request.url

    @property
    def http_version(self) -> str:
        """Either "HTTP/1.1" or "HTTP/1.0"."""
        return self._head.version

    @property
    def reason_phrase(self) -> str:
        """The words after the status, "" where there are none."""
        return self._head.reason.decode("latin-1")

    @property
    def headers(self) -> Headers:
        """The header fields, as they came."""
        headers = self._headers
        if headers is None:
            headers = self._headers = Headers.from_wire(self._head.fields)
        return headers

    @property
    def elapsed(self) -> timedelta:
        """From the start of the call to the answer's head."""
        from datetime import timedelta

        return timedelta(seconds=self._clocked[2] - self._clocked[0])

    @property
    def timings(self) -> Timings:
        """How long each phase of the call took."""
        began, sent, first, ended, opened = self._clocked
        opening = self.connection if opened else ConnectionInfo()
        return Timings(
            opening.name, opening.connect, opening.tls, sent - began, first - began, ended - began
        )

    @property
    def trailers(self) -> Headers:
        """Fields that came after a chunked body; complete once the body was read."""
        return Headers.from_wire(self._head.trailers)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code < 300

    @property
    def is_redirect(self) -> bool:
        """Whether the status is 3xx and there is a Location to go to."""
        return 300 <= self.status_code < 400 and "location" in self.headers

    @property
    def is_error(self) -> bool:
        """Whether the status is 4xx or 5xx."""
        return self.status_code >= 400

    def raise_for_status(self) -> Self:
        """Return this response, unless its status is 4xx or 5xx.

        Raises:
            HTTPStatusError: It is.
        """
        if not self.is_error:
            return self
        whose = "client" if self.status_code < 500 else "server"
        error = HTTPStatusError(
            f"{self.status_code} {self.reason_phrase} ({whose} error) for "
            f"{self.request.method} {self.url.shown}",
            response=self,
        )
        error.request = self.request
        raise error

    # The body at hand.

    @property
    def content(self) -> bytes:
        """The body.

        Raises:
            ResponseNotRead: It is still coming: `read` it first.
        """
        content = self._content
        if content is None:
            content = self._at_hand()
        if content is None:
            raise self._carrying(ResponseNotRead(f"the body of {self!r} was not read yet: read()"))
        return content

    @property
    def encoding(self) -> str:
        """The character set that `text` uses: the one announced, else UTF-8; may be set."""
        return self._encoding or charset_of(self.headers.get("content-type")) or "utf-8"

    @encoding.setter
    def encoding(self, name: str) -> None:
        b"x".decode(name, "replace")  # codecs.lookup() also knows "hex", which gives no text
        self._encoding = name

    @property
    def text(self) -> str:
        """The body as text; what is no text in `encoding` becomes U+FFFD.

        Raises:
            ResponseNotRead: As for `content`.
        """
        return text_of(self.content, self.encoding)

    def json(self, **options: Any) -> Any:
        """Return the body's JSON value.

        Args:
            options: As for `json.loads`: ``parse_float``, ``object_hook`` and the others.

        Raises:
            DecodingError: It is not JSON; the error is a `json.JSONDecodeError` besides.
            ResponseNotRead: As for `content`.
        """
        from tulip_http._json import load

        return load(self.content, self.request, options)

    # The body that is still coming.

    def read(self) -> Coroutine[bytes]:
        """Wait for the whole body and return it; afterwards it is in `content`.

        Raises:
            ResponseTooLarge: It is larger than ``Limits.max_body``.
            StreamConsumed: Pieces of it were taken already.
            StreamClosed: The response was closed.
            HTTPError: The exchange failed. Whatever is raised, the response is then closed.
        """
        return self._streamed().read()

    def read_chunk(self) -> Coroutine[bytes]:
        """Wait for the next piece of the body, of whatever size, and return it.

        Returns:
            At least one byte, or ``b""`` at the end of the body and ever after.

        Raises:
            StreamClosed: The response was closed before the end of its body.
            HTTPError: The exchange failed; the response is then closed.

        Cancelling closes the response.
        """
        return (self._body or self._streamed()).read_chunk()

    def read_raw(self) -> Coroutine[bytes]:
        """Wait for the next piece as it came: its Content-Encoding is not undone.

        Returns and raises as `read_chunk`, which must not be mixed with this. The body of a
        response that was read whole is decoded already.
        """
        return self._streamed().read_raw()

    def read_text(self) -> Coroutine[str]:
        """Wait for the next piece of the body as text: like `read_chunk`, and "" at the end."""
        return self._streamed().read_text(self.encoding)

    def read_line(self) -> Coroutine[str | None]:
        """Wait for the next line and return it without its end; None at the end of the body.

        Raises as `read_chunk`, and `ResponseTooLarge` for a line beyond ``Limits.max_body``.
        """
        return self._streamed().read_line(self.encoding)

    def iter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Iterate over the body's pieces as they come: ``async for``.

        Args:
            chunk_size: Bytes of each piece but the last; None for pieces as they come.

        Raises:
            ValueError: ``chunk_size`` is below 1; when this is called, not at the first piece.
        """
        return self._cut(self.read_chunk, Pieces(chunk_size))

    def iter_raw(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Iterate over the body's pieces still encoded; see `iter_bytes`."""
        return self._cut(self.read_raw, Pieces(chunk_size))

    async def iter_text(self) -> AsyncIterator[str]:
        """Iterate over the body as text, in pieces as they come: ``async for``."""
        if self._at_hand() is not None:
            if text := self.text:
                yield text
            return
        while text := await self.read_text():
            yield text

    async def iter_lines(self) -> AsyncIterator[str]:
        """Iterate over the body's lines, without their ends: ``async for``."""
        content = self._at_hand()
        if content is not None:
            for line_at_hand in lines_of(content, self.encoding):
                yield line_at_hand
            return
        while (line := await self.read_line()) is not None:
            while line is not None:
                yield line
                line = self._line_nowait()  # a coroutine costs ten times as much

    @override
    def close(self) -> None:
        """Give up what has not been read, without waiting. Closing again does nothing.

        If little is missing it is read in the background, for a moment, so that the connection
        can be used again.
        """
        if self._body is not None:
            self._body.close()

    def detach(self) -> Transport:
        """Return the connection itself, once the server has switched to another protocol.

        That is: it answered 101 to a request with an ``Upgrade`` header, or 2xx to CONNECT. Only a
        response of `Client.stream` has one to give.

        Raises:
            StreamError: The answer is another one, the response was closed, or this was called
                before.
        """
        return self._streamed().detach()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come: all was read, or the response was closed."""
        return self._body is None or self._body.ended

    def _leave(self) -> None:
        """Take note that nothing more will come, and leave the connection alone."""
        if self._body is not None:
            self._body.leave()

    def _at_hand(self) -> bytes | None:
        content = self._content
        if content is None and self._body is not None:
            content = self._body.content
        return content

    async def _cut(
        self, read: Callable[[], Coroutine[bytes]], pieces: Pieces
    ) -> AsyncIterator[bytes]:
        """Iterate over the body, or over what ``read`` gives of it, in pieces of one size."""
        content = self._at_hand()
        if content is not None:
            for piece in pieces.cut(content) if content else ():
                yield piece
        else:
            while chunk := await read():
                for piece in pieces.cut(chunk):
                    yield piece
        for piece in pieces.rest():
            yield piece

    def _line_nowait(self) -> str | None:
        return self._streamed().line_nowait()

    def _streamed(self) -> Body:
        if self._body is None:
            self._body = Body(self.request, content=self._content)
        return self._body

    def _carrying(self, error: E) -> E:
        error.request = self.request
        return error

    @override
    def __repr__(self) -> str:
        return f"<Response {self.status_code} {self.reason_phrase} for {self.url.shown}>"
