"""What came back: a status, header fields, and a body that is here already or still coming."""

from __future__ import annotations

import math
import warnings
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, final

from tulip_http._errors import (
    DecodingError,
    HTTPError,
    HTTPStatusError,
    ResponseNotRead,
    ResponseTooLarge,
    StreamClosed,
    StreamConsumed,
)
from tulip_http._headers import Headers
from tulip_http._typing import override
from tulip_http.bodies._text import LineSplitter, text_decoder
from tulip_net import Gen, coroutine

if TYPE_CHECKING:
    import codecs
    from datetime import timedelta
    from types import TracebackType
    from typing import Self

    from tulip_http._request import Request
    from tulip_http._url import URL
    from tulip_http.bodies._decode import BodyDecoder
    from tulip_http.wire._http1 import ResponseHead
    from tulip_net import Coroutine

E = TypeVar("E", bound=HTTPError)


class BodySource(Protocol):
    """Where the rest of a body comes from: a connection, or one stream of it."""

    def call_ends(self) -> float:
        """Return when a call that begins now has to end."""
        ...

    def receive(self, ends: float) -> Coroutine[bytes]:
        """Return the next piece, ``b""`` at the end, which also ends the source."""
        ...

    def abandon(self) -> None:
        """End the source early, without waiting. Idempotent."""
        ...


@final
class Response:
    """The answer to a request.

    The body of a response from ``client.get(...)`` and its kin is read already: `content`, `text`
    and `json` are at hand. The body of one from ``client.stream(...)`` is still coming: `read` it
    whole, or take pieces: ``while chunk := (yield from response.read_chunk())``, or ``async for
    chunk in response.iter_bytes()``. Such a response occupies a connection until its body was read
    to the end or it is closed; leaving ``with`` or ``async with`` closes it, and never waits.

    Attributes:
        status_code: Three digits, such as 200.
        http_version: "HTTP/1.1" or "HTTP/1.0".
        headers: As they came.
        request: What this answers. Its URL is `url`.
    """

    __slots__ = (
        "_abandoned",
        "_body_decoder",
        "_content",
        "_decoder",
        "_encoding",
        "_max_body",
        "_reason",
        "_seconds",
        "_source",
        "_splitter",
        "_started",
        "_trailers",
        "headers",
        "http_version",
        "request",
        "status_code",
    )

    def __init__(
        self,
        request: Request,
        head: ResponseHead,
        *,
        trailers: list[tuple[bytes, bytes]],
        decoder: BodyDecoder | None = None,
        content: bytes | None = None,
        source: BodySource | None = None,
        seconds: float = 0.0,
        max_body: int | None = None,
    ) -> None:
        self.request: Request = request
        self.status_code: int = head.status
        self.http_version: str = head.version
        self.headers: Headers = Headers.from_wire(head.fields)
        self._reason = head.reason
        self._content = content
        self._source = source
        self._seconds = seconds
        self._max_body = max_body
        self._encoding: str | None = None
        self._started = False  # reading in pieces
        self._abandoned = False
        self._body_decoder = decoder
        self._decoder: codecs.IncrementalDecoder | None = None
        self._splitter: LineSplitter | None = None
        self._trailers = trailers

    @property
    def url(self) -> URL:
        """What was asked for."""
        return self.request.url

    @property
    def reason_phrase(self) -> str:
        """The words after the status, "" where there are none."""
        return self._reason.decode("latin-1")

    @property
    def elapsed(self) -> timedelta:
        """From the start of the call to the answer's head."""
        from datetime import timedelta

        return timedelta(seconds=self._seconds)

    @property
    def trailers(self) -> Headers:
        """Fields that came after a chunked body; complete once the body was read."""
        return Headers.from_wire(self._trailers)

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
        if self._content is None:
            raise self._carrying(ResponseNotRead(f"the body of {self!r} was not read yet: read()"))
        return self._content

    @property
    def encoding(self) -> str:
        """The character set that `text` uses: the one announced, else UTF-8; may be set."""
        return self._encoding or self._announced_charset() or "utf-8"

    @encoding.setter
    def encoding(self, name: str) -> None:
        import codecs

        codecs.lookup(name)
        self._encoding = name

    @property
    def text(self) -> str:
        """The body as text; what is no text in `encoding` becomes U+FFFD.

        Raises:
            ResponseNotRead: As for `content`.
        """
        return self.content.decode(self.encoding, "replace")

    def json(self) -> Any:
        """Return the body's JSON value.

        Raises:
            ValueError: It is not JSON.
            ResponseNotRead: As for `content`.
        """
        from json import loads

        return loads(self.content)

    # The body that is still coming.

    @coroutine
    def read(self) -> Gen[bytes]:
        """Wait for the whole body and return it; afterwards it is in `content`.

        Raises:
            ResponseTooLarge: It is larger than ``Limits.max_body``.
            StreamConsumed: Pieces of it were taken already.
            StreamClosed: The response was closed.
            HTTPError: The exchange failed. Whatever is raised, the response is then closed.
        """
        if self._content is not None:
            return self._content
        if self._started:
            raise self._carrying(StreamConsumed(f"the body of {self!r} was taken in pieces"))
        chunks = []
        size = 0
        ends = math.inf if self._source is None else self._source.call_ends()
        while chunk := (yield from self._read_chunk(ends)):
            chunks.append(chunk)
            size += len(chunk)
            if self._max_body is not None and size > self._max_body:
                self.close()
                raise self._carrying(
                    ResponseTooLarge(f"the body is larger than {self._max_body} bytes (max_body)")
                )
        self._content = b"".join(chunks)
        return self._content

    @coroutine
    def read_chunk(self) -> Gen[bytes]:
        """Wait for the next piece of the body, of whatever size, and return it.

        Returns:
            At least one byte, or ``b""`` at the end of the body and ever after.

        Raises:
            StreamClosed: The response was closed before the end of its body.
            HTTPError: The exchange failed; the response is then closed.

        Cancelling closes the response.
        """
        ends = math.inf if self._source is None else self._source.call_ends()
        return (yield from self._read_chunk(ends))

    @coroutine
    def _read_chunk(self, ends: float) -> Gen[bytes]:
        started, self._started = self._started, True
        if self._source is None:
            if self._content is None and self._abandoned:
                raise self._carrying(StreamClosed(f"{self!r} was closed before it was read"))
            return b"" if started or self._content is None else self._content
        decoder = self._body_decoder
        if decoder is None:
            chunk = yield from self._source.receive(ends)
        else:
            chunk = yield from self._decoded(decoder, self._source, ends)
        if not chunk:
            self._source = None
        return chunk

    @coroutine
    def _decoded(self, decoder: BodyDecoder, source: BodySource, ends: float) -> Gen[bytes]:
        try:
            while not (data := decoder.take()):
                chunk = yield from source.receive(ends)
                if not chunk:
                    decoder.finish()
                    break
                decoder.feed(chunk)
        except (DecodingError, ResponseTooLarge) as error:
            self.close()
            raise self._carrying(error) from error.__cause__
        return data

    @coroutine
    def read_text(self) -> Gen[str]:
        """Wait for the next piece of the body as text: like `read_chunk`, and "" at the end."""
        if self._decoder is None:
            self._decoder = text_decoder(self.encoding)
        while chunk := (yield from self.read_chunk()):
            # A piece may end inside a character, and be nothing by itself.
            if text := self._decoder.decode(chunk):
                return text
        return self._decoder.decode(b"", final=True)

    @coroutine
    def read_line(self) -> Gen[str | None]:
        """Wait for the next line and return it without its end; None at the end of the body."""
        if self._splitter is None:
            self._splitter = LineSplitter(self.encoding)
        lines = self._splitter.lines
        while not lines:
            chunk = yield from self.read_chunk()
            self._splitter.feed(chunk)
            if not chunk:
                break
        return lines.popleft() if lines else None

    async def iter_bytes(self) -> AsyncIterator[bytes]:
        """Iterate over the body's pieces as they come: ``async for``."""
        while chunk := await self.read_chunk():
            yield chunk

    async def iter_text(self) -> AsyncIterator[str]:
        """Iterate over the body as text, in pieces as they come: ``async for``."""
        while text := await self.read_text():
            yield text

    async def iter_lines(self) -> AsyncIterator[str]:
        """Iterate over the body's lines, without their ends: ``async for``."""
        while (line := await self.read_line()) is not None:
            yield line

    def close(self) -> None:
        """Give up what has not been read, without waiting. Closing again does nothing."""
        source, self._source = self._source, None
        if source is not None:
            self._abandoned = True
            source.abandon()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come: all was read, or the response was closed."""
        return self._source is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        """Give the connection back that a response nobody closed still occupies."""
        if getattr(self, "_source", None) is not None:
            message = f"{self!r} was dropped before it was read or closed"
            warnings.warn(message, ResourceWarning, stacklevel=2, source=self)
            self.close()

    def _carrying(self, error: E) -> E:
        error.request = self.request
        return error

    def _announced_charset(self) -> str | None:
        from email.message import Message

        announced = self.headers.get("content-type")
        if announced is None or "charset" not in announced.lower():
            return None
        message = Message()
        message["content-type"] = announced
        charset = message.get_content_charset()
        try:
            import codecs

            return codecs.lookup(charset).name if charset else None
        except LookupError:
            return None

    @override
    def __repr__(self) -> str:
        return f"<Response {self.status_code} {self.reason_phrase} for {self.url.shown}>"

    @override
    def __getstate__(self) -> tuple[None, dict[str, object]]:
        """Leave out the connection: a response is sent elsewhere as what was read of it."""
        state = {name: getattr(self, name) for name in self.__slots__}
        state["_abandoned"] = self._abandoned or self._source is not None
        state["_source"] = state["_decoder"] = state["_splitter"] = None
        state["_body_decoder"] = None
        return None, state
